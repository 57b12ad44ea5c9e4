//! Names and text as the languages want them.

use super::surface::{ClientOption, Type};

/// `request_id` as `requestId`.
pub(super) fn camel(name: &str) -> String {
    let pascal = pascal(name);
    pascal[..1].to_lowercase() + &pascal[1..]
}

/// `rate_limited` as `RateLimited`.
pub(super) fn pascal(name: &str) -> String {
    name.split('_').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

/// A name as Node spells it: durations are in milliseconds and say so.
pub(super) fn node(name: &str, kind: Type) -> String {
    match (name, kind) {
        ("base_url", _) => "baseURL".to_owned(),
        (_, Type::Duration) => camel(name) + "Ms",
        _ => camel(name),
    }
}

/// A text with the names of these options as Node spells them.
pub(super) fn node_doc(text: &str, options: &[ClientOption]) -> String {
    options.iter().fold(text.to_owned(), |text, option| {
        let spelled = node(&option.name, option.kind);
        text.replace(&format!("`{}`", option.name), &format!("`{spelled}`"))
    })
}

/// `request_id` as Swift spells it: `requestID`, `baseURL`, `costUSD`.
pub(super) fn swift(name: &str) -> String {
    let words = name.split('_').enumerate().map(|(index, word)| match (index, word) {
        (1.., "id" | "url" | "usd") => word.to_uppercase(),
        (0, word) => word.to_owned(),
        (_, word) => pascal(word),
    });
    words.collect()
}

/// A text with the functions that Swift names otherwise.
pub(super) fn swift_doc(text: &str) -> String {
    text.replace("`reconcile`", "`candidates(for:)`").replace("`wait`", "`wait(for:)`")
}

/// Breaks a text into lines of at most `width` characters.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A text as comment lines that begin with `prefix`, indentation included; no longer than `width`.
pub(super) fn comment(prefix: &str, text: &str, width: usize) -> String {
    let lines = wrap(text, width - prefix.chars().count() - 1);
    lines.iter().map(|line| format!("{prefix} {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_per_language() {
        assert_eq!(camel("request_timeout"), "requestTimeout");
        assert_eq!(pascal("insufficient_credits"), "InsufficientCredits");
        assert_eq!(
            [swift("base_url"), swift("max_cost_usd"), swift("api_key"), swift("url")],
            ["baseURL", "maxCostUSD", "apiKey", "url"]
        );
    }

    #[test]
    fn text_is_wrapped_at_spaces() {
        assert_eq!(comment("    ///", "one two three", 16), "    /// one two\n    /// three\n");
        assert_eq!(wrap("overlong a", 4), ["overlong", "a"]);
    }
}
