//! The repository's own commands.
//!
//! `cargo xtask test` runs every test of every language that the repository has, and installs what
//! they need; `cargo xtask test rust` those of one. A language is a file here and a line in
//! [`LANGUAGES`].

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

/// A language that the repository has, and what runs its tests.
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
        "usage: cargo xtask test [LANGUAGE]…\n\nLanguages: {}. Without one: all.\n\nIt installs what \
         the tests need; README.md says what, under Contributing.",
        known()
    )
}

fn known() -> String {
    LANGUAGES.map(|language| language.name).join(", ")
}

/// The languages that the arguments name; all of them if they name none.
fn chosen(arguments: &[String]) -> Result<Vec<&'static Language>, String> {
    match arguments.split_first() {
        None => Err("what is to be done?".to_owned()),
        Some((command, _)) if command != "test" => Err(format!("there is no command {command:?}")),
        Some((_, [])) => Ok(LANGUAGES.iter().collect()),
        Some((_, names)) => names.iter().map(|name| language(name)).collect(),
    }
}

fn language(name: &str) -> Result<&'static Language, String> {
    let unknown = || format!("there are no tests of {name:?}; there are of: {}", known());
    LANGUAGES.iter().find(|language| language.name == name).ok_or_else(unknown)
}

/// Runs the tests of these languages, one after another, and says how each went.
fn test(languages: &[&Language]) -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut summary = Vec::new();
    let mut passed = true;
    for language in languages {
        let begun = Instant::now();
        let mut steps = Steps::new(language.name, &root);
        (language.test)(&mut steps);
        passed &= steps.failed().is_empty();
        let outcome = match steps.failed() {
            [] => "passed".to_owned(),
            failed => format!("FAILED ({})", failed.join(", ")),
        };
        let left_out = match steps.left_out() {
            [] => String::new(),
            left_out => format!("; NOT RUN: {}", left_out.join(", ")),
        };
        let seconds = begun.elapsed().as_secs();
        summary.push(format!("{}: {outcome} in {seconds} s{left_out}", language.name));
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
    fn languages_are_all_or_those_named() {
        assert_eq!(names(&["test"]).unwrap().len(), LANGUAGES.len());
        assert_eq!(names(&["test", "rust"]).unwrap(), ["rust"]);
    }

    #[test]
    fn mistakes_are_told() {
        assert!(names(&["test", "cobol"]).unwrap_err().contains("\"cobol\"; there are of: rust"));
        assert!(names(&["tset"]).unwrap_err().contains("tset"));
        assert!(names(&[]).is_err());
    }
}
