//! Python: the classes of errors, `create` and `generate`, and the blocking client, which is the async
//! one without `await`.

use super::Tree;
use super::names::wrap;
use super::surface::{Argument, ClientOption, ErrorField, Surface, Type};

const PACKAGE: &str = "bindings-python/python/pipevideo";
const WIDTH: usize = 100;

pub(super) fn write(surface: &Surface, tree: &mut Tree) -> Result<(), String> {
    let errors = format!("{PACKAGE}/errors.py");
    tree.fill(&errors, "error fields", &error_fields(surface))?;
    tree.fill(&errors, "error kinds", &error_classes(surface))?;
    let init = format!("{PACKAGE}/__init__.py");
    let mut classes: Vec<&str> = surface.error_kinds.iter().map(|kind| &*kind.class).collect();
    classes.push("PipevideoError");
    classes.sort_unstable();
    let imported: String = classes.iter().map(|class| format!("    {class},\n")).collect();
    tree.fill(&init, "error imports", &format!("from .errors import (\n{imported})\n"))?;
    let exported: String = classes.iter().map(|class| format!("    \"{class}\",\n")).collect();
    tree.fill(&init, "error names", &format!("__all__ += [\n{exported}]\n"))?;

    let client = format!("{PACKAGE}/_async_client.py");
    tree.fill(&client, "generate", &method(surface, "generate")?)?;
    tree.fill(&client, "batch", &batch(surface)?)?;
    let responses = format!("{PACKAGE}/_async_responses.py");
    tree.fill(&responses, "responses.create", &method(surface, "responses.create")?)?;
    let sources = [tree.read(&client)?, tree.read(&responses)?];
    let [client, responses] = blocking([&sources[0], &sources[1]])?;
    tree.write(&format!("{PACKAGE}/_client.py"), client);
    tree.write(&format!("{PACKAGE}/_responses.py"), responses);
    Ok(())
}

fn error_fields(surface: &Surface) -> String {
    // `kind` differs from class to class, and `message` is set by the constructor.
    let declared = surface.common_error_fields().map(|field| match field.name.as_str() {
        "kind" => format!("    kind: types.ClassVar[str] = \"\"\n{}", docstring(1, &field.doc)),
        "message" => format!("    message: str\n{}", docstring(1, &field.doc)),
        _ => error_field(field),
    });
    declared.collect()
}

fn error_field(field: &ErrorField) -> String {
    let (kind, default) = match field.kind {
        Type::Integer => ("int", "0"),
        Type::Boolean => ("bool", "False"),
        Type::Duration => ("float", "None"),
        Type::Instant => ("types.datetime", "None"),
        Type::Generation | Type::FailedGeneration => ("Generation", "None"),
        Type::FailureCategory => ("types.FailureCategory", "None"),
        Type::WebhookReason => ("types.WebhookReason", "None"),
        _ => ("str", "None"),
    };
    // What only some kinds have may be left out where a program makes an error for its own tests.
    let optional = field.nullable || default == "None" || !field.kinds.is_empty();
    let (kind, default) =
        if optional { (format!("{kind} | None"), "None") } else { (kind.to_owned(), default) };
    let unit = if field.kind == Type::Duration { " In seconds." } else { "" };
    let doc = docstring(1, &(field.doc.clone() + unit));
    format!("    {}: {kind} = {default}\n{doc}", field.name)
}

fn error_classes(surface: &Surface) -> String {
    let mut out = String::from("\n\n");
    for kind in surface.error_kinds_bases_first() {
        let (class, base) = (&kind.class, surface.base_class(kind));
        let doc = docstring(1, &surface.class_doc(kind));
        let fields: String = surface.error_fields_of(kind).into_iter().map(error_field).collect();
        let name = &kind.name;
        out += &format!("class {class}({base}):\n{doc}\n    kind = \"{name}\"\n{fields}\n\n");
    }
    out
}

/// What makes the async client's `generate` return a handle. The blocking client has none.
const HANDLE: &str = "    @returns_handle\n";

/// `create` or `generate` of the async client.
fn method(surface: &Surface, operation: &str) -> Result<String, String> {
    let declared = surface.operation(operation)?;
    let name = operation.rsplit('.').next().unwrap_or(operation);
    let own = if name == "generate" { &*surface.generate_arguments } else { &[] };
    let all = || surface.create_arguments.iter().chain(own);
    let options = &surface.call_options;
    let parameters: String =
        all().map(|argument| format!("        {}\n", parameter(argument))).collect();
    let parameters = parameters + &option_parameters(options);
    let documented: String = all().map(|a| documented(&a.name, &a.doc)).collect();
    let documented = documented + &documented_options(options);
    let passed: String = own.iter().map(|argument| format!(", {}", argument.name)).collect();
    Ok(format!(
        "{decorator}    async def {name}(
        self,
        *,
{parameters}    ) -> Generation:
        \"\"\"{doc}

{details}        Args:
{documented}        \"\"\"
        request = {{
{entries}        }}
        options = ({options})
        call = self._native.{name}(request{passed}, options)
        # This frame lives as long as the call, and the input may hold megabytes.
        del request, input
        return await call

",
        decorator = if name == "generate" { HANDLE } else { "" },
        doc = declared.doc,
        details = paragraphs(&declared.details),
        entries = entries(surface.create_arguments.iter().map(|argument| &*argument.name)),
        options = options.iter().map(|o| &*o.name).collect::<Vec<_>>().join(", "),
    ))
}

fn option_parameters(options: &[ClientOption]) -> String {
    let options = options.iter();
    options.map(|o| format!("        {}: {} | None = None,\n", o.name, option_type(o))).collect()
}

fn documented_options(options: &[ClientOption]) -> String {
    let options = options.iter();
    options
        .map(|option| match &option.default {
            Some(default) => {
                documented(&option.name, &format!("{} By default {default}.", option.doc))
            }
            None => documented(&option.name, &option.doc),
        })
        .collect()
}

/// `batch` of the async client.
fn batch(surface: &Surface) -> Result<String, String> {
    let declared = surface.operation("batch")?;
    let options = &surface.batch_options;
    let parameters = option_parameters(options);
    let documented = documented_options(options);
    Ok(format!(
        "    def batch(
        self,
        requests: types.AsyncBatchRequests,
        *,
{parameters}    ) -> AsyncBatchRun:
        \"\"\"{doc}

{details}        Args:
            requests: The requests. None, NaN and empty cells count as not given.
{documented}        \"\"\"
        options = {{
{entries}        }}
        return AsyncBatchRun(self._native, requests, options)

",
        doc = declared.doc,
        details = paragraphs(&declared.details),
        entries = entries(options.iter().map(|option| &*option.name)),
    ))
}

/// Further paragraphs of a method's docstring.
fn paragraphs(details: &[String]) -> String {
    let paragraph = |text: &String| {
        let lines = wrap(text, WIDTH - 8);
        lines.iter().map(|line| format!("        {line}\n")).collect::<String>() + "\n"
    };
    details.iter().map(paragraph).collect()
}

/// An argument's documentation in a method's docstring.
fn documented(name: &str, doc: &str) -> String {
    let lines = wrap(&format!("{name}: {doc}"), WIDTH - 16);
    let indents = std::iter::once(12).chain(std::iter::repeat(16));
    lines.iter().zip(indents).map(|(line, indent)| format!("{:indent$}{line}\n", "")).collect()
}

/// The entries of a dict of a method's arguments.
fn entries<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("            \"{name}\": {name},\n")).collect()
}

fn option_type(option: &ClientOption) -> &'static str {
    match option.kind {
        Type::Path => "types.Path",
        Type::Integer => "int",
        Type::Money => "types.Money",
        Type::Boolean => "bool",
        Type::Duration => "types.Seconds",
        Type::FailureCategories => "types.Iterable[types.FailureCategory]",
        Type::OnEvent => "types.Callable[[BatchEvent], object]",
        Type::Headers => "types.Mapping[str, str]",
        _ => "str",
    }
}

fn parameter(argument: &Argument) -> String {
    let kind = match argument.kind {
        Type::Integer => "int",
        Type::Money => "types.Money",
        Type::Boolean => "bool",
        Type::Object => "types.Mapping[str, types.Any]",
        Type::Input => "types.Input",
        Type::Provider => "types.Provider",
        Type::Engine => "types.EngineName",
        Type::Duration => "types.Seconds",
        Type::OnUpdate => "types.Callable[[Update], object]",
        _ => "str",
    };
    if argument.required {
        format!("{}: {kind},", argument.name)
    } else {
        format!("{}: {kind} | None = None,", argument.name)
    }
}

/// What the blocking client says in place of what the async client says: lines and parts of lines.
const BLOCKING: [(&str, &str); 11] = [
    (
        "\"\"\"The client for asyncio (and uvloop). Cancelling a task stops its call, never the generation.\"\"\"",
        "\"\"\"The blocking client. Its calls release the GIL, and see Ctrl-C within 0.2 seconds.\"\"\"",
    ),
    ("A client of Pipevideo's API for asyncio.", "A blocking client of Pipevideo's API."),
    (
        "A client works on any event loop, also on several one after another, and in a forked child.",
        "A client works in any thread, and in a forked child.",
    ),
    ("The generations of the client for asyncio.", "The generations of the blocking client."),
    ("_async_", "_"),
    ("an async iterator", "an iterator"),
    ("async def ", "def "),
    ("await ", ""),
    ("__aenter__", "__enter__"),
    ("__aexit__", "__exit__"),
    ("Async", ""),
];

/// The blocking client's files from the async client's.
fn blocking(sources: [&str; 2]) -> Result<[String; 2], String> {
    let is_unused = |text| sources.iter().all(|source| !source.contains(text));
    if let Some((missing, _)) = BLOCKING.iter().find(|(text, _)| is_unused(*text)) {
        return Err(format!("{PACKAGE}/_async_*.py do not have {missing:?} any more"));
    }
    Ok(sources.map(blocking_file))
}

fn blocking_file(source: &str) -> String {
    let mut out =
        "# Generated from the file with _async_ in its name by `cargo xtask generate`; do \
                   not edit.\n"
            .to_owned();
    for line in source.replace("    # end of generated\n\n", "").lines() {
        let left_out = ["# generated: ", "returns_handle"];
        if left_out.iter().any(|text| line.contains(text)) {
            continue;
        }
        let mut text = line.to_owned();
        for (from, to) in BLOCKING {
            text = text.replace(from, to);
        }
        if line.trim_start().starts_with("return await ") {
            text += ".run()";
        }
        out += &text;
        out += "\n";
    }
    out
}

/// A docstring, wrapped, with its indentation.
fn docstring(level: usize, text: &str) -> String {
    let indent = " ".repeat(4 * level);
    let lines = wrap(&format!("\"\"\"{text}\"\"\""), WIDTH - indent.len());
    lines.iter().map(|line| format!("{indent}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blocking_client_runs_what_the_async_one_awaits() {
        let texts: String = BLOCKING.iter().map(|(text, _)| format!("# {text}\n")).collect();
        let mut client = String::new();
        client += "    async def retrieve(self, id: str) -> list[Generation]:\n";
        client += "        return await self._native.retrieve(id)\n";
        let [_, blocking] = blocking([&texts, &client]).unwrap();
        assert!(blocking.ends_with(
            "    def retrieve(self, id: str) -> list[Generation]:\n        \
             return self._native.retrieve(id).run()\n"
        ));
    }

    #[test]
    fn a_replacement_that_matches_nothing_is_an_error() {
        assert!(blocking(["class AsyncPipevideo:\n", ""]).unwrap_err().contains("any more"));
    }
}
