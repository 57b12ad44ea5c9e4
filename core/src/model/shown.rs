//! What `Debug` shows of values that may be secret: prompts, signed URLs, and what the service says.

use std::fmt;

use serde_json::{Map, Value};

use crate::error::Redactor;

/// Implements `Debug` for a struct: with these fields, then those that may be secret, then those that
/// are URLs. A field that is in no list is left out.
macro_rules! debug {
    ($type:ident { $($shown:ident),* } hidden { $($hidden:ident),* } urls { $($url:ident),* }) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                use $crate::model::shown;
                let mut out = f.debug_struct(stringify!($type));
                $(out.field(stringify!($shown), &self.$shown);)*
                $(out.field(stringify!($hidden), &shown::Hidden(&self.$hidden));)*
                $(out.field(stringify!($url), &shown::Address(&self.$url));)*
                out.finish()
            }
        }
    };
}
pub(crate) use debug;

/// Shows the size of a value in its place.
pub(crate) struct Hidden<T>(pub(crate) T);

impl fmt::Debug for Hidden<&String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

/// The names of the fields as well may be the service's or the caller's words.
impl fmt::Debug for Hidden<&Map<String, Value>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} fields>", self.0.len())
    }
}

impl fmt::Debug for Hidden<&Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<JSON>")
    }
}

impl<'a, T> fmt::Debug for Hidden<&'a Option<T>>
where
    Hidden<&'a T>: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map(Hidden).fmt(f)
    }
}

/// Shows a single short word, such as a code or a status, and the size of any other text.
pub(crate) struct Word<T>(pub(crate) T);

impl fmt::Debug for Word<&String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Redactor::default().identifier(self.0) {
            Some(word) => word.fmt(f),
            None => Hidden(self.0).fmt(f),
        }
    }
}

impl fmt::Debug for Word<&Option<String>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map(Word).fmt(f)
    }
}

/// Shows the origin and the path of an HTTP URL, and of any other, such as a data URI, its size. The
/// query, the fragment and the user's name and password may be secrets.
pub(crate) struct Address<T>(pub(crate) T);

impl fmt::Debug for Address<&String> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match address(self.0) {
            Some(address) => address.fmt(f),
            None => Hidden(self.0).fmt(f),
        }
    }
}

impl fmt::Debug for Address<&Option<String>> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map(Address).fmt(f)
    }
}

/// The URL without what may be secret, with `?…` if something was left out after the path.
fn address(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    // A query may be encoded, or begin with a semicolon: then it is a part of the path.
    let path = url.path().split([';', '%']).next()?;
    let is_whole = path == url.path() && url.query().is_none() && url.fragment().is_none();
    let rest = if is_whole { "" } else { "?…" };
    Some(format!("{}{path}{rest}", url.origin().ascii_serialization()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_shows_neither_its_query_nor_its_user() {
        for (url, shown) in [
            ("https://v.example/a/v.mp4", r#""https://v.example/a/v.mp4""#),
            ("https://v.example/v.mp4?X-Sig=SECRET", r#""https://v.example/v.mp4?…""#),
            ("https://v.example/v.mp4#SECRET", r#""https://v.example/v.mp4?…""#),
            ("https://me:SECRET@v.example:8443/v", r#""https://v.example:8443/v""#),
            ("https://v.example/v.mp4%3Fsig=SECRET", r#""https://v.example/v.mp4?…""#),
            ("https://v.example/v.mp4;sig=SECRET", r#""https://v.example/v.mp4?…""#),
            ("data:image/png;base64,SECRET", "<28 bytes>"),
            ("//v.example/?SECRET", "<19 bytes>"),
        ] {
            assert_eq!(format!("{:?}", Address(&url.to_owned())), shown);
        }
    }

    #[test]
    fn what_may_be_secret_shows_its_size_and_what_is_optional_its_presence() {
        let text = |text: &str| Some(text.to_owned());
        for (shown, expected) in [
            (format!("{:?}", Hidden(&text("ab"))), "Some(<2 bytes>)"),
            (format!("{:?}", Hidden(&None::<String>)), "None"),
            (format!("{:?}", Hidden(&Map::new())), "<0 fields>"),
            (format!("{:?}", Hidden(&Value::Null)), "<JSON>"),
            (format!("{:?}", Word(&text("queued"))), r#"Some("queued")"#),
            (format!("{:?}", Word(&text("two words"))), "Some(<9 bytes>)"),
            (format!("{:?}", Word(&None::<String>)), "None"),
            (
                format!("{:?}", Address(&text("https://v.example/v"))),
                r#"Some("https://v.example/v")"#,
            ),
            (format!("{:?}", Address(&None::<String>)), "None"),
        ] {
            assert_eq!(shown, expected);
        }
    }
}
