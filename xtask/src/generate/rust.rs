//! Rust: the kinds of errors, and the request.

use super::names::{comment, pascal};
use super::surface::{Argument, Surface, Type};
use super::{HEADER, Tree};

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    tree.write("core/src/error/kind.rs", kinds(surface));
    let request = "core/src/model/request.rs";
    let arguments = &surface.create_arguments;
    tree.fill(request, "create arguments", &arguments.iter().map(field).collect::<String>())?;
    tree.fill(request, "create debug", &debug(arguments))?;
    let optional = || arguments.iter().filter(|argument| !argument.required);
    let defaults = optional().map(|argument| match argument.kind {
        Type::Object => format!("            {}: Map::new(),\n", argument.name),
        _ => format!("            {}: None,\n", argument.name),
    });
    tree.fill(request, "create defaults", &defaults.collect::<String>())?;
    let plain = optional().filter(|argument| argument.kind != Type::Object);
    let setters: Vec<_> = plain.map(setter).collect();
    let typed = arguments.iter().filter(|argument| argument.kind != Type::Object);
    let names: String = typed.map(|argument| format!("    \"{}\",\n", argument.wire())).collect();
    let names = format!("const TYPED_FIELDS: &[&str] = &[\n{names}];\n");
    tree.fill(request, "create names", &names)?;
    tree.fill(request, "create setters", &setters.join("\n"))
}

/// What `Debug` shows of a request.
fn debug(arguments: &[Argument]) -> String {
    let names = |hidden: bool| {
        // An input and a provider have a `Debug` of their own, which hides what they hold.
        let is_hidden =
            |a: &&Argument| a.kind == Type::Object || a.hidden && type_of(a) == "String";
        let names = arguments.iter().filter(|a| is_hidden(a) == hidden).map(|a| a.name.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    format!(
        "shown::debug!(GenerationRequest {{\n    {}\n}} hidden {{ {} }} urls {{}});\n",
        names(false),
        names(true),
    )
}

/// A field of the request, with its form on the wire.
fn field(argument: &Argument) -> String {
    let (name, kind) = (&argument.name, type_of(argument));
    let doc = comment("    ///", &argument.doc, 100);
    if argument.required {
        return format!("{doc}    pub {name}: {kind},\n");
    }
    if argument.kind == Type::Object {
        return format!("{doc}    #[serde(flatten)]\n    pub {name}: {kind},\n");
    }
    if argument.local {
        let read = if argument.kind == Type::Money {
            ", deserialize_with = \"fields::amount\""
        } else {
            ""
        };
        let attribute = format!("    #[serde(default, skip_serializing{read})]\n");
        return format!("{doc}{attribute}    pub {name}: Option<{kind}>,\n");
    }
    let mut parts = vec!["default".to_owned()];
    if let Some(wire) = &argument.wire {
        parts.push(format!("rename = \"{wire}\""));
        parts.push(format!("alias = \"{name}\""));
    }
    parts.push("skip_serializing_if = \"Option::is_none\"".to_owned());
    // One line if there is room, as rustfmt has it.
    let line = format!("    #[serde({})]\n", parts.join(", "));
    let attribute = if line.len() <= 100 {
        line
    } else {
        format!("    #[serde(\n        {}\n    )]\n", parts.join(",\n        "))
    };
    format!("{doc}{attribute}    pub {name}: Option<{kind}>,\n")
}

fn setter(argument: &Argument) -> String {
    let (name, kind) = (&argument.name, type_of(argument));
    let doc = format!("Sets {}{}", argument.doc[..1].to_lowercase(), &argument.doc[1..]);
    let (taken, value) = if kind == "bool" {
        (kind.to_owned(), name.clone())
    } else {
        (format!("impl Into<{kind}>"), format!("{name}.into()"))
    };
    format!(
        "{}    pub fn {name}(mut self, {name}: {taken}) -> Self {{
        self.{name} = Some({value});
        self
    }}\n",
        comment("    ///", &doc, 100)
    )
}

fn type_of(argument: &Argument) -> &'static str {
    match argument.kind {
        Type::Integer => "i64",
        Type::Money => "Decimal",
        Type::Boolean => "bool",
        Type::Object => "Map<String, Value>",
        Type::Input => "Input",
        Type::Provider => "ProviderPreference",
        _ => "String",
    }
}

fn kinds(surface: &Surface) -> String {
    let mut variants = String::new();
    let mut all = String::new();
    let mut names = String::new();
    for kind in &surface.error_kinds {
        let variant = pascal(&kind.name);
        variants += &comment("    ///", &kind.doc, 100);
        variants += &format!("    {variant},\n");
        all += &format!("        Self::{variant},\n");
        names += &format!("            Self::{variant} => \"{}\",\n", kind.name);
    }
    format!(
        r#"// {HEADER}

//! The kinds of errors.

use std::fmt;

/// The kind of an error: the same list, with the same names, in every language.
///
/// ```
/// use pipevideo::ErrorKind;
///
/// assert_eq!(ErrorKind::SubmissionUncertain.as_str(), "submission_uncertain");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {{
{variants}}}

impl ErrorKind {{
    /// Every kind, in the order of the documentation.
    pub const ALL: &'static [Self] = &[
{all}    ];

    /// The name that every language uses, such as `rate_limited`.
    pub fn as_str(self) -> &'static str {{
        match self {{
{names}        }}
    }}
}}

impl fmt::Display for ErrorKind {{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {{
        f.write_str(self.as_str())
    }}
}}
"#
    )
}
