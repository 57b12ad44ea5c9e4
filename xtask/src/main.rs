//! The repository's own commands.
//!
//! `cargo xtask test` runs all tests of all languages and installs the tools that they need;
//! `cargo xtask test rust` runs the tests of one language, `cargo xtask test rust --fast` the lints and the
//! unit tests of Rust, and `cargo xtask test newest-nodes` one of the [`PLATFORMS`]. To add a language, add a file here and a line in [`LANGUAGES`].
//!
//! `cargo xtask generate` writes what `conformance/surface.json` declares into the files that are
//! generated from it; `cargo xtask generate --check` compares only. `cargo xtask generate python`
//! and `cargo xtask generate swift` write what comes from the native libraries: Python's type stubs, and the
//! Swift half of the bindings.
//!
//! `cargo xtask docs` builds the documents and the references of all languages as one site.
//!
//! `cargo xtask fuzz SECONDS` runs each fuzz target for this long, or only the one that is named.
//!
//! `cargo xtask release --dry-run` rehearses a release, or a part of it; `cargo xtask release --tag v1.2.3`
//! checks that the repository is ready for one; `cargo xtask release --licences FILE` writes the licences of
//! the crates that the packages contain.
//!
//! `cargo xtask simulate` simulates the polling and writes the figures into `docs/benchmarks.md`.

mod browser;
mod debian;
mod documents;
mod fuzz;
mod generate;
mod glibc;
mod node;
mod output;
mod platforms;
mod python;
mod redis;
mod release;
mod rust;
mod simulate;
mod steps;
mod summary;
mod swift;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use output::Show;
use steps::Steps;

/// A language of the repository, or its documents or fuzz targets, and the function that runs its
/// tests.
struct Language {
    name: &'static str,
    test: fn(&mut Steps),
    /// Whether its tests run after those of the others instead of at the same time.
    alone: bool,
}

/// What the arguments ask for.
enum Command {
    Test(Vec<&'static Language>),
    Generate { check: bool },
    GenerateFromLibrary(fn(&mut Steps)),
    Fuzz { seconds: u32, target: Option<String> },
    Simulate,
    Docs,
    Rehearse(Vec<String>),
    CheckTag(String),
    Licences(PathBuf),
}

const LANGUAGES: [Language; 6] = [
    Language { name: "rust", test: rust::test, alone: false },
    Language { name: "python", test: python::test, alone: false },
    Language { name: "node", test: node::test, alone: false },
    Language { name: "swift", test: swift::test, alone: false },
    Language { name: "fuzz", test: fuzz::test, alone: false },
    // Last: it uses the tools that the others install.
    Language { name: "documents", test: documents::test, alone: true },
];

/// The inner loop of `cargo xtask test rust --fast`.
const FAST: Language = Language { name: "rust", test: rust::test_fast, alone: true };

/// What runs only if it is named, since it takes long.
const PLATFORMS: [Language; 6] = [
    Language { name: "newest-pythons", test: platforms::newest_pythons, alone: true },
    Language { name: "newest-nodes", test: platforms::newest_nodes, alone: true },
    Language { name: "linux-arm64", test: platforms::arm64, alone: true },
    Language { name: "linux-musl", test: platforms::musl, alone: true },
    Language { name: "apple", test: platforms::apple, alone: true },
    Language { name: "windows", test: platforms::windows, alone: true },
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    match command(&arguments) {
        Ok(Command::Test(languages)) => test(&languages, &root),
        Ok(Command::Fuzz { seconds, target }) => {
            let mut steps = Steps::new("fuzz", &root, Show::AtOnce);
            fuzz::run(&mut steps, seconds, target.as_deref());
            exit_code(&steps)
        }
        Ok(Command::Simulate) => {
            let mut steps = Steps::new("simulate", &root, Show::AtOnce);
            simulate::run(&mut steps);
            exit_code(&steps)
        }
        Ok(Command::Docs) => {
            let mut steps = Steps::new("docs", &root, Show::AtOnce);
            documents::site::build(&mut steps);
            exit_code(&steps)
        }
        Ok(Command::Rehearse(parts)) => {
            let mut steps = Steps::new("release", &root, Show::AtOnce);
            release::rehearse(&mut steps, &parts);
            exit_code(&steps)
        }
        Ok(Command::CheckTag(tag)) => report(release::check_tag(&root, &tag)),
        Ok(Command::Licences(file)) => report(release::licences::write(&root, &file)),
        Ok(Command::GenerateFromLibrary(generate)) => {
            let mut steps = Steps::new("generate", &root, Show::AtOnce);
            generate(&mut steps);
            exit_code(&steps)
        }
        Ok(Command::Generate { check }) => report(generate::run(&root, check)),
        Err(mistake) => {
            eprintln!("{mistake}\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

/// The exit code of a command that is no test; prints its problem.
fn report(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn exit_code(steps: &Steps) -> ExitCode {
    if steps.failed().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const USAGE: &str = "\
usage: cargo xtask test [LANGUAGE]…
       cargo xtask test rust --fast
       cargo xtask generate [--check]
       cargo xtask generate python
       cargo xtask generate swift
       cargo xtask fuzz SECONDS [TARGET]
       cargo xtask simulate
       cargo xtask docs
       cargo xtask release --dry-run [PART]…
       cargo xtask release --tag vVERSION
       cargo xtask release --licences FILE";

fn usage() -> String {
    format!(
        "{USAGE}\n\nLanguages: {}. Default: all of the first {}.\n\nMissing tools are installed where \
         that is possible; CONTRIBUTING.md lists them.",
        known(),
        LANGUAGES.len()
    )
}

fn known() -> String {
    LANGUAGES.iter().chain(&PLATFORMS).map(|language| language.name).collect::<Vec<_>>().join(", ")
}

/// The command that the arguments give. `test` runs all languages if they name none.
fn command(arguments: &[String]) -> Result<Command, String> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err("no command given".to_owned());
    };
    match (command.as_str(), rest) {
        ("test", []) => Ok(Command::Test(LANGUAGES.iter().collect())),
        ("test", [language, option]) if language == "rust" && option == "--fast" => {
            Ok(Command::Test(vec![&FAST]))
        }
        ("test", names) => {
            Ok(Command::Test(names.iter().map(|name| language(name)).collect::<Result<_, _>>()?))
        }
        ("generate", []) => Ok(Command::Generate { check: false }),
        ("generate", [what]) => match what.as_str() {
            "--check" => Ok(Command::Generate { check: true }),
            "python" => Ok(Command::GenerateFromLibrary(python::generate)),
            "swift" => Ok(Command::GenerateFromLibrary(swift::generate)),
            _ => Err(format!("generate takes --check, python or swift, and not {what:?}")),
        },
        ("generate", _) => Err("generate takes one argument".to_owned()),
        ("fuzz", [seconds, target @ ..]) if target.len() < 2 => {
            let seconds =
                seconds.parse().map_err(|_| format!("{seconds:?} is not a number of seconds"));
            Ok(Command::Fuzz { seconds: seconds?, target: target.first().cloned() })
        }
        ("release", [option, parts @ ..]) if option == "--dry-run" => rehearsal(parts),
        ("release", [option, tag]) if option == "--tag" => Ok(Command::CheckTag(tag.clone())),
        ("release", [option, file]) if option == "--licences" => Ok(Command::Licences(file.into())),
        ("release", _) => {
            Err("release takes --dry-run, or --tag and a tag, or --licences and a file".to_owned())
        }
        ("simulate", []) => Ok(Command::Simulate),
        ("docs", []) => Ok(Command::Docs),
        ("simulate" | "docs", _) => Err(format!("{command} takes no argument")),
        ("fuzz", _) => Err("fuzz takes a number of seconds and perhaps a target".to_owned()),
        _ => Err(format!("unknown command {command:?}")),
    }
}

/// The rehearsal of all parts of a release, or of those that are named.
fn rehearsal(parts: &[String]) -> Result<Command, String> {
    let known = release::parts();
    match parts.iter().find(|part| !known.contains(&part.as_str())) {
        Some(part) => Err(format!("unknown part {part:?}; the parts are: {}", known.join(", "))),
        None => Ok(Command::Rehearse(parts.to_vec())),
    }
}

fn language(name: &str) -> Result<&'static Language, String> {
    let unknown = || format!("unknown language {name:?}; the languages are: {}", known());
    let mut known = LANGUAGES.iter().chain(&PLATFORMS);
    known.find(|language| language.name == name).ok_or_else(unknown)
}

/// Runs the tests of these languages and prints a summary.
///
/// Most of them wait for responses or processes for most of their time, so the languages run at the same
/// time. What each builds is built once: see [`workspace`].
fn test(languages: &[&Language], root: &Path) -> ExitCode {
    let (alone, together): (Vec<_>, Vec<_>) = languages.iter().partition(|language| language.alone);
    let started = Instant::now();
    let show = if together.len() > 1 { Show::AtTheEnd } else { Show::AtOnce };
    let mut results: Vec<_> = thread::scope(|scope| {
        let start = |language| scope.spawn(move || test_language(language, root, show));
        let running: Vec<_> = together.into_iter().map(start).collect();
        running.into_iter().map(|language| language.join().expect("it does not panic")).collect()
    });
    results.extend(alone.into_iter().map(|language| test_language(language, root, Show::AtOnce)));

    let lines: Vec<_> = results.iter().map(|(_, line)| line.as_str()).collect();
    println!("\n{}\nall in {} s", lines.join("\n"), started.elapsed().as_secs());
    let passed = results.iter().all(|(passed, _)| *passed);
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the tests of a language. Returns whether all passed, and its line in the summary.
fn test_language(language: &Language, root: &Path, show: Show) -> (bool, String) {
    let started = Instant::now();
    let mut steps = Steps::new(language.name, root, show);
    (language.test)(&mut steps);
    (steps.failed().is_empty(), summary::line(language.name, &steps, started.elapsed()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        match command(&arguments)? {
            Command::Test(languages) => Ok(languages.iter().map(|l| l.name).collect()),
            _ => Ok(Vec::new()),
        }
    }

    #[test]
    fn no_language_means_all_languages() {
        assert_eq!(names(&["test"]).unwrap().len(), LANGUAGES.len());
        assert_eq!(names(&["test", "rust"]).unwrap(), ["rust"]);
        assert_eq!(names(&["test", "rust", "--fast"]).unwrap(), ["rust"]);
        assert!(names(&["test", "python", "--fast"]).unwrap_err().contains("\"--fast\""));
    }

    #[test]
    fn wrong_arguments_are_reported() {
        assert!(
            names(&["test", "cobol"]).unwrap_err().contains("\"cobol\"; the languages are: rust")
        );
        assert!(names(&["generate", "--chekc"]).unwrap_err().contains("--check"));
        assert!(names(&["release"]).unwrap_err().contains("--dry-run"));
        assert!(
            names(&["release", "--dry-run", "npm"]).unwrap_err().contains("python, sdist, node")
        );
        assert!(names(&["fuzz"]).unwrap_err().contains("seconds"));
        assert!(names(&["fuzz", "long"]).unwrap_err().contains("\"long\""));
        assert!(names(&["tset"]).unwrap_err().contains("tset"));
        assert!(names(&[]).is_err());
    }
}
