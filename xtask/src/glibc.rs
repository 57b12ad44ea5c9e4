//! The oldest glibc that the packages' native files run with.

use std::path::Path;
use std::process::Command;

/// The minor version of glibc 2.17, the oldest that Rust supports and the one of manylinux2014. Node's own
/// binaries require 2.28.
const OLDEST: u32 = 17;

/// Checks which glibc the native files of a wheel, of an npm package, or this native file itself import
/// functions from. Files for musl must import none. What it says on success is a line for people.
pub(crate) fn check(package: &Path) -> Result<String, String> {
    let name = package.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let contents = native_files(package).map_err(|why| format!("{name}: {why}"))?;
    let newest = newest(&contents);
    match newest {
        _ if !contents.starts_with(b"\x7fELF") => Err(format!("{name} has no native file")),
        None if name.contains("musl") => Ok(format!("{name}: no glibc")),
        Some(minor) if !name.contains("musl") && minor <= OLDEST => {
            Ok(format!("{name}: glibc 2.{minor}"))
        }
        _ => {
            Err(format!("{name} imports from glibc 2.{newest:?}; at most 2.{OLDEST} may be needed"))
        }
    }
}

/// The contents of the native files, one after another.
fn native_files(package: &Path) -> Result<Vec<u8>, String> {
    let mut command = match package.extension().and_then(|it| it.to_str()) {
        Some("whl") => {
            let script = "import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1])\n\
                          for name in wheel.namelist():\n\
                          \x20   if name.endswith('.so'): sys.stdout.buffer.write(wheel.read(name))";
            let mut python = Command::new("python3");
            python.args(["-c", script]);
            python
        }
        Some("tgz") => {
            let mut tar = Command::new("tar");
            tar.args(["-xOz", "--wildcards", "*.node", "-f"]);
            tar
        }
        _ => return std::fs::read(package).map_err(|error| error.to_string()),
    };
    let output = command.arg(package).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// The minor version of the newest glibc among those that a binary names.
fn newest(binary: &[u8]) -> Option<u32> {
    const NAME: &[u8] = b"GLIBC_2.";
    let after = binary.windows(NAME.len()).enumerate().filter(|(_, name)| *name == NAME);
    let minor = |at: usize| {
        let digits = binary[at..].iter().take_while(|byte| byte.is_ascii_digit());
        digits.fold(None, |minor, digit| Some(minor.unwrap_or(0) * 10 + u32::from(digit - b'0')))
    };
    after.filter_map(|(at, _)| minor(at + NAME.len())).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_counts() {
        assert_eq!(newest(b"\0GLIBC_2.2.5\0GLIBC_2.17\0GLIBC_2.9\0GLIBC_PRIVATE"), Some(17));
        assert_eq!(newest(b"\0GCC_3.0\0GLIBC_2."), None);
    }

    #[test]
    fn a_file_needs_an_old_glibc_or_none_by_its_name() {
        let folder = std::env::temp_dir().join(format!("pipevideo-glibc-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let check = |name: &str, contents: &[u8]| {
            let file = folder.join(name);
            std::fs::write(&file, contents).unwrap();
            check(&file)
        };
        let old = b"\x7fELF GLIBC_2.17";
        assert_eq!(check("linux-x64-gnu.node", old).unwrap(), "linux-x64-gnu.node: glibc 2.17");
        assert!(check("linux-x64-gnu.node", b"\x7fELF GLIBC_2.28").unwrap_err().contains("28"));
        // A static library, or one for another system.
        assert!(check("linux-x64-gnu.node", b"\x7fELF").is_err());
        assert!(check("linux-x64-gnu.node", b"MZ").unwrap_err().contains("no native file"));
        assert!(check("linux-x64-musl.node", b"\x7fELF").is_ok());
        assert!(check("linux-x64-musl.node", old).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
