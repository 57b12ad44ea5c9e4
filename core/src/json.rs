//! JSON as services write it.

use serde::de::DeserializeOwned;

/// Reads JSON. Half of a surrogate pair, as JavaScript writes it where a text was cut in the middle
/// of an emoji, reads as U+FFFD: no answer is lost for that.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    serde_json::from_slice(json).or_else(|error| match mended(json) {
        Some(mended) => serde_json::from_slice(&mended),
        None => Err(error),
    })
}

/// The same with U+FFFD in place of each half that stands alone, if there is one.
fn mended(json: &[u8]) -> Option<Vec<u8>> {
    let mut mended = Vec::with_capacity(json.len());
    let (mut at, mut found) = (0, false);
    while at < json.len() {
        let width = match (json[at], escaped(json, at)) {
            (b'\\', Some(0xd800..=0xdbff)) => match escaped(json, at + 6) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            (b'\\', Some(0xdc00..=0xdfff)) => 0,
            // The character after a backslash is no beginning of an escape itself.
            (b'\\', _) => 2,
            _ => 1,
        };
        if width == 0 {
            mended.extend_from_slice(br"\ufffd");
            found = true;
            at += 6;
        } else {
            let end = json.len().min(at + width);
            mended.extend_from_slice(&json[at..end]);
            at = end;
        }
    }
    found.then_some(mended)
}

/// The UTF-16 unit that `\uXXXX` at this place stands for.
fn escaped(json: &[u8], at: usize) -> Option<u16> {
    let escape = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    let digits = std::str::from_utf8(escape).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn halves_of_pairs_read_as_replaced() {
        for (text, read_as) in [
            (r#""\ud83d""#, Some("\u{fffd}")),
            (r#""a\uDE00b""#, Some("a\u{fffd}b")),
            (r#""\ud83d\ude00""#, Some("😀")),
            (r#""\ud83d\ud83d\ude00""#, Some("\u{fffd}😀")),
            (r#""\ud83dx\\ud83d""#, Some("\u{fffd}x\\ud83d")),
            (r#""\\\ud83d\n""#, Some("\\\u{fffd}\n")),
            (r#""\ud83"#, None),
            (r#""\u+123""#, None),
            (r#""\ud83d"#, None),
            ("\"\\", None),
        ] {
            assert_eq!(read::<String>(text.as_bytes()).ok().as_deref(), read_as, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_reads_anyway_reads_the_same(text in ".*") {
            let json = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(read::<String>(&json).unwrap(), text);
            prop_assert_eq!(mended(&json), None);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in r#"["\\ud83de0a, ]{0,40}"#) {
            let _ = read::<Value>(bytes.as_bytes());
        }
    }
}
