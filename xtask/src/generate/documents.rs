//! Documents: the tables of errors, options, operations and create's arguments, in each Markdown file
//! that has their comments. In a package's README they are in its language's spelling.

use std::fs;

use super::names;
use super::surface::{Argument, ClientOption, Operation, Surface, Type};
use super::{Tree, has_part};

/// The package READMEs, with their language.
const READMES: [(&str, Language); 4] = [
    ("bindings-python/README.md", Language::Python),
    ("bindings-node/README.md", Language::Node),
    ("bindings-swift/README.md", Language::Swift),
    ("core/README.md", Language::Rust),
];

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Python,
    Node,
    Swift,
    Rust,
}

impl Language {
    /// Its name in the declaration.
    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Node => "node",
            Self::Swift => "swift",
            Self::Rust => "rust",
        }
    }
}

const ALL: [Language; 4] = [Language::Python, Language::Node, Language::Swift, Language::Rust];

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    let mut documents = vec![("README.md".to_owned(), None)];
    for entry in fs::read_dir(tree.root.join("docs")).into_iter().flatten().flatten() {
        documents.push((format!("docs/{}", entry.file_name().display()), None));
    }
    documents.extend(READMES.map(|(path, language)| (path.to_owned(), Some(language))));
    for (path, language) in documents {
        if !path.ends_with(".md") {
            continue;
        }
        let Ok(text) = tree.read(&path) else { continue };
        for (part, table) in [
            ("errors", errors as fn(&Surface, Option<Language>) -> String),
            ("error fields", error_fields),
            ("options", options),
            ("call options", call_options),
            ("batch options", batch_options),
            ("operations", operations),
            ("create arguments", create_arguments),
            ("log events", log_events),
            ("log fields", log_fields),
        ] {
            if has_part(&text, part) {
                tree.fill(&path, part, &table(surface, language))?;
            }
        }
    }
    Ok(())
}

fn errors(surface: &Surface, language: Option<Language>) -> String {
    let class = match language {
        None => Some("class in Python and Node"),
        Some(Language::Python | Language::Node) => Some("class"),
        Some(Language::Swift | Language::Rust) => None,
    };
    let there = surface.error_kinds.iter().filter(|kind| surface.exists(&kind.name));
    let rows = there.map(|kind| {
        let name = match language {
            Some(Language::Swift) => format!("`.{}`", names::swift(&kind.name)),
            Some(Language::Rust) => format!("`{}`", names::pascal(&kind.name)),
            _ => format!("`{}`", kind.name),
        };
        let base = match &kind.base {
            Some(_) => format!(", a subclass of `{}`", surface.base_class(kind)),
            None => String::new(),
        };
        let class = class.map(|_| format!("`{}`{base}", kind.class));
        let doc = if language == Some(Language::Swift) {
            names::swift_doc(&kind.doc)
        } else {
            kind.doc.clone()
        };
        [Some(name), class, Some(doc)].into_iter().flatten().collect()
    });
    let heads: Vec<_> = [Some("kind"), class, Some("when")].into_iter().flatten().collect();
    table(&heads, rows)
}

fn error_fields(surface: &Surface, language: Option<Language>) -> String {
    let rows = surface.error_fields.iter().map(|field| {
        let kinds: Vec<_> = field.kinds.iter().map(|kind| format!("`{kind}`")).collect();
        let kinds = if kinds.is_empty() { "all".to_owned() } else { kinds.join(", ") };
        let name = spelled(&field.name, field.kind, language.unwrap_or(Language::Python));
        vec![format!("`{name}`"), kinds, field.doc.clone()]
    });
    table(&["field", "kinds", "meaning"], rows)
}

fn options(surface: &Surface, language: Option<Language>) -> String {
    match language {
        Some(language) => options_table(surface.options_of(language.name()), language),
        None => options_table(&surface.options, Language::Python),
    }
}

fn call_options(surface: &Surface, language: Option<Language>) -> String {
    options_table(&surface.call_options, language.unwrap_or(Language::Python))
}

fn batch_options(surface: &Surface, language: Option<Language>) -> String {
    let options = &surface.batch_options;
    let table = options_table(options, language.unwrap_or(Language::Python));
    if language == Some(Language::Node) { names::node_doc(&table, options) } else { table }
}

fn options_table<'a>(
    options: impl IntoIterator<Item = &'a ClientOption>,
    language: Language,
) -> String {
    let row = |outer: Option<&ClientOption>, option: &ClientOption| {
        let prefix = outer.map(|outer| spelled(&outer.name, outer.kind, language) + ".");
        let name = spelled(&option.name, option.kind, language);
        let default = match (&option.env, &option.default) {
            (Some(env), Some(default)) => format!("`{env}`, else {default}"),
            (Some(env), None) => format!("`{env}`"),
            (None, Some(default)) => in_milliseconds(option, language).unwrap_or(default.clone()),
            (None, None) if option.members.is_empty() => "none".to_owned(),
            (None, None) => String::new(),
        };
        vec![format!("`{}{name}`", prefix.unwrap_or_default()), default, option.doc.clone()]
    };
    let rows = options.into_iter().flat_map(|option| {
        let members = option.members.iter().map(move |member| row(Some(option), member));
        [row(None, option)].into_iter().chain(members)
    });
    table(&["option", "default", "meaning"], rows)
}

/// The default of a duration in Node, where it is a number of milliseconds.
fn in_milliseconds(option: &ClientOption, language: Language) -> Option<String> {
    let seconds = option.default.as_ref()?.strip_suffix(" s")?;
    let is_number = language == Language::Node && option.kind == Type::Duration;
    is_number.then(|| format!("`{seconds}_000` ({seconds} s)"))
}

fn operations(surface: &Surface, language: Option<Language>) -> String {
    let call = |operation: &Operation, language| {
        let spelling = match language {
            Language::Python => &operation.spelling.python,
            Language::Node => &operation.spelling.node,
            Language::Swift => &operation.spelling.swift,
            Language::Rust => &operation.spelling.rust,
        };
        if spelling.is_empty() { "–".to_owned() } else { format!("`{spelling}`") }
    };
    let there = surface.operations.iter().filter(|(name, _)| surface.exists(name));
    let Some(language) = language else {
        let rows = there.map(|(_, operation)| {
            let calls = ALL.map(|language| call(operation, language));
            [operation.doc.clone()].into_iter().chain(calls).collect()
        });
        return table(&["operation", "Python", "Node", "Swift", "Rust"], rows);
    };
    let rows = there.map(|(_, operation)| vec![call(operation, language), operation.doc.clone()]);
    table(&["call", "what it does"], rows.filter(|row| row[0] != "–"))
}

fn create_arguments(surface: &Surface, language: Option<Language>) -> String {
    let language = language.unwrap_or(Language::Python);
    let row = |argument: &Argument| {
        let name = spelled(&argument.name, argument.kind, language);
        let required = if argument.required { "yes" } else { "no" };
        vec![format!("`{name}`"), required.to_owned(), argument.doc.clone()]
    };
    table(&["argument", "required", "meaning"], surface.create_arguments.iter().map(row))
}

fn log_events(surface: &Surface, language: Option<Language>) -> String {
    let language = language.unwrap_or(Language::Python);
    let spelled = |name: &String| {
        let field = surface.log_fields.iter().find(|field| field.name == *name);
        field.map(|field| format!("`{}`", spelled(name, field.kind, language)))
    };
    let rows = surface.log_events.iter().map(|event| {
        let fields: Vec<_> = event.fields.iter().filter_map(spelled).collect();
        let name = format!("`{}`", event.name);
        vec![name, event.level.clone(), event.doc.clone(), fields.join(", ")]
    });
    table(&["event", "level", "when", "fields"], rows)
}

fn log_fields(surface: &Surface, language: Option<Language>) -> String {
    let language = language.unwrap_or(Language::Python);
    let rows = surface.log_fields.iter().map(|field| {
        let name = spelled(&field.name, field.kind, language);
        let kind = match field.kind {
            Type::Duration => "seconds",
            Type::Integer => "integer",
            Type::Money => "US dollars, exact, as a text",
            _ => "text",
        };
        vec![format!("`{name}`"), kind.to_owned(), field.doc.clone()]
    });
    table(&["field", "type", "meaning"], rows)
}

/// A name in a language's spelling.
fn spelled(name: &str, kind: Type, language: Language) -> String {
    match language {
        Language::Python | Language::Rust => name.to_owned(),
        Language::Node => names::node(name, kind),
        Language::Swift => names::swift(name),
    }
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        out += &format!("| {} |\n", row.join(" | "));
    }
    out
}
