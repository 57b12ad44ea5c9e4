//! Errors of the host language on their way through the core.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use pipevideo::Error;

/// An error of the host language, carried through the core as a [`TokenError`](pipevideo::TokenError)
/// and found again in the error of the call.
///
/// The core passes on the *source* of what a token function fails with, so the value is kept one
/// level down. Neither `Debug` nor `Display` shows it: an exception of a token function may quote the
/// token.
pub struct ForeignError<E>(Source<E>);

/// The source of a [`ForeignError`], which the core's errors refer to.
struct Source<E> {
    value: E,
    description: Cow<'static, str>,
}

impl<E: Send + Sync + 'static> ForeignError<E> {
    /// Wraps the host's error; the description is its text in the core's chain of sources.
    pub fn new(value: E, description: impl Into<Cow<'static, str>>) -> Self {
        Self(Source { value, description: description.into() })
    }

    /// Returns the host's error that is among the sources of this error, if there is one.
    pub fn find(error: &Error) -> Option<&E> {
        sources(error).find_map(Self::value_of)
    }

    /// Returns the host's error if this source is one.
    pub(crate) fn value_of<'a>(source: &'a (dyn StdError + 'static)) -> Option<&'a E> {
        source.downcast_ref::<Source<E>>().map(|source| &source.value)
    }
}

/// The sources of an error, nearest first.
pub(crate) fn sources(error: &Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |source| (*source).source())
}

impl<E> fmt::Display for ForeignError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.description)
    }
}

impl<E> fmt::Debug for ForeignError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ForeignError").field(&self.0).finish()
    }
}

impl<E> fmt::Debug for Source<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl<E> fmt::Display for Source<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl<E: Send + Sync + 'static> StdError for ForeignError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

impl<E> StdError for Source<E> {}

#[cfg(test)]
mod tests {
    use pipevideo::ErrorKind;

    use super::*;

    #[tokio::test]
    async fn the_error_of_a_token_function_is_found_again() {
        let client = pipevideo::Client::builder()
            .token(|| async { Err(ForeignError::new("secret", "the function threw").into()) })
            .build()
            .unwrap();
        let error = client.responses().retrieve("gen_1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert_eq!(ForeignError::<&str>::find(&error), Some(&"secret"));
        assert_eq!(ForeignError::<u32>::find(&error), None);
        let chain: Vec<_> = sources(&error).map(|s| format!("{s} {s:?}")).collect();
        assert!(chain.iter().all(|text| !text.contains("secret")), "{chain:?}");
        assert!(chain.last().unwrap().starts_with("the function threw"), "{chain:?}");
    }
}
