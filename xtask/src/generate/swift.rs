//! Swift: the kinds of errors, the request, and `create` and `generate` with the request's properties as
//! arguments.

use super::names::{camel, comment, swift, swift_doc};
use super::surface::{Argument, Surface, Type};
use super::{HEADER, Tree};

const SOURCES: &str = "bindings-swift/Sources/Pipevideo";
const WIDTH: usize = 100;

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    tree.write(&format!("{SOURCES}/ErrorKind.swift"), kinds(surface));
    tree.write(&format!("{SOURCES}/GenerationRequest.swift"), request(surface));
    tree.write(&format!("{SOURCES}/CreateArguments.swift"), arguments(surface)?);
    Ok(())
}

/// A name as an identifier: one that is a keyword of Swift is quoted.
fn identifier(name: &str) -> String {
    if name == "internal" { format!("`{name}`") } else { name.to_owned() }
}

fn kinds(surface: &Surface) -> String {
    let kinds = surface.error_kinds.iter().map(|kind| {
        let (property, name) = (identifier(&swift(&kind.name)), &kind.name);
        doc(2, &kind.doc)
            + &format!("        public static let {property} = Kind(rawValue: \"{name}\")\n")
    });
    format!(
        r#"// {HEADER}

extension PipevideoError {{
    /// The kind of an error. The list and the literals are the same in every language.
    public struct Kind: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {{
        /// The literal, the same in every language, such as `rate_limited`.
        public let rawValue: String

        /// Creates a kind from its literal.
        public init(rawValue: String) {{
            self.rawValue = rawValue
        }}

        /// The literal, the same in every language.
        public var description: String {{ rawValue }}

{}    }}
}}
"#,
        kinds.collect::<String>()
    )
}

fn request(surface: &Surface) -> String {
    let arguments = &surface.create_arguments;
    let properties = arguments.iter().map(|argument| {
        let kind = type_of(argument).replace(" = nil", "").replace(" = [:]", "");
        doc(1, &argument.doc) + &format!("    public var {}: {kind}\n", swift(&argument.name))
    });
    let assignments = arguments.iter().map(|argument| {
        let name = swift(&argument.name);
        format!("        self.{name} = {name}\n")
    });
    let core = arguments.iter().map(|argument| {
        let name = swift(&argument.name);
        match argument.kind {
            Type::Integer => format!("{name}: {name}.map(Int64.init)"),
            // The native module's names are UniFFI's, and its decimals are texts.
            Type::Money => format!("{}: {name}?.description", camel(&argument.name)),
            Type::Input => format!("{name}: {name}.core"),
            Type::Provider => format!("{name}: {name}?.core"),
            Type::Object => format!("{name}: {name}.isEmpty ? nil : JSONValue.object({name}).text"),
            _ => format!("{name}: {name}"),
        }
    });
    let shown = arguments.iter().map(|argument| {
        let name = swift(&argument.name);
        match argument.kind {
            Type::Input => format!("\"{name}\": Hidden()"),
            Type::Object => format!("\"{name}\": {name}.isEmpty ? nil : Hidden()"),
            _ if argument.hidden => format!("\"{name}\": {name}.map {{ _ in Hidden() }}"),
            _ => format!("\"{name}\": {name}"),
        }
    });
    format!(
        r#"// {HEADER}

import Foundation
internal import PipevideoFFI

/// A request for a generation: the model, the input and the options.
///
/// ```swift
/// var request = GenerationRequest(
///     model: "moonshotai/kimi-k2.5",
///     input: ["Make the cat walk", .image(file: photo)]
/// )
/// request.aspectRatio = "9:16"
/// let generation = try await client.responses.create(request)
/// ```
public struct GenerationRequest: Hashable, Sendable {{
{properties}
    /// Creates a request.
    public init(
{parameters}
    ) {{
{assignments}    }}

    func arguments() throws -> Arguments {{
        try input.check()
        return Arguments(
{core}
        )
    }}
}}

// Left out: the prompt, and images and videos of up to 20 MB.
extension GenerationRequest: CustomReflectable {{
    /// The properties that are set. Those that may hold the prompt show as `hidden`.
    public var customMirror: Mirror {{
        Mirror(
            self,
            showing: [
{shown},
            ]
        )
    }}
}}
"#,
        properties = properties.collect::<String>(),
        parameters = parameters(arguments.iter(), "Input"),
        assignments = assignments.collect::<String>(),
        core = filled(core.collect(), 12),
        shown = filled(shown.collect(), 16),
    )
}

/// `create` and `generate` with the request's properties as arguments, in a file of their own, because
/// the client depends on the request.
fn arguments(surface: &Surface) -> Result<String, String> {
    let mut out = format!(
        r#"// {HEADER}

import Foundation

// The properties of a request as arguments. `Input` takes literals only, so each function has an
// overload for a string in a variable. It is disfavoured so that a literal is an `Input`.
"#
    );
    out += &functions(surface, "responses.create", "Responses", &[])?;
    out += &functions(surface, "generate", "PipevideoClient", &surface.generate_arguments)?;
    Ok(out)
}

/// An extension with `create` or `generate`, for an `Input` and for a `String`.
fn functions(
    surface: &Surface,
    operation: &str,
    client: &str,
    own: &[Argument],
) -> Result<String, String> {
    let declared = surface.operation(operation)?;
    let name = operation.rsplit('.').next().unwrap_or(operation);
    let name_of = |argument: &Argument| match argument.kind {
        Type::OnUpdate => format!("isolation:{}:", swift(&argument.name)),
        _ => swift(&argument.name) + ":",
    };
    let options = Argument {
        name: "options".to_owned(),
        kind: Type::CallOptions,
        required: false,
        hidden: false,
        local: false,
        wire: None,
        doc: String::new(),
    };
    let mut own: Vec<_> = own.iter().collect();
    // A function comes last, so that it may be a trailing closure.
    let at = own.iter().position(|argument| argument.kind == Type::OnUpdate).unwrap_or(own.len());
    own.insert(at, &options);
    let names: String = own.iter().copied().map(name_of).collect();
    let after: Vec<_> = own.iter().map(|a| format!("{0}: {0}", swift(&a.name))).collect();
    let after = after.join(", ");
    let mut functions = Vec::new();
    for kind in ["Input", "String"] {
        let passed = surface.create_arguments.iter().map(|argument| {
            let name = swift(&argument.name);
            match (argument.kind, kind) {
                (Type::Input, "String") => format!("{name}: .text({name})"),
                _ => format!("{name}: {name}"),
            }
        });
        let about = if kind == "Input" {
            format!(
                "{} It is ``{name}(_:{names})`` with the properties of a ``GenerationRequest`` as \
                 arguments.",
                declared.doc
            )
        } else {
            format!("{} The input is one text.", declared.doc)
        };
        let attribute = if kind == "Input" { "" } else { "    @_disfavoredOverload\n" };
        functions.push(format!(
            r#"{about}    ///
    /// - Throws: ``PipevideoError``, or `CancellationError` if the task is cancelled.
{attribute}    public func {name}(
{parameters}
    ) async throws -> Generation {{
        try await {name}(
            GenerationRequest(
{passed}
            ),
            {after}
        )
    }}
"#,
            about = doc(1, &about),
            parameters =
                parameters(surface.create_arguments.iter().chain(own.iter().copied()), kind),
            passed = filled(passed.collect(), 16),
        ));
    }
    Ok(format!("\nextension {client} {{\n{}}}\n", functions.join("\n")))
}

/// A parameter list, one a line.
fn parameters<'a>(arguments: impl Iterator<Item = &'a Argument>, input: &str) -> String {
    let parameters = arguments.map(|argument| {
        let kind = type_of(argument);
        let kind = if kind == "Input" { input } else { kind };
        let parameter = format!("        {}: {kind}", swift(&argument.name));
        match argument.kind {
            // The function is called on the actor of the caller.
            Type::OnUpdate => {
                format!("        isolation: isolated (any Actor)? = #isolation,\n{parameter}")
            }
            _ => parameter,
        }
    });
    parameters.collect::<Vec<_>>().join(",\n")
}

/// The type of a parameter, with its default.
fn type_of(argument: &Argument) -> &'static str {
    match argument.kind {
        Type::Integer => "Int? = nil",
        Type::Money => "Decimal? = nil",
        Type::Boolean => "Bool? = nil",
        Type::Object => "[String: JSONValue] = [:]",
        Type::Input => "Input",
        Type::Provider => "ProviderPreference? = nil",
        Type::Duration => "Duration? = nil",
        Type::CallOptions => "CallOptions = CallOptions()",
        Type::OnUpdate => "((GenerationUpdate) -> Void)? = nil",
        _ if argument.required => "String",
        _ => "String? = nil",
    }
}

/// Items with commas between them, as many on a line as there is room for.
fn filled(items: Vec<String>, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            // Room for the comma after it as well.
            Some(line) if line.len() + 2 + item.len() < WIDTH => *line += &format!(", {item}"),
            Some(line) => {
                line.push(',');
                lines.push(format!("{:indent$}{item}", ""));
            }
            None => lines.push(format!("{:indent$}{item}", "")),
        }
    }
    lines.join("\n")
}

fn doc(level: usize, text: &str) -> String {
    comment(&format!("{:1$}///", "", 4 * level), &swift_doc(text), WIDTH)
}
