//! Node: the classes of errors, their types and re-exports, the arguments of `create`, and the options
//! of a batch.

use super::Tree;
use super::names::{camel, node, node_doc, wrap};
use super::surface::{Argument, ClientOption, ErrorField, ErrorKind, Surface, Type};

const WIDTH: usize = 116;

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    let kinds = surface.error_kinds_bases_first();
    let listed = |indent: &str, separator: &str| -> String {
        kinds.iter().map(|kind| format!("{indent}{}{separator}\n", kind.class)).collect()
    };
    tree.fill("bindings-node/index.mjs", "error classes", &listed("  ", ","))?;
    tree.fill("bindings-node/lib/errors.js", "error classes", &classes(surface, &kinds))?;
    tree.fill("bindings-node/lib/errors.js", "error names", &listed("  ", ","))?;
    let types = "bindings-node/lib/errors.d.ts";
    let literals = union(surface.error_kinds.iter().map(|kind| &*kind.name), "");
    let doc = comment("", "The kind of an error. The list is the same in every language.");
    tree.fill(types, "error kinds", &format!("{doc}export type ErrorKind ={literals};\n"))?;
    tree.fill(types, "error classes", &class_types(surface, &kinds))?;

    let arguments = &surface.create_arguments;
    let types: String = arguments.iter().map(argument_type).collect();
    tree.fill("bindings-node/index.d.ts", "create arguments", &types)?;
    let checks: String = arguments.iter().map(check).collect();
    tree.fill("bindings-node/lib/input.js", "create arguments", &checks)?;
    // Those of the wire's own name and form.
    let plain = arguments.iter().filter(|a| !a.required && !a.local && a.kind != Type::Object);
    let members: String =
        plain.map(|a| format!("      {}: known.{},\n", a.wire(), a.camel())).collect();
    tree.fill("bindings-node/lib/input.js", "create request", &members)?;

    let options = &surface.call_options;
    let types: String = options.iter().map(|option| option_type(option, options)).collect();
    tree.fill("bindings-node/index.d.ts", "call options", &types)?;

    let options = &surface.batch_options;
    let types: String = options.iter().map(|option| option_type(option, options)).collect();
    tree.fill("bindings-node/index.d.ts", "batch options", &types)?;
    let checks: String = options.iter().map(option_check).collect();
    tree.fill("bindings-node/lib/batch.js", "batch options", &checks)
}

fn classes(surface: &Surface, kinds: &[&ErrorKind]) -> String {
    let class = |kind: &&ErrorKind| {
        let (class, base, name) = (&kind.class, surface.base_class(kind), &kind.name);
        format!("class {class} extends {base} {{\n  static kind = '{name}';\n}}\n")
    };
    kinds.iter().map(class).collect()
}

fn class_types(surface: &Surface, kinds: &[&ErrorKind]) -> String {
    let class = |kind: &&ErrorKind| {
        let mut out = comment("", &surface.class_doc(kind));
        out += &format!("export class {} extends {} {{\n", kind.class, surface.base_class(kind));
        let literals = [kind.name.as_str()].into_iter().chain(surface.kinds_below(kind));
        out += &format!("  readonly kind:{};\n", union(literals, "  "));
        for field in surface.error_fields_of(kind) {
            out += &comment("  ", &field.doc);
            out += &format!("  readonly {}: {};\n", node(&field.name, field.kind), type_of(field));
        }
        out + "}\n"
    };
    let classes: Vec<_> = kinds.iter().map(class).collect();
    classes.join("\n")
}

/// Literals as a type, on one line if there is room.
fn union<'a>(literals: impl Iterator<Item = &'a str>, indent: &str) -> String {
    let literals: Vec<_> = literals.map(|literal| format!("'{literal}'")).collect();
    let line = literals.join(" | ");
    if line.len() < 80 {
        format!(" {line}")
    } else {
        literals.iter().map(|literal| format!("\n{indent}  | {literal}")).collect()
    }
}

fn type_of(field: &ErrorField) -> String {
    let kind = match field.kind {
        Type::Integer => "number",
        Type::Boolean => "boolean",
        Type::Duration => "Milliseconds",
        Type::Instant => "Date",
        Type::Generation => "Generation",
        Type::FailedGeneration => "FailedGeneration",
        Type::FailureCategory => "FailureCategory",
        Type::WebhookReason => "WebhookReason",
        _ => "string",
    };
    if field.nullable { format!("{kind} | null") } else { kind.to_owned() }
}

fn argument_type(argument: &Argument) -> String {
    let kind = match argument.kind {
        Type::Integer => "number",
        Type::Money => "string | number",
        Type::Boolean => "boolean",
        Type::Object => "Readonly<Record<string, unknown>>",
        Type::Input => "Input",
        Type::Provider => "readonly string[] | Readonly<Record<string, unknown>>",
        Type::Engine => "'hyperframes' | 'lottie' | 'auto' | (string & {})",
        _ => "string",
    };
    let name = camel(&argument.name);
    let declared = if argument.required {
        format!("  {name}: {kind};\n")
    } else {
        format!("  {name}?: {kind} | undefined;\n")
    };
    comment("  ", &argument.doc) + &declared
}

/// The check of an argument, a function in `lib/input.js`.
fn check(argument: &Argument) -> String {
    let name = argument.camel();
    match argument.kind {
        Type::Integer => format!("  {name}: integer,\n"),
        Type::Money => format!("  {name}: amount,\n"),
        Type::Boolean => format!("  {name}: flag,\n"),
        Type::Object => format!("  {name}: object,\n"),
        Type::Input => format!("  {name}: (_, value) => value,\n"),
        Type::Provider => "  provider,\n".to_owned(),
        _ => format!("  {name}: string,\n"),
    }
}

/// The type of a batch's option, with its documentation.
fn option_type(option: &ClientOption, all: &[ClientOption]) -> String {
    let kind = match option.kind {
        Type::Path => "string | URL",
        Type::Integer => "number",
        Type::Money => "string | number",
        Type::Boolean => "boolean",
        Type::Duration => "Milliseconds",
        Type::FailureCategories => "readonly FailureCategory[]",
        Type::OnEvent => "((event: BatchEvent) => unknown)",
        Type::Headers => "HeadersLike",
        _ => "string",
    };
    let mut doc = node_doc(&option.doc, all);
    if let Some(default) = &option.default {
        doc += &format!(" By default {default}.");
    }
    let name = node(&option.name, option.kind);
    comment("  ", &doc) + &format!("  {name}?: {kind} | null | undefined;\n")
}

/// The check of a batch's option, a function in `lib/batch.js` or `lib/check.js`.
fn option_check(option: &ClientOption) -> String {
    let name = node(&option.name, option.kind);
    let check = match option.kind {
        Type::Path => "check.path",
        Type::Integer => "count",
        Type::Money => "check.amount",
        Type::Boolean => "check.flag",
        Type::Duration => "milliseconds",
        Type::FailureCategories => "categories",
        Type::OnEvent => "check.callable",
        _ => "check.text",
    };
    format!("  {name}: {check},\n")
}

/// A documentation comment, on one line if there is room.
fn comment(indent: &str, text: &str) -> String {
    let line = format!("{indent}/** {text} */\n");
    if line.chars().count() <= WIDTH {
        return line;
    }
    let lines = wrap(text, WIDTH - indent.len() - 3);
    let lines: String = lines.iter().map(|line| format!("{indent} * {line}\n")).collect();
    format!("{indent}/**\n{lines}{indent} */\n")
}
