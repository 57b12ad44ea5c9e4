//! What the manifests of all packages say alike: the version and the repository of `[workspace.package]`,
//! the platforms of the npm packages, and the licences.

use std::fmt::Write as _;

use super::{Tree, read};

/// The platforms that have an npm package with the native module, as Node names them.
pub(crate) const PLATFORMS: [&str; 8] = [
    "darwin-arm64",
    "darwin-x64",
    "linux-arm64-gnu",
    "linux-arm64-musl",
    "linux-x64-gnu",
    "linux-x64-musl",
    "win32-arm64-msvc",
    "win32-x64-msvc",
];

/// The packages that are published from a folder below the root, which therefore needs the licences.
const PACKAGES: [&str; 5] = ["bindings-node", "bindings-python", "cli", "core", "emulator"];

/// The licences, at the root of the repository.
pub(crate) const LICENCES: [&str; 2] = ["LICENSE-APACHE", "LICENSE-MIT"];

/// Sets the version, the repository and the licences of each package.
pub(super) fn write(tree: &mut Tree) -> Result<(), String> {
    let workspace = Workspace::parse(&read(&tree.root, "Cargo.toml")?)?;
    for licence in LICENCES {
        let text = tree.read(licence)?;
        for package in PACKAGES {
            tree.write(&format!("{package}/{licence}"), text.clone());
        }
    }
    for platform in PLATFORMS {
        let path = format!("bindings-node/npm/{platform}/package.json");
        tree.write(&path, workspace.platform_manifest(platform));
    }
    let Workspace { version, repository } = &workspace;
    set(tree, "bindings-node/package.json", 1, "  \"version\": ", version)?;
    set(
        tree,
        "bindings-node/package.json",
        1,
        "  \"homepage\": ",
        &format!("{repository}#readme"),
    )?;
    set(tree, "bindings-node/package.json", 1, "  \"bugs\": ", &format!("{repository}/issues"))?;
    set(tree, "bindings-node/package.json", 1, "    \"url\": ", &format!("git+{repository}.git"))?;
    // The package's own version is there twice, and before those of all dependencies.
    set(tree, "bindings-node/package-lock.json", 1, "  \"version\": ", version)?;
    set(tree, "bindings-node/package-lock.json", 1, "      \"version\": ", version)?;
    // The crates that the command depends on.
    set(tree, "cli/Cargo.toml", 2, "version = ", version)?;
    for image in ["node", "node-alpine", "python"] {
        set(tree, &format!("examples/docker/{image}.Dockerfile"), 1, "ARG VERSION=", version)?;
    }
    set(tree, "bindings-swift/Package.swift", 1, "let version = ", version)?;
    tree.fill("bindings-python/pyproject.toml", "urls", &workspace.project_urls())?;
    tree.fill(".github/CODEOWNERS", "owners", &format!("* @{}/maintainers\n", workspace.owner()?))
}

/// What `[workspace.package]` says of all packages.
pub(crate) struct Workspace {
    /// The version of every package.
    pub(crate) version: String,
    /// The URL of the repository, without `.git`.
    pub(crate) repository: String,
}

impl Workspace {
    /// Reads it from the text of the root's `Cargo.toml`.
    pub(crate) fn parse(manifest: &str) -> Result<Self, String> {
        let manifest: toml::Table =
            manifest.parse().map_err(|error| format!("Cargo.toml cannot be read: {error}"))?;
        let field = |name: &str| {
            let text = manifest["workspace"]["package"].get(name).and_then(|value| value.as_str());
            text.map(str::to_owned).ok_or_else(|| format!("[workspace.package] has no {name}"))
        };
        Ok(Self { version: field("version")?, repository: field("repository")? })
    }

    /// The account or organisation in the URL of the repository.
    fn owner(&self) -> Result<&str, String> {
        let owner = self.repository.rsplit('/').nth(1).filter(|owner| !owner.is_empty());
        owner.ok_or_else(|| format!("the repository {:?} has no owner", self.repository))
    }

    /// The manifest of a platform's npm package.
    fn platform_manifest(&self, platform: &str) -> String {
        let Self { version, repository } = self;
        let mut parts = platform.split('-');
        let (os, cpu) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let library = match parts.next() {
            Some("gnu") => "glibc",
            Some("musl") => "musl",
            _ => "",
        };
        let mut text = format!(
            r#"{{
  "name": "@pipevideo/{platform}",
  "version": "{version}",
  "description": "The native module of pipevideo for {platform}.",
  "keywords": [
    "pipevideo"
  ],
  "homepage": "{repository}#readme",
  "license": "(Apache-2.0 OR MIT)",
  "repository": {{
    "type": "git",
    "url": "git+{repository}.git",
    "directory": "bindings-node/npm/{platform}"
  }},
  "main": "pipevideo.{platform}.node",
  "files": [
    "pipevideo.{platform}.node",
    "LICENSE-*"
  ],
  "engines": {{
    "node": ">=20"
  }},
  "os": [
    "{os}"
  ],
  "cpu": [
    "{cpu}"
  ],
"#
        );
        if !library.is_empty() {
            let _ = writeln!(text, "  \"libc\": [\n    \"{library}\"\n  ],");
        }
        text + "  \"publishConfig\": {\n    \"access\": \"public\",\n    \"provenance\": true\n  }\n}\n"
    }

    /// The links that the Python package's page shows.
    fn project_urls(&self) -> String {
        let repository = &self.repository;
        format!(
            "Homepage = \"{repository}\"\n\
             Documentation = \"{repository}/tree/main/docs\"\n\
             Repository = \"{repository}\"\n\
             Issues = \"{repository}/issues\"\n\
             Changelog = \"{repository}/blob/main/CHANGELOG.md\"\n"
        )
    }
}

/// Sets the text after `key` in the first `count` lines that begin with it.
fn set(tree: &mut Tree, path: &str, count: usize, key: &str, value: &str) -> Result<(), String> {
    let text = tree.read(path)?;
    let mut out = String::new();
    let mut left = count;
    for line in text.split_inclusive('\n') {
        match line.strip_prefix(key) {
            Some(rest) if left > 0 => {
                let comma = if rest.trim_end().ends_with(',') { "," } else { "" };
                let _ = writeln!(out, "{key}\"{value}\"{comma}");
                left -= 1;
            }
            _ => out += line,
        }
    }
    if left > 0 {
        return Err(format!("{path} has no line that begins with {key:?}"));
    }
    tree.write(path, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[workspace.package]\nversion = \"1.2.3\"\n\
                            repository = \"https://forge.example/someone/pipevideo\"\n";

    #[test]
    fn a_platforms_manifest_is_json_and_names_its_c_library() {
        let workspace = Workspace::parse(MANIFEST).unwrap();
        let manifest = |platform| -> serde_json::Value {
            serde_json::from_str(&workspace.platform_manifest(platform)).unwrap()
        };
        assert_eq!(manifest("linux-x64-musl")["libc"][0], "musl");
        assert_eq!(manifest("linux-x64-musl")["version"], "1.2.3");
        assert_eq!(manifest("win32-arm64-msvc")["libc"], serde_json::Value::Null);
        assert_eq!(manifest("win32-arm64-msvc")["cpu"][0], "arm64");
    }

    #[test]
    fn the_loader_and_the_release_know_every_platform() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let loader = read(&root, "bindings-node/lib/native.js").unwrap();
        let release = read(&root, ".github/workflows/release.yml").unwrap();
        for platform in PLATFORMS {
            assert!(loader.contains(&format!("  '{platform}',\n")), "{platform}");
            assert!(loader.contains(&format!("require('@pipevideo/{platform}')")), "{platform}");
            assert!(release.contains(&format!("platform: {platform},")), "{platform}");
        }
    }

    #[test]
    fn the_owner_is_in_the_url_of_the_repository() {
        assert_eq!(Workspace::parse(MANIFEST).unwrap().owner().unwrap(), "someone");
        let broken = Workspace { version: String::new(), repository: "pipevideo".to_owned() };
        assert!(broken.owner().unwrap_err().contains("pipevideo"));
    }

    #[test]
    fn a_manifest_without_a_repository_is_an_error() {
        let error = Workspace::parse("[workspace.package]\nversion = \"1.2.3\"\n").err().unwrap();
        assert!(error.contains("no repository"), "{error}");
    }
}
