//! The key, or the function that yields a token in its place.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind};

/// Anything that a token function may fail with.
pub type TokenError = Box<dyn std::error::Error + Send + Sync>;

type TokenFn = dyn Fn() -> BoxFuture<'static, Result<String, TokenError>> + Send + Sync;

/// What authorizes requests. Its `Debug` shows nothing.
#[derive(Clone)]
pub(crate) enum Key {
    Fixed { key: SecretString, header: HeaderValue },
    Function(Arc<TokenFn>),
}

impl Key {
    /// # Errors
    /// [`ErrorKind::Configuration`] for a key that cannot be one.
    pub(crate) fn fixed(key: SecretString) -> Result<Self, Error> {
        if key.expose_secret().trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "there is no key. Set PIPEVIDEO_API_KEY, or pass one.",
            ));
        }
        Ok(Self::Fixed { header: bearer(key.expose_secret())?, key })
    }

    pub(crate) fn function<F, Fut>(function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self::Function(Arc::new(move || function().boxed()))
    }

    /// The header that authorizes one request, and the token in it, which no error may show.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] with the function's own error as its source;
    /// [`ErrorKind::Configuration`] for a token that cannot be one.
    pub(crate) async fn authorize(&self) -> Result<(HeaderValue, Cow<'_, str>), Error> {
        match self {
            Self::Fixed { key, header } => Ok((header.clone(), Cow::Borrowed(key.expose_secret()))),
            Self::Function(function) => {
                let token = function().await.map_err(|error| {
                    Error::new(
                        ErrorKind::Authentication,
                        "the token function failed; nothing was sent. Its own error is the cause.",
                    )
                    .with_source(TokenFailed(error))
                })?;
                if token.is_empty() {
                    return Err(Error::new(
                        ErrorKind::Configuration,
                        "the token function yielded an empty token; nothing was sent.",
                    ));
                }
                Ok((bearer(&token)?, Cow::Owned(token)))
            }
        }
    }

    /// The key as text, if it is one: what it shares its budget by.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Fixed { key, .. } => Some(key.expose_secret()),
            Self::Function(_) => None,
        }
    }
}

/// The header of a token, which no log shows.
fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let value = token
        .chars()
        .all(|c| c.is_ascii_graphic())
        .then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    let mut value = value.flatten().ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            "the key has characters that no key has, such as a line break or a space. Copy it again.",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The failure of a token function, as an error's source.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct TokenFailed(TokenError);
