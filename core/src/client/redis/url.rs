//! The address of a Redis server.

use std::path::PathBuf;

use redis::{RedisResult, TlsCertificates};
use rustls::crypto::{CryptoProvider, ring};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::client::builder::configuration;
use crate::error::Error;

/// A Redis server that the client can connect to. The URL may hold a password.
#[derive(Clone)]
pub(crate) struct RedisUrl {
    url: SecretString,
    /// The certificates to trust in place of the system's.
    ca_files: Vec<PathBuf>,
}

impl RedisUrl {
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for a text that is not such a URL.
    pub(crate) fn parse(url: SecretString, ca_files: &[PathBuf]) -> Result<Self, Error> {
        match redis::Client::open(url.expose_secret()) {
            Ok(_) => Ok(Self { url, ca_files: ca_files.to_owned() }),
            // The error may quote the URL.
            Err(_) => Err(configuration(
                "the URL of Redis is not valid. Use redis://user:password@host:port/database, rediss:// \
                 for TLS, or unix:///path/to/the/socket.",
            )),
        }
    }

    /// A hash, which tells servers apart.
    pub(crate) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.url.expose_secret()).into()
    }

    pub(super) fn client(&self) -> RedisResult<redis::Client> {
        if CryptoProvider::get_default().is_none() {
            // Another thread may have set one meanwhile, which will do.
            let _ = ring::default_provider().install_default();
        }
        if self.ca_files.is_empty() {
            return redis::Client::open(self.url.expose_secret());
        }
        let mut certificates = Vec::new();
        for path in &self.ca_files {
            certificates.extend(std::fs::read(path)?);
            certificates.push(b'\n');
        }
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(certificates) };
        redis::Client::build_with_tls(self.url.expose_secret(), certificates)
    }
}
