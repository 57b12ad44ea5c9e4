//! The id of a generation, checked once.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::error::{Error, ErrorKind};

/// The id of a generation, valid as one segment of a URL's path.
///
/// Public functions take ids as strings and parse them here, so that everything behind them builds
/// URLs without a check of its own. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GenerationId(Arc<str>);

/// The service's ids have about 16 characters. A limit far above that catches a whole document
/// passed in place of an id before it becomes a URL that servers refuse (most stop at 8 KB).
const MAX_LENGTH: usize = 1024;

impl GenerationId {
    /// Checks that a text can be an id.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a text that cannot be one.
    pub(crate) fn parse(id: impl Into<Arc<str>>) -> Result<Self, Error> {
        let id = id.into();
        let invalid = |message| Err(Error::new(ErrorKind::InvalidRequest, message));
        if id.trim().is_empty() {
            return invalid("the generation id is empty. Pass the id that create returned.");
        }
        // URL parsers resolve a segment of dots, even an escaped one, so that the path would change.
        if id.chars().all(|c| c == '.') || id.len() > MAX_LENGTH {
            return invalid("this is not a valid generation id. Pass the id that create returned.");
        }
        Ok(Self(id))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for GenerationId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_cannot_be_an_id_are_rejected() {
        for id in ["", " ", ".", "..", &"x".repeat(MAX_LENGTH + 1)] {
            let error = GenerationId::parse(id).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{id}");
        }
        for id in ["gen_abc123xyz", "a b", "../x", &"x".repeat(MAX_LENGTH)] {
            let parsed = GenerationId::parse(id).unwrap();
            assert_eq!((parsed.as_str(), parsed.to_string().as_str()), (id, id));
            assert_eq!(format!("{parsed:?}"), format!("{id:?}"));
            assert_eq!(Borrow::<str>::borrow(&parsed), id);
        }
    }
}
