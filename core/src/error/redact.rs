//! Makes text of the service safe to show: no key, no prompt, no query of a URL.

use std::borrow::Cow;
use std::collections::HashMap;

/// What must not be seen in an error of one call.
#[derive(Default)]
pub(crate) struct Redactor<'a> {
    /// The key, or the token in its place.
    pub(crate) key: &'a str,
    /// The texts of the prompt.
    pub(crate) texts: Vec<&'a str>,
}

/// How many characters of the service's text are shown.
const EXCERPT: usize = 300;
/// How many are looked at: more, since what is redacted makes room.
const WINDOW: usize = 4 * EXCERPT;
/// A stretch of the prompt this long, in the bytes of its letters and digits, is recognized; a
/// shorter prompt as a whole.
const STRETCH: usize = 10;
/// A prompt shorter than this is not: any text would have it in it.
const SHORTEST: usize = 4;
const REDACTED: &str = "[redacted]";

impl Redactor<'_> {
    /// The text without the prompt.
    pub(crate) fn redact(&self, text: String) -> String {
        self.texts.iter().fold(text, |text, prompt| without_prompt(text, prompt))
    }

    /// The text on one line, shortened, without what must not be seen.
    pub(crate) fn clean(&self, text: &str) -> String {
        let mut chars = text.chars();
        let mut text: String = chars.by_ref().take(WINDOW).collect();
        let cut = chars.next().is_some();
        if !self.key.is_empty() {
            text = text.replace(self.key, REDACTED);
        }
        text = one_line(&unescaped(&text));
        for key in [self.key, &unescaped(self.key)] {
            if !key.is_empty() {
                text = text.replace(key, REDACTED);
                if cut {
                    without_beginning_of(&mut text, key);
                }
            }
        }
        text = self.redact(text);
        if cut {
            // A stretch that was cut may be too short to be recognized.
            let end = text.char_indices().rev().nth(STRETCH - 1).map_or(0, |(at, _)| at);
            text.truncate(end);
        }
        let text = without_queries(&text);
        let mut shown = text.chars();
        let mut short: String = shown.by_ref().take(EXCERPT).collect();
        if shown.next().is_some() || cut {
            short.push('…');
        }
        short
    }
}

fn one_line(text: &str) -> String {
    // Marks that turn the direction of text would turn that of the log around it.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shows = |c: &char| (c.is_whitespace() || !c.is_control()) && !turns(*c);
    let shown: String = text.chars().filter(shows).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text without JSON's escapes, also where JSON stands in JSON: whatever is quoted in it reads
/// as it was.
fn unescaped(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..3 {
        if !text.contains('\\') {
            break;
        }
        text = Cow::Owned(unescaped_once(&text));
    }
    text
}

fn unescaped_once(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let mut chars = rest.chars();
        match chars.next() {
            Some('n' | 'r' | 't' | 'b' | 'f') => out.push(' '),
            Some(c @ ('"' | '\\' | '/')) => out.push(c),
            Some('u') => match code_units(rest) {
                Some((c, length)) => {
                    out.push(c);
                    rest = &rest[length..];
                    continue;
                }
                None => out.push_str("\\u"),
            },
            Some(c) => out.extend(['\\', c]),
            None => out.push('\\'),
        }
        rest = chars.as_str();
    }
    out + rest
}

/// The character that `uXXXX`, or two of them for a pair of surrogates, stand for, and how many
/// bytes they take.
fn code_units(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    let second = (text.get(5..7) == Some("\\u")).then(|| unit(7)).flatten();
    let mut decoded = char::decode_utf16([Some(first), second].into_iter().flatten());
    match decoded.next()? {
        Ok(c) => Some((c, if c.len_utf16() == 2 { 11 } else { 5 })),
        Err(_) => Some((char::REPLACEMENT_CHARACTER, 5)),
    }
}

/// Takes off the end what a secret begins with: its rest was cut.
fn without_beginning_of(text: &mut String, secret: &str) {
    let lengths = secret.char_indices().map(|(at, c)| at + c.len_utf8());
    let shared = lengths.filter(|length| text.ends_with(&secret[..*length])).max();
    text.truncate(text.len() - shared.unwrap_or(0));
}

/// The letters and digits of a text in lower case, and where each of their bytes comes from. What
/// is between them may change on the way: line breaks, quotes, escapes.
fn letters(text: &str) -> impl Iterator<Item = (usize, u8)> {
    let letters = text
        .char_indices()
        .filter(|(_, c)| !(c.is_whitespace() || c.is_control() || c.is_ascii_punctuation()));
    letters.flat_map(|(at, c)| {
        c.to_lowercase().flat_map(move |c| {
            let mut bytes = [0; 4];
            let length = c.encode_utf8(&mut bytes).len();
            bytes.into_iter().take(length).map(move |byte| (at, byte))
        })
    })
}

/// Replaces every stretch that the text shares with the prompt. Takes time in proportion to both.
fn without_prompt(text: String, prompt: &str) -> String {
    let secret: Vec<u8> = letters(&unescaped(prompt)).map(|(_, byte)| byte).collect();
    let (at, told): (Vec<usize>, Vec<u8>) = letters(&text).unzip();
    let stretch = secret.len().min(STRETCH);
    if secret.len() < SHORTEST || told.len() < stretch {
        return text;
    }
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, window) in told.windows(stretch).enumerate() {
        places.entry(window).or_default().push(place);
    }
    let mut shared = vec![false; text.len()];
    for window in secret.windows(stretch) {
        for place in places.remove(window).unwrap_or_default() {
            at[place..place + stretch].iter().for_each(|at| shared[*at] = true);
        }
    }
    redacted(&text, &at, &shared)
}

/// The text with `REDACTED` for each run of shared letters, and for what stands within such a run.
fn redacted(text: &str, letters: &[usize], shared: &[bool]) -> String {
    let mut out = String::new();
    let mut between = None;
    for (at, c) in text.char_indices() {
        if shared[at] {
            // `between` is what has been put out since the last shared letter.
            match between.take() {
                Some(end) => out.truncate(end),
                None => out.push_str(REDACTED),
            }
            between = Some(out.len());
        } else {
            if letters.binary_search(&at).is_ok() {
                between = None;
            }
            out.push(c);
        }
    }
    out
}

/// Cuts the query off every URL, and the content off every data URI.
fn without_queries(text: &str) -> String {
    // Of what may stand around a URL only these cannot stand in it.
    let stop = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>');
    let clean = |word: &str| {
        let word_in_lower_case = word.to_ascii_lowercase();
        let data = word_in_lower_case.find("data:").filter(|at| word[*at..].contains(','));
        let query = match word.find("://") {
            Some(at) => word[at..].find(['?', '#']).map(|cut| at + cut),
            None => word.find('?').filter(|at| word[*at..].contains('=')),
        };
        match (data, query) {
            (Some(data), query) if query.is_none_or(|query| data < query) => {
                format!("{}data:{REDACTED}", &word[..data])
            }
            (_, Some(query)) => format!("{}?{REDACTED}", &word[..query]),
            _ => word.to_owned(),
        }
    };
    let mut out = String::new();
    for piece in text.split_inclusive(stop) {
        let end = piece.trim_end_matches(stop).len();
        out.push_str(&clean(&piece[..end]));
        out.push_str(&piece[end..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn clean(text: &str, prompt: &str) -> String {
        Redactor { key: "pv_secret_key", texts: vec![prompt] }.clean(text)
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
                r#"{"p":"[redacted]""}"#,
            ),
            ("a cat", "a cat"),
            ("'A cat walking on' is no 'beach at sunset'", "'[redacted]' is no '[redacted]'"),
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
        assert!(cleaned.starts_with("the model refuse") && !cleaned.contains("wor"), "{cleaned}");
    }

    #[test]
    fn a_prompt_is_recognized_however_it_is_quoted() {
        let prompt = "Zoë's\n\"red\" 猫が海辺を歩いている dog,\tC:\\new\\dir and an 🐈 named Mitzi";
        let json = serde_json::to_string(prompt).unwrap();
        let ascii: String = json
            .chars()
            .map(|c| match c.is_ascii() {
                true => c.to_string(),
                false => {
                    let mut units = [0; 2];
                    let units = c.encode_utf16(&mut units).iter();
                    units.map(|unit| format!("\\u{unit:04x}")).collect()
                }
            })
            .collect();
        let twice = serde_json::to_string(&ascii).unwrap();
        for quoted in [prompt, &json, &ascii, &twice] {
            let shown = clean(&format!("400: {quoted} is refused"), prompt);
            let rest: String = shown.chars().filter(|c| !c.is_ascii_punctuation()).collect();
            assert_eq!(rest.trim_end_matches(' '), "400 redacted is refused", "{quoted}: {shown}");
        }
        // A line is broken elsewhere, or only a part is quoted.
        let shown = clean("near 'named\n   Mitzi and an'", "and an\na cat named  Mitzi");
        assert!(!shown.contains("Mitzi"), "{shown}");
        assert_eq!(clean("a CAT, named: MITZI", "a cat named Mitzi"), "[redacted]");
        assert_eq!(clean("Mitzi", "a cat named Mitzi"), "Mitzi", "a word is no prompt");
    }

    #[test]
    fn what_was_cut_in_half_is_not_shown() {
        // The long data URI shrinks, so that what stands at the cut is shown.
        let uri = |length| format!("data:image/png;base64,{}", "A".repeat(length));
        let prompt = "An unspeakable secret";
        for secret in ["pv_secret_key", prompt] {
            for length in WINDOW - 60..WINDOW - 20 {
                let shown = clean(&format!("{} {secret}", uri(length)), prompt);
                assert!(!shown.contains("pv") && !shown.contains("An"), "{length}: {shown}");
            }
        }
    }

    #[test]
    fn a_key_is_recognized_in_json_and_around_control_characters() {
        let clean = |key, text: &str| Redactor { key, texts: Vec::new() }.clean(text);
        assert_eq!(clean(r#"pv_"a\b/c"#, r#"key: "pv_\"a\\b\/c""#), r#"key: "[redacted]""#);
        assert_eq!(clean(r"pv_a\nb", r"pv_a\nb is bad"), "[redacted] is bad");
        assert_eq!(clean(r"pv_a\n\nb", r"pv_a\n\nb is bad"), "[redacted] is bad");
        assert_eq!(clean("pv_secret", "pv_se\u{7}cret\u{0}"), "[redacted]");
        assert_eq!(clean("pv_secret", r"pv_\u0073ecret"), "[redacted]");
    }

    #[test]
    fn no_query_and_no_content_of_a_url_is_shown() {
        for text in [
            r"https:\/\/x.example\/v?sig=SECRET",
            r"https://x.example/v\u003fsig=SECRET",
            "(https://x.example/v?a=(b)&sig=SECRET)",
            "'https://x.example/v?a='b'&sig=SECRET'",
            "https://x.example/v#SECRET",
            "https://x.example/,https://y.example/v?sig=SECRET",
            "The requested URL /v.mp4?sig=SECRET was not found",
            "//x.example/v?sig=SECRET",
            "DATA:image/png;base64,SECRET",
            "https://x.example/?u=data:image/png,SECRET",
            "data:image/png,https://x.example/?SECRET",
        ] {
            let shown = clean(text, "");
            assert!(!shown.contains("SECRET") && shown.contains(REDACTED), "{text}: {shown}");
        }
        for text in ["Why? a = b", "1 < 2, see data: none", "a, b, c"] {
            assert_eq!(clean(text, ""), text);
        }
    }

    #[test]
    fn nothing_makes_it_panic() {
        for text in [
            r"\",
            r"\u",
            r"\u12",
            r"\ud83d",
            r"\ud83d\u0041",
            r"\u+123",
            r"\uéé",
            "\u{130}\u{130}",
            "é",
        ] {
            for prompt in ["", "\u{130}stanbul", "ééééééééé", r"\ud83d\ude00", text] {
                clean(text, prompt);
                clean(&text.repeat(400), prompt);
            }
        }
    }

    proptest! {
        /// Whatever stands around it, no long stretch of the prompt is left, nor the key.
        #[test]
        fn neither_prompt_nor_key_is_left(
            before in "[ -~é猫\n\\\\\"]{0,400}",
            after in "[ -~é猫\n\\\\\"]{0,1300}",
            prompt in "[a-zé猫 \n\\\\\"]{0,80}",
            key in "pv_[!-~]{8,40}",
            escape in any::<bool>(),
        ) {
            let text = format!("{before}{prompt} {key}{after}");
            let text = if escape { serde_json::to_string(&text).unwrap() } else { text };
            let shown = Redactor { key: &key, texts: vec![&prompt] }.clean(&text);
            prop_assert!(!shown.contains(&key), "{shown}");
            prop_assert!(shown.chars().count() <= EXCERPT + 1);
            let secret: Vec<u8> = letters(&unescaped(&prompt)).map(|(_, byte)| byte).collect();
            let told: Vec<u8> = letters(&shown.replace(REDACTED, "Ω")).map(|(_, byte)| byte).collect();
            let leak = secret.windows(STRETCH).find(|part| told.windows(STRETCH).any(|t| t == *part));
            prop_assert!(leak.is_none(), "{shown}");
        }
    }
}
