//! A later Debian in a tree of its own, for what this machine's release does not have.

use std::path::{Path, PathBuf};

use crate::steps::{Steps, target};

/// The release that has rustc with its sources, and the newest Pythons.
const SUITE: &str = "forky";

/// A tree under the target folder. Nothing of the machine's own changes.
pub(crate) struct Tree {
    prefix: PathBuf,
}

impl Tree {
    /// Makes a tree of this name with some of Debian's packages, unless it is there.
    pub(crate) fn install(steps: &mut Steps, name: &str, packages: &str) -> Option<Self> {
        if !steps.has("test -w /var/lib/dpkg/lock") {
            steps.skip("all", "it needs root on Debian, to make a tree of a later release");
            return None;
        }
        let prefix = target().join("platforms").join(name);
        let script = "bash xtask/scripts/debian-tree.sh";
        let tree = Self { prefix };
        steps.run("tree", &format!("{script} {} {SUITE} {packages}", tree.prefix.display()));
        Some(tree)
    }

    /// What precedes a command that runs in the tree, in the same folder as here.
    pub(crate) fn enter(&self) -> String {
        format!("{}/enter ", self.prefix.display())
    }

    /// A folder that has the same path in the tree and outside.
    pub(crate) fn folder(&self) -> &Path {
        &self.prefix
    }
}
