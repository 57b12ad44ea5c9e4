//! What has to be right before anything is built: generated manifests, the changelog, the workflows, the
//! dependencies' licences and sources.

use std::fs;
use std::path::Path;

use super::Rehearsal;
use crate::generate;
use crate::generate::manifests::Workspace;

/// What the URL of the repository has in place of its owner until there is one.
const PLACEHOLDER: &str = "/OWNER/";

/// What lints the other files that no compiler reads. The files are those that git tracks.
const LINTS: [(&str, &str); 2] = [
    ("lint of the scripts", "git ls-files '*.sh' .ci/run | xargs shellcheck"),
    ("lint of the Dockerfiles", "git ls-files '*Dockerfile' | xargs hadolint"),
];

/// Checks the repository.
pub(super) fn rehearse(rehearsal: &Rehearsal<'_>) -> Result<(), String> {
    generate::run(&rehearsal.root, true)?;
    let changelog = read(&rehearsal.root, "CHANGELOG.md")?;
    if release_date(&changelog, &rehearsal.version).is_none() && !has_unreleased(&changelog) {
        return Err(format!("CHANGELOG.md says nothing of {}", rehearsal.version));
    }
    let mut lint = rehearsal.command("node");
    lint.arg(".github/tools/lint-workflows.mjs").arg(rehearsal.tools.npm());
    rehearsal.run("lint of the workflows", &mut lint)?;
    for (part, lint) in LINTS {
        rehearsal.run(part, rehearsal.command("sh").args(["-c", lint]))?;
    }
    // It reads the crates of all targets, and a build has only fetched those of this one.
    rehearsal.run("crates", rehearsal.command("cargo").args(["fetch", "--quiet", "--locked"]))?;
    rehearsal.tools.install_deny(rehearsal.steps)?;
    // Advisories are in a database on the internet; the workflow checks them.
    let mut deny = rehearsal.command("cargo");
    deny.args(["deny", "--offline", "check", "licenses", "bans", "sources"]);
    rehearsal.run("cargo deny", &mut deny)
}

/// Checks that the repository is ready for the release that a tag names, such as `v1.2.3`.
pub(crate) fn check_tag(root: &Path, tag: &str) -> Result<(), String> {
    let workspace = Workspace::parse(&read(root, "Cargo.toml")?)?;
    generate::run(root, true)?;
    check(&workspace, &read(root, "CHANGELOG.md")?, tag)
}

fn check(workspace: &Workspace, changelog: &str, tag: &str) -> Result<(), String> {
    let Workspace { version, repository } = workspace;
    if tag != format!("v{version}") {
        return Err(format!(
            "the tag {tag} is not that of version {version}: set the version in Cargo.toml, run `cargo \
             xtask generate`, and tag that commit"
        ));
    }
    if repository.contains(PLACEHOLDER) {
        return Err(format!(
            "the repository in Cargo.toml is a placeholder, {repository}: npm accepts a provenance only \
             with the address that the workflow runs in"
        ));
    }
    release_date(changelog, version)
        .map(drop)
        .ok_or_else(|| format!("CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD`"))
}

/// The date of a version's section.
fn release_date<'a>(changelog: &'a str, version: &str) -> Option<&'a str> {
    let heading = format!("## [{version}] - ");
    let date = changelog.lines().find_map(|line| line.strip_prefix(heading.as_str()))?;
    let digits = date.split('-').map(|part| part.parse::<u16>().is_ok().then_some(part.len()));
    digits.eq([Some(4), Some(2), Some(2)]).then_some(date)
}

/// Whether something is listed under "Unreleased".
fn has_unreleased(changelog: &str) -> bool {
    let section = changelog.split("\n## ").find(|section| section.starts_with("[Unreleased]"));
    section.is_some_and(|section| section.contains("\n- "))
}

fn read(root: &Path, file: &str) -> Result<String, String> {
    fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGELOG: &str =
        "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n- It began.\n";

    fn problem(repository: &str, tag: &str) -> String {
        let workspace = Workspace { version: "1.2.3".into(), repository: repository.into() };
        check(&workspace, CHANGELOG, tag).err().unwrap_or_default()
    }

    #[test]
    fn a_tag_needs_its_version_a_repository_and_a_section_of_the_changelog() {
        let repository = "https://forge.example/someone/pipevideo";
        assert_eq!(problem(repository, "v1.2.3"), "");
        assert!(problem(repository, "v1.2.4").contains("not that of version 1.2.3"));
        assert!(problem(repository, "1.2.3").contains("the tag 1.2.3"));
        let placeholder = "https://forge.example/OWNER/pipevideo";
        assert!(problem(placeholder, "v1.2.3").contains("placeholder"));
        let workspace = Workspace { version: "1.2.4".into(), repository: repository.into() };
        assert!(check(&workspace, CHANGELOG, "v1.2.4").unwrap_err().contains("## [1.2.4]"));
    }

    #[test]
    fn a_section_needs_a_date_and_unreleased_changes_a_line() {
        assert_eq!(release_date(CHANGELOG, "1.2.3"), Some("2026-12-01"));
        assert_eq!(release_date("## [1.2.3] - soon\n", "1.2.3"), None);
        assert!(!has_unreleased(CHANGELOG));
        assert!(has_unreleased("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- More.\n"));
    }
}
