//! The API key, or the token function in its place.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::barrier;
use crate::error::{Error, ErrorKind};

/// The error of a token function: any error.
pub type TokenError = Box<dyn std::error::Error + Send + Sync>;

type TokenFn = dyn Fn() -> BoxFuture<'static, Result<String, TokenError>> + Send + Sync;

/// The key or token function that authorizes requests. Its `Debug` shows neither.
#[derive(Clone)]
pub(crate) enum Key {
    Fixed { key: SecretString, header: HeaderValue },
    Function(Arc<TokenFn>),
}

/// Which clients share a budget: those with the same key. The tokens of a function change, so a
/// client with one shares its budget with its clones only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum KeyIdentity {
    /// A hash of the key, since the key itself must not outlive its clients.
    Fixed([u8; 32]),
    /// A number that no other client has.
    Function(u64),
}

impl Key {
    /// A fixed key.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] for a text that cannot be a key.
    pub(crate) fn fixed(key: SecretString) -> Result<Self, Error> {
        if key.expose_secret().trim().is_empty() {
            return Err(Error::new(
                ErrorKind::Configuration,
                "no API key is configured. Set PIPEVIDEO_API_KEY, or pass one.",
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

    /// The header that authorizes one request, and the key or token in it, for redaction.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] if the token function fails, with its error as the source;
    /// [`ErrorKind::Configuration`] for a text that cannot be a token.
    pub(crate) async fn authorize(&self) -> Result<(HeaderValue, Cow<'_, str>), Error> {
        match self {
            Self::Fixed { key, header } => Ok((header.clone(), Cow::Borrowed(key.expose_secret()))),
            Self::Function(function) => {
                let called = barrier::catch_async(async { function().await }).await;
                let token = called.map_err(|_| panicked())?.map_err(|error| {
                    Error::new(
                        ErrorKind::Authentication,
                        "the token function failed; nothing was sent. See the error's cause.",
                    )
                    .with_source(TokenFailed(error))
                })?;
                // An empty token would be sent as "Bearer ", which some servers treat as no key at all.
                if token.is_empty() {
                    return Err(Error::new(
                        ErrorKind::Configuration,
                        "the token function returned an empty token; nothing was sent. Return a valid one.",
                    ));
                }
                Ok((bearer(&token)?, Cow::Owned(token)))
            }
        }
    }

    /// Whether another token can be had after one that was not accepted.
    pub(crate) fn is_function(&self) -> bool {
        matches!(self, Self::Function(_))
    }

    /// What clients with the same key have in common.
    pub(crate) fn identity(&self) -> KeyIdentity {
        static FUNCTIONS: AtomicU64 = AtomicU64::new(0);
        match self {
            Self::Fixed { key, .. } => {
                KeyIdentity::Fixed(Sha256::digest(key.expose_secret()).into())
            }
            Self::Function(_) => KeyIdentity::Function(FUNCTIONS.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// A panic of the caller's function is not a mistake of this library.
fn panicked() -> Error {
    Error::new(
        ErrorKind::Authentication,
        "the token function panicked; nothing was sent. Make it return an error instead.",
    )
}

/// The authorization header with a key or token, marked as sensitive so that HTTP logs omit it.
fn bearer(token: &str) -> Result<HeaderValue, Error> {
    // A key that was copied with a line break is the most common mistake, and must not split a header.
    let value = token
        .chars()
        .all(|c| c.is_ascii_graphic())
        .then(|| HeaderValue::from_str(&format!("Bearer {token}")).ok());
    let mut value = value.flatten().ok_or_else(|| {
        Error::new(
            ErrorKind::Configuration,
            "the key has a character that is not valid in a key, such as a line break or a space. \
             Copy it again.",
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

/// The error of a token function, as the source of an [`Error`].
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct TokenFailed(TokenError);
