//! Signed URLs, which expire.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Signs the URLs of videos and checks them.
#[derive(Debug)]
pub(crate) struct UrlSigner {
    base: String,
    secret: [u8; 32],
    ttl_seconds: u64,
    signed: AtomicU64,
}

impl UrlSigner {
    pub(crate) fn new(base: String, ttl_seconds: u64) -> Self {
        let mut secret = [0; 32];
        fastrand::fill(&mut secret);
        Self { base, secret, ttl_seconds, signed: AtomicU64::new(1) }
    }

    /// A URL for this path that is valid from now until it expires. Each one is different.
    pub(crate) fn sign(&self, path: &str, now: Duration) -> String {
        let expires = now.as_secs().saturating_add(self.ttl_seconds);
        let nonce = self.signed.fetch_add(1, Ordering::Relaxed);
        let claims = format!("expires={expires}&nonce={nonce}");
        let signature = self.signature(path, &claims);
        format!("{}{path}?{claims}&signature={signature}", self.base)
    }

    /// Whether a path and its query are a signed URL that has not expired.
    pub(crate) fn is_valid(&self, path: &str, query: &str, now: Duration) -> bool {
        let Some((claims, signature)) = query.rsplit_once("&signature=") else {
            return false;
        };
        let expires = claims.strip_prefix("expires=").and_then(|rest| rest.split_once('&'));
        let expires = expires.and_then(|(seconds, _)| seconds.parse::<u64>().ok());
        expires.is_some_and(|expires| now.as_secs() < expires)
            && self.signature(path, claims) == signature
    }

    fn signature(&self, path: &str, claims: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.secret).expect("HMAC takes any key");
        mac.update(path.as_bytes());
        mac.update(b"?");
        mac.update(claims.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn valid(signer: &UrlSigner, url: &str, now: Duration) -> bool {
        let (path, query) = url.strip_prefix("http://v").unwrap().split_once('?').unwrap();
        signer.is_valid(path, query, now)
    }

    #[test]
    fn urls_expire_and_are_unique() {
        let signer = UrlSigner::new("http://v".to_owned(), 60);
        let url = signer.sign("/videos/a.mp4", at(1000));
        assert!(valid(&signer, &url, at(1000)));
        assert!(valid(&signer, &url, at(1059)));
        assert!(!valid(&signer, &url, at(1060)));
        assert_ne!(url, signer.sign("/videos/a.mp4", at(1000)));
    }

    #[test]
    fn changed_urls_and_foreign_signatures_are_invalid() {
        let signer = UrlSigner::new("http://v".to_owned(), 60);
        let url = signer.sign("/videos/a.mp4", at(1000));
        assert!(!valid(&signer, &url.replace("a.mp4", "b.mp4"), at(1000)));
        assert!(!valid(&signer, &url.replace("expires=1060", "expires=9999"), at(1000)));
        assert!(!valid(&signer, "http://v/videos/a.mp4?expires=9999", at(1000)));
        assert!(!valid(&UrlSigner::new("http://v".to_owned(), 60), &url, at(1000)));
    }
}
