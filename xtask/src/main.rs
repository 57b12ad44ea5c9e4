//! The repository's own commands.
//!
//! `cargo xtask test` runs all tests of all languages and installs the tools that they need;
//! `cargo xtask test rust` runs the tests of one language. To add a language, add a file here and a
//! line in [`LANGUAGES`].

mod node;
mod python;
mod redis;
mod rust;
mod steps;
mod swift;

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use steps::Steps;

/// A language of the repository and the function that runs its tests.
struct Language {
    name: &'static str,
    test: fn(&mut Steps),
}

const LANGUAGES: [Language; 4] = [
    Language { name: "rust", test: rust::test },
    Language { name: "python", test: python::test },
    Language { name: "node", test: node::test },
    Language { name: "swift", test: swift::test },
];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match chosen(&arguments) {
        Ok(languages) => test(&languages),
        Err(mistake) => {
            eprintln!("{mistake}\n\n{}", usage());
            ExitCode::from(2)
        }
    }
}

fn usage() -> String {
    format!(
        "usage: cargo xtask test [LANGUAGE]…\n\nLanguages: {}. Default: all of them.\n\nMissing tools \
         are installed where that is possible; CONTRIBUTING.md lists them.",
        known()
    )
}

fn known() -> String {
    LANGUAGES.map(|language| language.name).join(", ")
}

/// The languages that the arguments name, or all languages if they name none.
fn chosen(arguments: &[String]) -> Result<Vec<&'static Language>, String> {
    match arguments.split_first() {
        None => Err("no command given".to_owned()),
        Some((command, _)) if command != "test" => Err(format!("unknown command {command:?}")),
        Some((_, [])) => Ok(LANGUAGES.iter().collect()),
        Some((_, names)) => names.iter().map(|name| language(name)).collect(),
    }
}

fn language(name: &str) -> Result<&'static Language, String> {
    let unknown = || format!("unknown language {name:?}; the languages are: {}", known());
    LANGUAGES.iter().find(|language| language.name == name).ok_or_else(unknown)
}

/// Runs the tests of these languages one after another and prints a summary.
fn test(languages: &[&Language]) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut summary = Vec::new();
    let mut passed = true;
    for language in languages {
        let started = Instant::now();
        let mut steps = Steps::new(language.name, &root);
        (language.test)(&mut steps);
        passed &= steps.failed().is_empty();
        let outcome = match steps.failed() {
            [] => "passed".to_owned(),
            failed => format!("FAILED ({})", failed.join(", ")),
        };
        let not_run = match steps.not_run() {
            [] => String::new(),
            not_run => format!("; NOT RUN: {}", not_run.join(", ")),
        };
        let seconds = started.elapsed().as_secs();
        summary.push(format!("{}: {outcome} in {seconds} s{not_run}", language.name));
    }
    println!("\n{}", summary.join("\n"));
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(arguments: &[&str]) -> Result<Vec<&'static str>, String> {
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string()).collect();
        Ok(chosen(&arguments)?.iter().map(|language| language.name).collect())
    }

    #[test]
    fn no_language_means_all_languages() {
        assert_eq!(names(&["test"]).unwrap().len(), LANGUAGES.len());
        assert_eq!(names(&["test", "rust"]).unwrap(), ["rust"]);
    }

    #[test]
    fn wrong_arguments_are_reported() {
        assert!(
            names(&["test", "cobol"]).unwrap_err().contains("\"cobol\"; the languages are: rust")
        );
        assert!(names(&["tset"]).unwrap_err().contains("tset"));
        assert!(names(&[]).is_err());
    }
}
