//! `cargo xtask generate`: writes what `conformance/surface.json` declares once into the files that
//! would otherwise repeat it per language, and what `[workspace.package]` declares into the manifests
//! of all packages. With `--check` it only compares.
//!
//! A generated file begins with a comment that says so. In a file that is otherwise written by hand,
//! what is generated stands between two comments, `generated: NAME` and `end of generated`. A language
//! is a file here that lists its outputs in `write`.

mod documents;
pub(crate) mod manifests;
mod names;
mod node;
mod python;
mod rust;
mod surface;
mod swift;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use surface::Surface;

/// What a generated file says of itself, after the sign for a comment.
const HEADER: &str =
    "Generated from conformance/surface.json by `cargo xtask generate`; do not edit.";

/// Writes all generated files below `root`. With `check` it writes nothing: it fails if one differs.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), String> {
    let surface = read(root, "conformance/surface.json")?;
    let surface: Surface = serde_json::from_str(&surface)
        .map_err(|error| format!("conformance/surface.json cannot be read: {error}"))?;
    let mut tree = Tree { root: root.to_owned(), changed: BTreeMap::new() };
    rust::write(&surface, &mut tree)?;
    python::write(&surface, &mut tree)?;
    node::write(&surface, &mut tree)?;
    swift::write(&surface, &mut tree)?;
    documents::write(&surface, &mut tree)?;
    manifests::write(&mut tree)?;
    tree.finish(check)
}

fn read(root: &Path, path: &str) -> Result<String, String> {
    fs::read_to_string(root.join(path)).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// The repository's files with what has been generated so far.
struct Tree {
    root: PathBuf,
    changed: BTreeMap<String, String>,
}

impl Tree {
    /// A file's text as it will be.
    fn read(&self, path: &str) -> Result<String, String> {
        match self.changed.get(path) {
            Some(text) => Ok(text.clone()),
            None => read(&self.root, path),
        }
    }

    /// Sets a file's whole text.
    fn write(&mut self, path: &str, text: String) {
        self.changed.insert(path.to_owned(), text);
    }

    /// Sets what stands in a file between the comments that name a part.
    fn fill(&mut self, path: &str, part: &str, content: &str) -> Result<(), String> {
        let text = fill(&self.read(path)?, part, content);
        let text = text.ok_or_else(|| {
            format!("{path} has no part between `generated: {part}` and `end of generated`")
        })?;
        self.write(path, text);
        Ok(())
    }

    /// Writes the files that differ, or reports them.
    fn finish(self, check: bool) -> Result<(), String> {
        let mut differences = String::new();
        for (path, text) in &self.changed {
            let present = fs::read_to_string(self.root.join(path)).unwrap_or_default();
            if present == *text {
                continue;
            }
            if check {
                differences += &format!("{path} {}\n", first_difference(&present, text));
                continue;
            }
            let file = self.root.join(path);
            let folder = file.parent().unwrap_or(&self.root);
            fs::create_dir_all(folder)
                .and_then(|()| fs::write(&file, text))
                .map_err(|error| format!("{path} cannot be written: {error}"))?;
            println!("wrote {path}");
        }
        if differences.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "{differences}These files are not what conformance/surface.json says, or for manifests \
                 and licences [workspace.package] and the files at the root. Change the declaration \
                 or xtask/src/generate, and run `cargo xtask generate`."
            ))
        }
    }
}

/// The text with the content between a part's two comments; none if they are not there. The lines of
/// the comments stay as they are.
fn fill(text: &str, part: &str, content: &str) -> Option<String> {
    let mut out = String::new();
    let mut filled = false;
    let mut lines = text.split_inclusive('\n');
    while let Some(line) = lines.next() {
        out += line;
        if names_part(line, part) {
            out += content;
            out += lines.find(|line| line.contains("end of generated"))?;
            filled = true;
        }
    }
    filled.then_some(out)
}

/// Whether a text has a part's comment.
fn has_part(text: &str, part: &str) -> bool {
    text.lines().any(|line| names_part(line, part))
}

/// Whether a line is the comment that begins a part. After the name it may say where the part is from.
fn names_part(line: &str, part: &str) -> bool {
    let rest = line.split_once("generated: ").and_then(|(_, rest)| rest.strip_prefix(part));
    rest.is_some_and(|rest| matches!(rest.trim_start().get(..1), None | Some("(" | "-")))
}

/// Where two texts differ first.
fn first_difference(present: &str, wanted: &str) -> String {
    let mut pairs = present.lines().zip(wanted.lines()).enumerate();
    match pairs.find(|(_, (present, wanted))| present != wanted) {
        Some((index, (present, wanted))) => {
            format!("line {}:\n  has    {present}\n  wanted {wanted}", index + 1)
        }
        None if present.len() < wanted.len() => "ends too early".to_owned(),
        None => "goes on too long".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n# generated: kinds\nold\n# end of generated\nb\n";

    #[test]
    fn a_part_is_filled_between_its_comments() {
        let filled = fill(TEXT, "kinds", "new\n").unwrap();
        assert_eq!(filled, "a\n# generated: kinds\nnew\n# end of generated\nb\n");
        let document = "<!-- generated: create arguments -->\n<!-- end of generated -->\n";
        assert!(fill(document, "create arguments", "x\n").unwrap().contains("-->\nx\n<!--"));
    }

    #[test]
    fn a_part_without_comments_is_an_error() {
        assert_eq!(fill(TEXT, "fields", "new\n"), None);
        assert_eq!(fill("# generated: kinds\n", "kinds", "new\n"), None);
    }

    #[test]
    fn the_repository_is_as_generated() {
        run(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), true).unwrap();
    }

    #[test]
    fn an_edit_by_hand_is_reported_with_its_line() {
        let root = std::env::temp_dir().join(format!("pipevideo-generate-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let generated = |check| {
            let mut tree = Tree { root: root.clone(), changed: BTreeMap::new() };
            tree.write("kinds.rs", "one\ntwo\n".to_owned());
            tree.finish(check)
        };
        generated(false).unwrap();
        generated(true).unwrap();
        fs::write(root.join("kinds.rs"), "one\nthree\n").unwrap();
        let difference = generated(true).unwrap_err();
        fs::remove_dir_all(&root).unwrap();
        assert!(
            difference.contains("kinds.rs line 2:\n  has    three\n  wanted two"),
            "{difference}"
        );
    }
}
