//! Programs that Debian has as packages.

use crate::steps::Steps;

/// Whether a program is there, which it is if the command `probe` succeeds. Installs its Debian package
/// first where this process may.
pub(crate) fn has(steps: &Steps, package: &str, probe: &str) -> bool {
    if !steps.has(probe) && steps.has("test -w /var/lib/dpkg/lock") {
        // In run level 1 a package does not start a server of its own after the installation.
        let apt = "env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -q";
        steps.install("Debian's package list", &format!("{apt} update"));
        let install = format!("{apt} install -y --no-install-recommends {package}");
        steps.install(package, &install);
    }
    steps.has(probe)
}
