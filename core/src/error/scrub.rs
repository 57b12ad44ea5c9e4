//! Makes text of the service safe to show: no key, no prompt, no query of a URL.

use std::borrow::Cow;

/// What must not be seen in an error of one call.
#[derive(Default)]
pub(crate) struct Scrub<'a> {
    /// The key, or the token in its place.
    pub(crate) key: &'a str,
    /// The texts of the prompt.
    pub(crate) texts: Vec<&'a str>,
}

/// How much of the service's text is shown.
const EXCERPT: usize = 300;
/// A stretch of the prompt this long (in bytes) is recognized; a shorter prompt as a whole.
const STRETCH: usize = 12;
const REDACTED: &str = "[redacted]";

impl Scrub<'_> {
    /// The text on one line, shortened, without what must not be seen.
    pub(crate) fn clean(&self, text: &str) -> String {
        // Only what can still be shown is looked at; some more, so that no secret is cut in half.
        let text: String = text.chars().take(4 * EXCERPT).collect();
        let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !self.key.is_empty() {
            text = text.replace(self.key, REDACTED);
        }
        for prompt in &self.texts {
            text = without_prompt(&text, prompt);
        }
        let text = without_queries(&text);
        let mut shown = text.chars().filter(|c| !c.is_control());
        let mut short: String = shown.by_ref().take(EXCERPT).collect();
        if shown.next().is_some() {
            short.push('…');
        }
        short
    }
}

/// Replaces every stretch that the text shares with the prompt, also where JSON escaped it.
fn without_prompt(text: &str, prompt: &str) -> String {
    let prompt = prompt.split_whitespace().collect::<Vec<_>>().join(" ");
    if prompt.len() < 4 {
        return text.to_owned();
    }
    let least = prompt.len().min(STRETCH);
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let shared = shared_stretch(rest, &prompt, least);
        if shared == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            if !out.ends_with(REDACTED) {
                out.push_str(REDACTED);
            }
            rest = &rest[shared..];
        }
    }
    out
}

/// How many bytes of the text's beginning stand in the prompt; 0 if fewer than `least`.
fn shared_stretch(text: &str, prompt: &str, least: usize) -> usize {
    let ends = || text.char_indices().map(|(at, c)| at + c.len_utf8());
    let Some(first) = ends().find(|end| *end >= least) else { return 0 };
    if !prompt.contains(&text[..first]) {
        return 0;
    }
    ends().take_while(|end| *end <= first || prompt.contains(&text[..*end])).last().unwrap_or(0)
}

/// Cuts the query off every URL, and the content off every data URI.
fn without_queries(text: &str) -> Cow<'_, str> {
    if !text.contains("://") && !text.contains("data:") {
        return Cow::Borrowed(text);
    }
    let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ')' | '\\');
    let clean = |word: &str| {
        if let Some(at) = word.find("data:").filter(|_| word.contains(',')) {
            return format!("{}data:[redacted]", &word[..at]);
        }
        match word.find("://").and_then(|at| word[at..].find(['?', '#']).map(|cut| at + cut)) {
            Some(cut) => format!("{}?[redacted]", &word[..cut]),
            None => word.to_owned(),
        }
    };
    let mut out = String::new();
    for piece in text.split_inclusive(stop) {
        let end = piece.trim_end_matches(stop).len();
        out.push_str(&clean(&piece[..end]));
        out.push_str(&piece[end..]);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str, prompt: &str) -> String {
        Scrub { key: "pv_secret_key", texts: vec![prompt] }.clean(text)
    }

    #[test]
    fn hides_what_must_not_be_seen() {
        let prompt = "A cat walking on a beach at sunset, said \"hello\"";
        for (text, expected) in [
            ("invalid model", "invalid model"),
            ("bad key pv_secret_key!", "bad key [redacted]!"),
            ("prompt 'A cat walking on a beach at sunset' refused", "prompt '[redacted]' refused"),
            (
                r#"{"p":"A cat walking on a beach at sunset, said \"hello\""}"#,
                r#"{"p":"[redacted]\"hello\""}"#,
            ),
            ("a cat", "a cat"),
            (
                "see https://x.example/v.mp4?sig=abc for more",
                "see https://x.example/v.mp4?[redacted] for more",
            ),
            (
                r#"{"url":"https://x.example/v?sig=abc"}"#,
                r#"{"url":"https://x.example/v?[redacted]"}"#,
            ),
            ("got data:image/png;base64,AAAA", "got data:[redacted]"),
            ("two\nlines\u{7}", "two lines"),
        ] {
            assert_eq!(clean(text, prompt), expected);
        }
        assert_eq!(clean("short prompt dog42 there", "dog42"), "short prompt [redacted] there");
        assert_eq!(clean(&"x".repeat(1000), "").chars().count(), EXCERPT + 1);
    }

    #[test]
    fn a_prompt_of_a_megabyte() {
        let prompt = "word ".repeat(200_000);
        let cleaned = clean("the model refused: word word word word word word", &prompt);
        assert!(
            cleaned.starts_with("the model refused:") && !cleaned.contains("word"),
            "{cleaned}"
        );
    }
}
