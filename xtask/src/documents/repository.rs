//! What documents refer to: files, packages and their programs, headings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::DOCTESTS;
use super::markdown::Document;

/// What the repository has, by what git tracks of it.
#[derive(Debug, Default)]
pub(super) struct Repository {
    files: BTreeSet<String>,
    /// Each folder that has a tracked file in it or below it.
    folders: BTreeSet<String>,
    texts: BTreeMap<String, String>,
    packages: Vec<Package>,
    /// The functions of all Rust sources and the scenarios, by name.
    tests: BTreeSet<String>,
    /// The documents with Rust blocks that are compiled.
    pub(super) doctests: BTreeSet<String>,
}

/// A package of Cargo's.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    folder: String,
    manifest: toml::Table,
}

impl Repository {
    /// Reads the documents, manifests and names of tests among these files, one on each line.
    pub(super) fn read(root: &Path, files: &str) -> Result<Self, String> {
        let mut repository = Self::of(files.lines());
        for path in &repository.files {
            let is_source = path.ends_with(".rs");
            let is_kept = path.ends_with(".md")
                || path.ends_with("Cargo.toml")
                || DOCTESTS.contains(&path.as_str());
            if !is_source && !is_kept {
                continue;
            }
            let text = fs::read_to_string(root.join(path))
                .map_err(|error| format!("{path} cannot be read: {error}"))?;
            if is_source {
                repository.tests.extend(functions(&text));
            }
            if is_kept {
                repository.texts.insert(path.clone(), text);
            }
        }
        repository.read_texts()?;
        Ok(repository)
    }

    /// A repository without its files' texts, apart from these; with one package of examples.
    #[cfg(test)]
    pub(super) fn for_tests(files: &[&str], texts: &[(&str, &str)]) -> Self {
        const EXAMPLES: &str = "[package]\nname = \"examples\"\n[[example]]\nname = \"hello\"\n";
        let manifest = "examples/rust/Cargo.toml";
        let mut repository = Self::of(files.iter().copied().chain([manifest]));
        let texts = texts.iter().copied().chain([(manifest, EXAMPLES)]);
        repository.texts = texts.map(|(path, text)| (path.to_owned(), text.to_owned())).collect();
        repository.read_texts().expect("the manifest is well-formed");
        repository
    }

    fn of<'a>(files: impl Iterator<Item = &'a str>) -> Self {
        let files: BTreeSet<String> = files.map(str::to_owned).collect();
        let parents = files
            .iter()
            .flat_map(|path| path.match_indices('/').map(|(at, _)| path[..at].to_owned()));
        Self { folders: parents.collect(), files, ..Self::default() }
    }

    fn read_texts(&mut self) -> Result<(), String> {
        for (path, text) in &self.texts {
            if let Some(folder) = path.strip_suffix("Cargo.toml") {
                let manifest: toml::Table =
                    toml::from_str(text).map_err(|error| format!("{path}: {error}"))?;
                // The workspace's own manifest has no package.
                if let Some(name) = manifest.get("package").and_then(name_of) {
                    let folder = folder.trim_end_matches('/').to_owned();
                    self.packages.push(Package { name, folder, manifest });
                }
            } else if DOCTESTS.contains(&path.as_str()) {
                let included = text.split("include_str!(\"").skip(1);
                let included = included.filter_map(|rest| rest.split('"').next());
                self.doctests.extend(included.filter_map(|relative| join(path, relative)));
            }
        }
        Ok(())
    }

    /// All Markdown files.
    pub(super) fn documents(&self) -> Vec<Document> {
        let texts = self.texts.iter().filter(|(path, _)| path.ends_with(".md"));
        texts.map(|(path, text)| Document::parse(path, text)).collect()
    }

    /// The path of what a document's relative path leads to, if git tracks it.
    pub(super) fn resolve(&self, document: &str, relative: &str) -> Option<String> {
        join(document, relative).filter(|path| self.has(path))
    }

    /// Whether git tracks this file, or something in this folder.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        path.is_empty() || self.files.contains(path) || self.folders.contains(path)
    }

    /// Whether this is a path from the repository's root, by its first folder.
    pub(super) fn is_path(&self, text: &str) -> bool {
        text.split_once('/').is_some_and(|(first, _)| self.folders.contains(first))
    }

    /// Whether there is a test or a scenario of this name.
    pub(super) fn has_test(&self, name: &str) -> bool {
        self.tests.contains(name) || self.has(&format!("conformance/scenarios/{name}.json"))
    }

    /// The anchors of a document.
    pub(super) fn anchors(&self, path: &str) -> Option<BTreeSet<String>> {
        Some(Document::parse(path, self.texts.get(path)?).anchors)
    }

    pub(super) fn package(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    pub(super) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// Whether a package has a program of this sort (`example`, `bench`, `test` or `bin`).
    pub(super) fn has_program(&self, package: &Package, sort: &str, name: &str) -> bool {
        let declared = package.manifest.get(sort).and_then(toml::Value::as_array);
        let mut declared = declared.into_iter().flatten().filter_map(name_of);
        let folder = if sort == "bench" { "benches".to_owned() } else { format!("{sort}s") };
        declared.any(|it| it == name)
            || [format!("{name}.rs"), format!("{name}/main.rs")]
                .iter()
                .any(|file| self.files.contains(&format!("{}/{folder}/{file}", package.folder)))
    }
}

/// The names of the functions in a Rust source.
fn functions(source: &str) -> impl Iterator<Item = String> {
    source.split("fn ").skip(1).filter_map(|rest| Some(rest.split_once('(')?.0.to_owned()))
}

fn name_of(table: &toml::Value) -> Option<String> {
    Some(table.get("name")?.as_str()?.to_owned())
}

/// A path relative to a file's folder, as a path from the root; none if it leads out of the root.
pub(super) fn join(file: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<_> = file.split('/').collect();
    parts.pop();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_joined_within_the_repository() {
        assert_eq!(join("docs/a.md", "../b/c.md").as_deref(), Some("b/c.md"));
        assert_eq!(join("docs/a.md", "./b/").as_deref(), Some("docs/b"));
        assert_eq!(join("a.md", "../b.md"), None);
        assert_eq!(join("a.md", "/b.md"), None);
    }

    #[test]
    fn folders_and_programs_are_those_of_tracked_files() {
        let repository = Repository::for_tests(&["examples/rust/tests/all.rs", "core/x/y.rs"], &[]);
        assert!(repository.has("core/x/") && !repository.has("core/z"));
        assert!(repository.is_path("core/z") && !repository.is_path("x/y.rs"));
        let package = repository.package("examples").unwrap();
        assert!(repository.has_program(package, "example", "hello"));
        assert!(repository.has_program(package, "test", "all"));
        assert!(!repository.has_program(package, "bench", "all"));
    }
}
