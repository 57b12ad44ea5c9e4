//! Documents: the links, code blocks and commands of every Markdown file that git tracks.

mod commands;
mod markdown;
mod repository;
pub(crate) mod site;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use markdown::{Block, Document, Link};
use repository::Repository;

use crate::steps::{Steps, target};

/// Documents that are shown on a package's page, where no other file of the repository is.
const STAND_ALONE: [&str; 5] = [
    "cli/README.md",
    "core/README.md",
    "emulator/README.md",
    "bindings-python/README.md",
    "bindings-node/README.md",
];

/// The document in which each name of a test is checked.
const GUARANTEES: &str = "docs/guarantees.md";

/// Sources that may include documents as doctests.
const DOCTESTS: [&str; 2] = ["core/src/lib.rs", "emulator/src/lib.rs"];

/// A language with a program that parses its blocks: its name in a fence, the program if this machine
/// has it, and how to call it.
struct Parser {
    language: &'static str,
    program: Option<String>,
    parse: fn(&str, &str) -> Option<String>,
}

/// Runs all steps of the documents.
pub(crate) fn test(steps: &mut Steps) {
    let installed = target().join("swift-toolchain/bin/swiftc").display().to_string();
    let parsers = [
        Parser { language: "python", program: find(steps, &["python3"]), parse: parse_python },
        Parser { language: "js", program: find(steps, &["node"]), parse: parse_js },
        // The tests of Swift install it on a machine that has none.
        Parser {
            language: "swift",
            program: find(steps, &["swiftc", &installed]),
            parse: parse_swift,
        },
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // A link to a file that git does not track is broken in a clone.
    steps.check("links, blocks and commands", "git ls-files", |files| {
        let repository = match Repository::read(&root, files) {
            Ok(repository) => repository,
            Err(problem) => return Some(problem),
        };
        let documents = repository.documents();
        let problems = documents.iter().flat_map(|document| problems(document, &repository));
        let parsed = documents.iter().flat_map(|document| parse(document, &parsers));
        let all: Vec<_> = problems.chain(parsed).collect();
        (!all.is_empty()).then(|| format!("{} problems\n{}", all.len(), all.join("\n")))
    });
    for parser in parsers.iter().filter(|parser| parser.program.is_none()) {
        let step = format!("{} blocks", parser.language);
        steps.skip(&step, "the program that parses them is missing");
    }
}

/// The first of these programs that this machine has.
fn find(steps: &Steps, programs: &[&str]) -> Option<String> {
    let found = programs.iter().find(|program| steps.has(&format!("{program} --version")));
    found.map(|program| (*program).to_owned())
}

/// The blocks of a document that their language's program cannot parse.
fn parse(document: &Document, parsers: &[Parser]) -> Vec<String> {
    let problem = |block: &Block| {
        let parser = parsers.iter().find(|parser| block.is(parser.language))?;
        let problem = (parser.parse)(parser.program.as_ref()?, &block.text)?;
        Some(at(document, block.line, &problem))
    };
    document.blocks.iter().filter_map(problem).collect()
}

fn at(document: &Document, line: usize, problem: &str) -> String {
    format!("{}:{line}: {problem}", document.path)
}

/// What is wrong in a document, as far as no other program is needed but a shell.
fn problems(document: &Document, repository: &Repository) -> Vec<String> {
    let links = document
        .links
        .iter()
        .filter_map(|link| Some(at(document, link.line, &broken(link, document, repository)?)));
    let blocks = document.blocks.iter().flat_map(|block| {
        let problems = block_problems(block, document, repository);
        problems.into_iter().map(|problem| at(document, block.line, &problem))
    });
    let spans = document.spans.iter().flat_map(|span| {
        let missing = missing_path(&span.text, repository)
            .or_else(|| missing_test(&span.text, document, repository));
        let problems = match missing {
            Some(problem) => vec![problem],
            None => commands::problems(&span.text, &document.path, repository),
        };
        problems.into_iter().map(|problem| at(document, span.line, &problem))
    });
    let unclosed = document.unclosed.map(|line| at(document, line, "the code block has no end"));
    links.chain(blocks).chain(spans).chain(unclosed).collect()
}

/// Why a link leads nowhere. Links to other hosts are not followed.
fn broken(link: &Link, document: &Document, repository: &Repository) -> Option<String> {
    let target = link.target.as_str();
    if ["https://", "http://", "mailto:"].iter().any(|scheme| target.starts_with(scheme)) {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    if !path.is_empty() && STAND_ALONE.contains(&document.path.as_str()) {
        return Some(format!("{target} is relative; a package's page has no such file"));
    }
    let leads_to = |anchors: &BTreeSet<String>| anchor.is_empty() || anchors.contains(anchor);
    if path.is_empty() {
        return (!leads_to(&document.anchors)).then(|| format!("there is no heading #{anchor}"));
    }
    let Some(path) = repository.resolve(&document.path, path) else {
        return Some(format!("{target} is not a file that git tracks"));
    };
    let found = anchor.is_empty() || repository.anchors(&path).is_some_and(|it| leads_to(&it));
    (!found).then(|| format!("{path} has no heading #{anchor}"))
}

/// Why code within a line that is a path from the root leads nowhere.
fn missing_path(text: &str, repository: &Repository) -> Option<String> {
    let is_pattern = text.contains(|it: char| it.is_whitespace() || "*…<>{}".contains(it));
    let is_missing = !is_pattern && repository.is_path(text) && !repository.has(text);
    is_missing.then(|| format!("{text} is not a file that git tracks"))
}

/// Why code within a line of the guarantees names no test. A name with two underscores is one of a
/// test or a scenario.
fn missing_test(text: &str, document: &Document, repository: &Repository) -> Option<String> {
    let is_name =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || b"0123456789_".contains(&byte))
            && text.matches('_').count() >= 2;
    let is_missing = document.path == GUARANTEES && is_name && !repository.has_test(text);
    is_missing.then(|| format!("{text} is neither a test nor a scenario"))
}

fn block_problems(block: &Block, document: &Document, repository: &Repository) -> Vec<String> {
    let parsed = match block.language() {
        "json" => serde_json::from_str::<serde_json::Value>(&block.text)
            .err()
            .map(|error| format!("the JSON does not parse: {error}")),
        "toml" => toml::from_str::<toml::Table>(&block.text)
            .err()
            .map(|error| format!("the TOML does not parse: {error}")),
        "rust" => (!repository.doctests.contains(&document.path)).then(|| {
            format!("Rust blocks here are not compiled: {} do not include it", DOCTESTS.join(", "))
        }),
        "sh" => run("bash", &["-n"], &block.text),
        "mermaid" => mermaid(&block.text),
        // Parsed where their program is installed.
        "python" | "js" | "swift" => None,
        "" | "text" => None,
        language => Some(format!("nothing checks blocks in {language:?}")),
    };
    let mut problems: Vec<_> = parsed.into_iter().collect();
    if block.is("sh") {
        problems.extend(commands::problems(&block.text, &document.path, repository));
    }
    problems
}

/// A diagram is drawn by the page that shows it; here only its type is checked.
fn mermaid(text: &str) -> Option<String> {
    let kind = text.split_whitespace().next().unwrap_or_default();
    let known = ["flowchart", "sequenceDiagram", "stateDiagram-v2"].contains(&kind);
    (!known).then(|| format!("{kind:?} is not a type of diagram that the documents use"))
}

fn parse_python(program: &str, text: &str) -> Option<String> {
    // Blocks may await, as a notebook does.
    let parse = "import ast, sys; compile(sys.stdin.read(), 'block', 'exec', \
                 ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)";
    run(program, &["-c", parse], text)
}

fn parse_js(program: &str, text: &str) -> Option<String> {
    run_on_file(program, &["--check"], "mjs", text)
}

fn parse_swift(program: &str, text: &str) -> Option<String> {
    // A part of a manifest is a list of arguments.
    let first = text.split(|it: char| !it.is_alphanumeric()).next().unwrap_or_default();
    let is_arguments = text[first.len()..].starts_with(':');
    let text = if is_arguments { format!("Package(\n{text})\n") } else { text.to_owned() };
    run_on_file(program, &["-frontend", "-parse"], "swift", &text)
}

/// Runs a program that takes no text from its input on a file with the text.
fn run_on_file(program: &str, arguments: &[&str], ending: &str, text: &str) -> Option<String> {
    let file =
        std::env::temp_dir().join(format!("pipevideo-block-{}.{ending}", std::process::id()));
    if let Err(error) = fs::write(&file, text) {
        return Some(format!("{} cannot be written: {error}", file.display()));
    }
    let path = file.display().to_string();
    let problem = run(program, &[arguments, &[&path]].concat(), "");
    // If it stays, the next block overwrites it.
    let _ = fs::remove_file(&file);
    problem
}

/// Runs a program on a text, and returns what it prints if it fails.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait_with_output()
    });
    match output {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let printed = String::from_utf8_lossy(&output.stderr);
            Some(format!("{program} cannot parse the block: {}", printed.trim()))
        }
        Err(error) => Some(format!("{program} cannot be run: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
# Title

[here](#two-words), [there](docs/other.md#title), [a file](src/main.rs), [a folder](docs),
[elsewhere](https://example.com/x#y). Run `cargo run --example hello`.

## Two *words*

```json
{\"a\": [1, 2]}
```

```sh
cargo run --example hello -- \"a | b\" # a comment
```
";

    fn repository() -> Repository {
        Repository::for_tests(
            &["README.md", "docs/other.md", "src/main.rs", "examples/rust/hello.rs"],
            &[("docs/other.md", "# Title\n")],
        )
    }

    fn found(text: &str) -> Vec<String> {
        problems(&Document::parse("README.md", text), &repository())
    }

    #[test]
    fn a_correct_document_has_no_problems() {
        assert_eq!(found(GOOD), Vec::<String>::new());
    }

    #[test]
    fn each_mistake_in_a_document_is_reported_with_its_line() {
        for (wrong, problem) in [
            ("[x](docs/missing.md)", "README.md:1: docs/missing.md is not a file"),
            ("[x](../outside.md)", "README.md:1: ../outside.md is not a file"),
            ("[x](/docs/other.md)", "README.md:1: /docs/other.md is not a file"),
            ("[`x`](docs/other.md#titel)", "README.md:1: docs/other.md has no heading #titel"),
            ("text\n[x](#missing)", "README.md:2: there is no heading #missing"),
            ("[x]: docs/missing.md", "README.md:1: docs/missing.md is not a file"),
            ("```json\n{a: 1}\n```", "README.md:1: the JSON does not parse"),
            ("```toml\na = \n```", "README.md:1: the TOML does not parse"),
            ("```sh\nif true\n```", "README.md:1: bash cannot parse the block"),
            ("```rust\nfn f() {}\n```", "README.md:1: Rust blocks here are not compiled"),
            ("```cobol\nx\n```", "README.md:1: nothing checks blocks in \"cobol\""),
            ("```mermaid\npie\n```", "README.md:1: \"pie\" is not a type of diagram"),
            ("```json\n{}\n", "README.md:1: the code block has no end"),
            ("```sh\ncargo run --example bye\n```", "README.md:1: there is no example bye"),
            ("See `docs/missing.md`.", "README.md:1: docs/missing.md is not a file"),
            ("Run `cargo run --example bye`.", "README.md:1: there is no example bye"),
        ] {
            let found = found(wrong);
            assert!(found.len() == 1 && found[0].contains(problem), "{wrong}: {found:?}");
        }
    }

    #[test]
    fn the_guarantees_name_tests_that_exist() {
        let files = ["conformance/scenarios/poll_after_503.json"];
        let repository = Repository::for_tests(&files, &[]);
        let found = |text| problems(&Document::parse(GUARANTEES, text), &repository);
        assert_eq!(found("`poll_after_503` and `rate_limit`"), Vec::<String>::new());
        assert!(found("`a_test_that_is_gone`")[0].contains("neither a test nor a scenario"));
    }

    #[test]
    fn a_package_page_has_no_relative_links() {
        let page = |text| problems(&Document::parse("core/README.md", text), &repository());
        assert!(page("[x](../README.md)")[0].contains("is relative"));
        assert_eq!(page("# X\n[x](#x) and [y](https://example.com)"), Vec::<String>::new());
    }

    #[test]
    fn blocks_that_do_not_parse_are_reported() {
        assert_eq!(parse_python("python3", "async with x as y:\n    await y\n"), None);
        assert!(parse_python("python3", "def f(:\n").is_some());
        if run("node", &["--version"], "").is_none() {
            assert_eq!(parse_js("node", "import x from 'y';\nawait x();\n"), None);
            assert!(parse_js("node", "const = 1;\n").is_some());
        }
        assert!(run("no-such-program", &[], "").is_some_and(|it| it.contains("cannot be run")));
    }
}
