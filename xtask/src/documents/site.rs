//! The documents and the references of all languages, as one static site in `target/site/book`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::markdown::Document;
use super::repository::{Repository, join};
use crate::generate::manifests::Workspace;
use crate::node::{self, NPM};
use crate::steps::{Steps, target};
use crate::{python, rust, swift};

const MDBOOK: &str =
    "cargo install --quiet --locked mdbook@0.5.4 --no-default-features --features search";
const LINKINATOR: &str = "linkinator@7.6.1";

/// What is in the book, in its order. The paths are relative to its folder.
const SUMMARY: &str = "docs/SUMMARY.md";

/// The reference of a language.
struct Reference {
    language: &'static str,
    /// Writes it into a folder.
    write: fn(&mut Steps, &Path),
    /// Its first page in that folder.
    begin: &'static str,
}

const REFERENCES: [Reference; 4] = [
    Reference { language: "Python", write: python::reference, begin: "pipevideo.html" },
    Reference { language: "Node", write: node::reference, begin: "index.html" },
    Reference {
        language: "Swift",
        write: swift::reference,
        begin: "Pipevideo/documentation/pipevideo/index.html",
    },
    Reference { language: "Rust", write: rust::reference, begin: "pipevideo/index.html" },
];

impl Reference {
    /// Its folder in the book.
    fn folder(&self) -> String {
        format!("reference/{}", self.language.to_lowercase())
    }
}

/// Builds the site and checks its links. Those within a reference are for its generator to check.
pub(crate) fn build(steps: &mut Steps) {
    let site = target().join("site");
    let tools = site.join("tools");
    let mdbook = tools.join("bin/mdbook").display().to_string();
    if !steps.has(&format!("{mdbook} --version")) {
        steps.run("mdbook", &format!("{MDBOOK} --root {}", tools.display()));
    }
    let root = steps.root().to_owned();
    let mut repository = String::new();
    steps.check("pages", "git ls-files", |files| match write_pages(&root, files, &site) {
        Ok(url) => {
            repository = url;
            None
        }
        Err(problem) => Some(problem),
    });
    steps.run_with(
        "book",
        &[("MDBOOK_OUTPUT__HTML__GIT_REPOSITORY_URL", &repository)],
        &format!("{mdbook} build {}", site.display()),
    );
    let book = site.join("book");
    for reference in REFERENCES {
        let folder = book.join(reference.folder());
        (reference.write)(steps, &folder);
        steps.run("first page", &format!("test -f {}/{}", folder.display(), reference.begin));
    }
    let npm = site.join("npm");
    steps.run(
        "linkinator",
        &format!("{NPM} --prefix {} --no-save install {LINKINATOR}", npm.display()),
    );
    steps.run(
        "links",
        &format!(
            "{}/node_modules/.bin/linkinator {} --recurse --check-fragments --skip ^https?://(?!localhost)|/reference/ \
             --verbosity error",
            npm.display(),
            book.display()
        ),
    );
}

/// Writes the sources of the book. Returns the URL of the repository.
fn write_pages(root: &Path, files: &str, site: &Path) -> Result<String, String> {
    let repository = Repository::read(root, files)?;
    let url = Workspace::parse(&read(root, "Cargo.toml")?)?.repository;
    let source = site.join("src");
    let _ = fs::remove_dir_all(&source);

    let mut summary = read(root, SUMMARY)?;
    let mut pages = BTreeSet::new();
    for link in links(SUMMARY, &summary) {
        let page = join(SUMMARY, &link).ok_or(format!("{SUMMARY}: {link}"))?;
        summary = replace(&summary, &link, &page);
        pages.insert(page);
    }
    if let Some(file) = files.lines().find(|file| is_left_out(file, &pages)) {
        return Err(format!("{SUMMARY} lacks {file}"));
    }
    for page in &pages {
        let mut text = read(root, page)?;
        for link in links(page, &text) {
            let (path, _) = link.split_once('#').unwrap_or((&link, ""));
            let Some(file) = repository.resolve(page, path).filter(|_| !path.is_empty()) else {
                continue;
            };
            if file.ends_with(".svg") || file.ends_with(".png") {
                copy(&root.join(&file), &source.join(&file))?;
            } else if !pages.contains(&file) {
                let there = format!("{url}/blob/main/{file}");
                text = replace(&text, &link, &link.replacen(path, &there, 1));
            } else if file.ends_with("README.md") {
                // The book has a README as the index of its folder.
                text = replace(&text, &link, &link.replacen("README.md", "index.md", 1));
            }
        }
        write(&source.join(page), &text)?;
    }
    summary += "\n# References\n\n- [References](references.md)\n";
    write(&source.join("SUMMARY.md"), &summary)?;
    write(&source.join("references.md"), &references())?;
    copy(&root.join("docs/book.toml"), &site.join("book.toml"))?;
    Ok(url)
}

/// Whether a file is a document that the book should have.
fn is_left_out(file: &str, pages: &BTreeSet<String>) -> bool {
    file.starts_with("docs/") && file.ends_with(".md") && file != SUMMARY && !pages.contains(file)
}

/// The page with the references, which no page of the repository can link to.
fn references() -> String {
    let lines = REFERENCES.map(|reference| {
        format!("- [{}]({}/{})\n", reference.language, reference.folder(), reference.begin)
    });
    format!(
        "# References\n\nEvery type and function of each language, from its source:\n\n{}",
        lines.concat()
    )
}

fn links(path: &str, text: &str) -> BTreeSet<String> {
    Document::parse(path, text).links.into_iter().map(|link| link.target).collect()
}

/// The text with another target in all links to this one.
fn replace(text: &str, target: &str, by: &str) -> String {
    text.replace(&format!("]({target})"), &format!("]({by})"))
        .replace(&format!("]: {target}\n"), &format!("]: {by}\n"))
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::create_dir_all(path.parent().expect("it is in a folder"))
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to.parent().expect("it is in a folder"))
        .and_then(|()| fs::copy(from, to))
        .map(drop)
        .map_err(|error| format!("{}: {error}", from.display()))
}
