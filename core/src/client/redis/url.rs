//! The address of a Redis server.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::client::builder::configuration;
use crate::error::Error;

/// A URL of a Redis server that the client can connect to. It may hold a password.
#[derive(Clone)]
pub(crate) struct RedisUrl(SecretString);

impl RedisUrl {
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a text that is not such a URL.
    pub(crate) fn parse(url: SecretString) -> Result<Self, Error> {
        match redis::Client::open(url.expose_secret()) {
            Ok(_) => Ok(Self(url)),
            // The error may quote the URL.
            Err(_) => Err(configuration(
                "the URL of Redis is not valid. Use redis://user:password@host:port/database, rediss:// \
                 for TLS, or unix:///path/to/the/socket.",
            )),
        }
    }

    /// A hash, which tells servers apart.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.expose_secret()).into()
    }

    pub(super) fn client(&self) -> redis::RedisResult<redis::Client> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Another thread may have set one meanwhile, which will do.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        redis::Client::open(self.0.expose_secret())
    }
}
