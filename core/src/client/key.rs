//! The key, or the function that yields a token in its place.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, ErrorKind};

/// Anything that a token function may fail with.
pub type TokenError = Box<dyn std::error::Error + Send + Sync>;

type TokenFn = dyn Fn() -> BoxFuture<'static, Result<String, TokenError>> + Send + Sync;

/// What authorizes requests. Its `Debug` shows nothing.
#[derive(Clone)]
pub(crate) enum Key {
    Fixed(SecretString),
    Function(Arc<TokenFn>),
}

impl Key {
    /// # Errors
    /// [`ErrorKind::Configuration`] for a key that cannot be one.
    pub(crate) fn fixed(key: SecretString) -> Result<Self, Error> {
        let text = key.expose_secret();
        if text.trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "there is no key. Set PIPEVIDEO_API_KEY, or pass api_key.",
            ));
        }
        if !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::new(
                ErrorKind::Configuration,
                "the key has characters that no key has, such as a line break or a space. Copy it \
                 again.",
            ));
        }
        Ok(Self::Fixed(key))
    }

    pub(crate) fn function<F, Fut>(function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String, TokenError>> + Send + 'static,
    {
        Self::Function(Arc::new(move || function().boxed()))
    }

    /// The token for one request.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] with the function's own error as its source.
    pub(crate) async fn token(&self) -> Result<String, Error> {
        match self {
            Self::Fixed(key) => Ok(key.expose_secret().to_owned()),
            Self::Function(function) => function().await.map_err(|error| {
                Error::new(
                    ErrorKind::Authentication,
                    "the token function failed; nothing was sent. Its own error is the source.",
                )
                .with_source(TokenFailed(error))
            }),
        }
    }

    /// The key as text, if it is one: what it shares its budget by.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Fixed(key) => Some(key.expose_secret().to_owned()),
            Self::Function(_) => None,
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The failure of a token function, as an error's source.
#[derive(Debug)]
struct TokenFailed(TokenError);

impl fmt::Display for TokenFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TokenFailed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
