//! JSON, including what lenient writers make of it.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects, reason = "numbers come from outside"))]

use bytes::Bytes;
use serde::de::{DeserializeOwned, IgnoredAny};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads JSON. A byte order mark before the first value and anything after it are skipped, and an
/// unpaired surrogate reads as U+FFFD.
///
/// Proxies and frameworks add the former two, and JavaScript writes the last where it cuts a text in
/// the middle of an emoji. Rejecting them, as serde_json does, would lose the response of a paid
/// create.
pub(crate) fn read<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    let json = json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json);
    let read = first(json).or_else(|error| match without_unpaired(json) {
        Some(repaired) => first(&repaired),
        None => Err(error),
    });
    read.map(|(value, _)| value)
}

/// Splits a text into the JSON of its first value, without a byte order mark, and what follows it.
pub(crate) fn split_first(text: &Bytes) -> serde_json::Result<(Bytes, Bytes)> {
    let mark = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let mut json = text.slice(mark..);
    let (_, length) = first::<IgnoredAny>(&json)?;
    let rest = json.split_off(length);
    Ok((json, rest))
}

/// The first value of a text, and where it ends.
fn first<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<(T, usize)> {
    let mut values = serde_json::Deserializer::from_slice(json).into_iter();
    match values.next() {
        Some(value) => Ok((value?, values.byte_offset())),
        // There is none, and this is the error for it.
        None => serde_json::from_slice(json).map(|value| (value, 0)),
    }
}

/// The JSON with U+FFFD in place of each unpaired surrogate; `None` if there is none.
fn without_unpaired(json: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::with_capacity(json.len());
    let (mut rest, mut found) = (json, false);
    while let Some(first) = rest.first() {
        let width = match (first, escaped(rest)) {
            (b'\\', Some(0xd800..=0xdbff)) => match rest.get(6..).and_then(escaped) {
                Some(0xdc00..=0xdfff) => 12,
                _ => 0,
            },
            (b'\\', Some(0xdc00..=0xdfff)) => 0,
            // The character after a backslash, such as another one, does not start an escape.
            (b'\\', _) => 2,
            _ => 1,
        };
        if width == 0 {
            repaired.extend_from_slice(br"\ufffd");
            found = true;
            rest = &rest[6..];
        } else {
            let (kept, next) = rest.split_at(width.min(rest.len()));
            repaired.extend_from_slice(kept);
            rest = next;
        }
    }
    found.then_some(repaired)
}

/// The UTF-16 code unit of the `\uXXXX` that the JSON begins with.
fn escaped(json: &[u8]) -> Option<u16> {
    let escape = json.get(..6)?.strip_prefix(br"\u")?;
    let digits = std::str::from_utf8(escape).ok().filter(|digits| !digits.starts_with('+'))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    #[test]
    fn unpaired_surrogates_are_replaced() {
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

    #[test]
    fn what_surrounds_the_value_is_skipped() {
        for (text, rest) in [
            ("\u{feff}{\"a\":1}", ""),
            ("\u{feff} {\"a\":1}\n", "\n"),
            ("{\"a\":1}<!-- 12 ms -->", "<!-- 12 ms -->"),
            ("{\"a\":1}\0\0", "\0\0"),
        ] {
            let (json, after) = split_first(&Bytes::from(text)).unwrap();
            assert_eq!((json.trim_ascii(), &after[..]), (&br#"{"a":1}"#[..], rest.as_bytes()));
            assert_eq!(read::<Value>(text.as_bytes()).unwrap(), json!({"a": 1}));
        }
        let empty = read::<Value>(b"\xef\xbb\xbf ").unwrap_err();
        assert!(empty.is_eof(), "{empty}");
    }

    proptest! {
        #[test]
        fn valid_json_is_read_unchanged(text in ".*") {
            let json = serde_json::to_vec(&text).unwrap();
            prop_assert_eq!(read::<String>(&json).unwrap(), text);
            prop_assert_eq!(without_unpaired(&json), None);
        }

        #[test]
        fn no_text_makes_it_panic(bytes in r#"["\\ud83de0a, ]{0,40}"#) {
            let _ = read::<Value>(bytes.as_bytes());
        }
    }
}
