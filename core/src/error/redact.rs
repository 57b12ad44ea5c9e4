//! Bounds the text that comes from outside, and keeps the key out of it.

use crate::model::Generation;

/// What no part of an error may show: the key of the call.
#[derive(Clone, Copy, Default)]
pub(crate) struct Redactor<'a> {
    /// The key, or the token that was sent in its place; empty if none was sent.
    pub(crate) key: &'a str,
}

/// How many characters of the service's own words are kept. The service's messages are one or two
/// sentences; of a proxy's error page this shows the title and the heading.
const MAX_SERVICE_MESSAGE: usize = 300;
/// The longest code that counts as an identifier. Codes that services of this family document have up to
/// 40 characters.
const MAX_IDENTIFIER: usize = 64;
/// How many backslashes one character of a quoted key may have in front of it: JSON that stands in
/// JSON three levels deep has seven.
const MAX_BACKSLASHES: usize = 7;
const REDACTED: &str = "[redacted]";

impl Redactor<'_> {
    /// The service's own words on one line, shortened and without the key; `None` if nothing is
    /// left. They may quote the prompt.
    pub(crate) fn service_message(&self, text: &str) -> Option<String> {
        let text = one_line(text);
        let mut rest = text.as_str();
        let (mut message, mut length) = (String::new(), 0);
        while let Some(c) = rest.chars().next() {
            if length >= MAX_SERVICE_MESSAGE {
                message.push('…');
                break;
            }
            // The whole text is searched, not an excerpt: a key that a cut divides would not match.
            if let Some(after) = self.after_key(rest) {
                message.push_str(REDACTED);
                length = REDACTED.len().saturating_add(length);
                rest = after;
            } else {
                message.push(c);
                length = length.saturating_add(1);
                rest = &rest[c.len_utf8()..];
            }
        }
        Some(message).filter(|message| !message.is_empty())
    }

    /// A text of the service that may stand in a message of ours: an identifier such as a code or a
    /// status. Anything longer may quote the prompt or a signed URL.
    pub(crate) fn identifier<'t>(&self, text: &'t str) -> Option<&'t str> {
        let is_identifier = (1..=MAX_IDENTIFIER).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:".contains(&c));
        (is_identifier && !self.has_key(text)).then_some(text)
    }

    /// Whether a text has the key in it.
    pub(crate) fn has_key(&self, text: &str) -> bool {
        text.char_indices().any(|(at, _)| self.after_key(&text[at..]).is_some())
    }

    /// What follows the key, if the text starts with it. The key may be quoted from JSON or a URL,
    /// with any of its characters escaped.
    fn after_key<'t>(&self, text: &'t str) -> Option<&'t str> {
        if self.key.is_empty() {
            return None;
        }
        self.key.chars().try_fold(text, after_char)
    }
}

/// What follows a character, if the text starts with it: as it is, as `\c`, `\uXXXX` or `%XX`.
fn after_char(text: &str, c: char) -> Option<&str> {
    let hex = |digits: Option<&str>| {
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        code == Some(c.into())
    };
    if let Some(after) = text.strip_prefix(c) {
        return Some(after);
    }
    if text.starts_with('%') && hex(text.get(1..3)) {
        return text.get(3..);
    }
    let backslashes = text.bytes().take(MAX_BACKSLASHES).take_while(|c| *c == b'\\').count();
    let escaped = &text[backslashes..];
    if backslashes > 0 && escaped.starts_with('u') && hex(escaped.get(1..5)) {
        return escaped.get(5..);
    }
    escaped.strip_prefix(c)
}

/// The text without control characters and on one line.
fn one_line(text: &str) -> String {
    // Marks that turn the direction of text would turn that of the log around it.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shows = |c: &char| (c.is_whitespace() || !c.is_control()) && !turns(*c);
    let shown: String = text.chars().filter(shows).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An id as a message shows it. What is no identifier may be a signed URL or a prompt in an id's place.
pub(crate) fn printable(id: &str) -> &str {
    Redactor::default().identifier(id).unwrap_or("[see generation_id]")
}

/// A generation's status as a message shows it: one that this library does not know is any text.
pub(crate) fn printable_status(generation: &Generation) -> &str {
    Redactor::default().identifier(generation.status.as_str()).unwrap_or("unrecognized")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(text: &str) -> String {
        Redactor { key: "pv_secret_key" }.service_message(text).unwrap_or_default()
    }

    #[test]
    fn a_service_message_is_one_short_line_without_the_key() {
        for (text, expected) in [
            ("Invalid model.", "Invalid model."),
            ("bad key pv_secret_key!", "bad key [redacted]!"),
            ("two\n\n lines\u{7}\u{202e}", "two lines"),
            (" \n", ""),
        ] {
            assert_eq!(message(text), expected);
        }
        assert_eq!(message(&"é".repeat(1000)).chars().count(), MAX_SERVICE_MESSAGE + 1);
        assert_eq!(message(&"é".repeat(MAX_SERVICE_MESSAGE)).chars().count(), MAX_SERVICE_MESSAGE);
    }

    #[test]
    fn the_key_is_found_in_every_way_of_quoting_it() {
        let message = |key, text: &str| Redactor { key }.service_message(text).unwrap();
        for text in [
            r#"key: pv_"a\b/c="#,
            r#"key: pv_\"a\\b\/c\u003d"#,
            r#"key: pv_\\\"a\\\\b\\/c\\u003D"#,
            "key: pv_%22a%5Cb%2Fc%3d",
            "key: pv_\u{7}\"a\\b/c=",
        ] {
            assert_eq!(message(r#"pv_"a\b/c="#, text), "key: [redacted]", "{text}");
        }
        assert_eq!(message("pv_secret", r"pv_\u0073ecret"), "[redacted]");
        assert_eq!(message("pv_secret", "pv_secre"), "pv_secre");
        for text in ["pv_u0041", r"pv_\x0041", "pv_%4", "pv_%zz", "pv_x41"] {
            assert_eq!(message("pv_A", text), text, "that is no escape");
        }
    }

    #[test]
    fn a_key_at_the_limit_is_not_cut_into_two() {
        for length in MAX_SERVICE_MESSAGE - 20..MAX_SERVICE_MESSAGE + 2 {
            let shown = message(&format!("{} pv_secret_key pv_secret_key", "x".repeat(length)));
            assert!(!shown.contains("pv_"), "{length}: {shown}");
        }
    }

    #[test]
    fn only_a_single_short_word_may_stand_in_a_message() {
        let redactor = Redactor { key: "pv_secret_key" };
        for word in ["invalid_model", "E-42", "a.b:c", "7"] {
            assert_eq!(redactor.identifier(word), Some(word));
        }
        for text in ["", "two words", "https://x.example/v?sig=1", "é", "pv_secret_key", "a\nb"] {
            assert_eq!(redactor.identifier(text), None, "{text}");
        }
        assert_eq!(redactor.identifier(&"x".repeat(MAX_IDENTIFIER + 1)), None);
    }

    proptest! {
        #[test]
        fn no_key_is_left_whatever_surrounds_it(
            before in "[ -~é猫\n\\\\\"%]{0,400}",
            after in "[ -~é猫\n\\\\\"%]{0,1300}",
            key in "pv_[!-~]{8,40}",
            escape in any::<bool>(),
        ) {
            let text = format!("{before} {key} {after}");
            let text = if escape { serde_json::to_string(&text).unwrap() } else { text };
            let shown = Redactor { key: &key }.service_message(&text).unwrap_or_default();
            prop_assert!(!shown.contains(&key), "{shown}");
            prop_assert!(shown.chars().count() <= MAX_SERVICE_MESSAGE + REDACTED.len() + 1);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[\\\\u%é猫pv0-9a-f]{0,60}", key in "[!-~]{0,5}") {
            let redactor = Redactor { key: &key };
            let _ = (redactor.service_message(&text), redactor.identifier(&text));
        }
    }
}
