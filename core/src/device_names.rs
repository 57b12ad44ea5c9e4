//! The names of Windows' devices.

/// Whether Windows opens a device by the name of this file, such as `con`, `aux.mp4` or `COM1`.
pub(crate) fn is_device(name: &str) -> bool {
    let stem = name.split(['.', ':']).next().unwrap_or_default().trim_end().to_lowercase();
    let is_numbered = |device: &str| {
        let number = stem.strip_prefix(device).map(|number| number.chars().collect::<Vec<_>>());
        // Superscript digits are read as digits.
        matches!(number.as_deref(), Some(['0'..='9' | '¹' | '²' | '³']))
    };
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
        || is_numbered("com")
        || is_numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_its_name_in_any_case_and_with_any_extension() {
        for name in ["con", "NUL", "aux.mp4", "Aux .tar.gz", "COM1", "lpt0.mp4", "com²", "nul:x"] {
            assert!(is_device(name), "{name}");
        }
        for name in ["", "conf", "nul1", "my.nul", "com", "com10", "comb", "lpt-1", " con"] {
            assert!(!is_device(name), "{name}");
        }
    }
}
