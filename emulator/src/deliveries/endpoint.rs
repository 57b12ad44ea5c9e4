//! Where deliveries are sent and how they are signed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hyper::Uri;
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::control::ControlError;

/// Where the emulator sends webhooks and how it signs them.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pipevideo_emulator::{Emulator, Options, WebhookEndpoint};
///
/// let emulator = Emulator::start(Options::default()).await?;
/// emulator.set_webhook(WebhookEndpoint::to("http://127.0.0.1:8000/webhooks"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookEndpoint {
    /// The receiver, an `http://` URL on loopback. None: no webhooks are sent.
    pub url: Option<String>,
    /// The signing secrets, `whsec_…`. Several sign together, as in a rotation. None: unchanged.
    pub secrets: Option<Vec<String>>,
    /// The names of the headers. None: unchanged.
    pub family: Option<WebhookFamily>,
}

impl WebhookEndpoint {
    /// Sends to this URL, with the secrets and header names unchanged.
    pub fn to(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::default() }
    }
}

/// The names of the headers of a delivery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookFamily {
    /// `svix-id`, `svix-timestamp`, `svix-signature`.
    #[default]
    Svix,
    /// `webhook-id`, `webhook-timestamp`, `webhook-signature`.
    Webhook,
}

/// A checked [`WebhookEndpoint`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoint {
    pub(crate) receiver: Option<Receiver>,
    keys: Vec<Vec<u8>>,
    family: WebhookFamily,
}

impl Endpoint {
    /// Applies a change. If any part of it is invalid, nothing changes.
    pub(crate) fn update(&mut self, change: &WebhookEndpoint) -> Result<(), ControlError> {
        let receiver = change.url.as_deref().map(Receiver::parse).transpose()?;
        let keys = change.secrets.as_ref().map(|secrets| secrets.iter().map(|s| key(s)).collect());
        if let Some(keys) = keys.transpose()? {
            self.keys = keys;
        }
        self.receiver = receiver;
        self.family = change.family.unwrap_or(self.family);
        Ok(())
    }

    /// The three signature headers of a delivery. `now` is counted from the Unix epoch.
    pub(crate) fn sign(&self, id: &str, body: &str, now: Duration) -> [(&'static str, String); 3] {
        let seconds = now.as_secs();
        let sign = |key: &Vec<u8>| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes any key");
            mac.update(format!("{id}.{seconds}.{body}").as_bytes());
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        };
        let signatures: Vec<_> = self.keys.iter().map(sign).collect();
        let names = match self.family {
            WebhookFamily::Svix => ["svix-id", "svix-timestamp", "svix-signature"],
            WebhookFamily::Webhook => ["webhook-id", "webhook-timestamp", "webhook-signature"],
        };
        let [id_name, timestamp, signature] = names;
        [
            (id_name, id.to_owned()),
            (timestamp, seconds.to_string()),
            (signature, signatures.join(" ")),
        ]
    }
}

/// The key of a secret. The error does not quote the secret.
fn key(secret: &str) -> Result<Vec<u8>, ControlError> {
    let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap_or(secret));
    key.ok()
        .filter(|key| !key.is_empty())
        .ok_or_else(|| ControlError("A webhook secret is not whsec_ followed by base64".to_owned()))
}

/// The address of a receiver.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// The `host` header: the host and port as in the URL.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) addresses: Vec<SocketAddr>,
}

impl Receiver {
    /// Accepts only URLs on loopback, so that data of tests never leaves the machine.
    fn parse(url: &str) -> Result<Self, ControlError> {
        let invalid = || {
            ControlError(
                "A webhook URL must be http:// and on loopback, as 127.0.0.1 is".to_owned(),
            )
        };
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let authority = uri.authority().filter(|it| !it.as_str().contains('@'));
        let authority = authority.filter(|_| uri.scheme_str() == Some("http"));
        let authority = authority.ok_or_else(invalid)?;
        let host = authority.host().trim_matches(['[', ']']);
        let ips: Vec<IpAddr> = match host {
            "localhost" => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
            host => vec![host.parse().map_err(|_| invalid())?],
        };
        if !ips.iter().all(IpAddr::is_loopback) {
            return Err(invalid());
        }
        let port = authority.port_u16().unwrap_or(80);
        Ok(Self {
            host: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            addresses: ips.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_match_the_published_vectors() {
        let mut endpoint = Endpoint::default();
        for (secret, id, seconds, body, signature) in [
            (
                "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                1_614_265_330,
                r#"{"test": 2432232314}"#,
                "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            ),
            (
                "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
                "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
                1_649_367_553,
                r#"{"email":"test@example.com","username":"test_user"}"#,
                "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
            ),
        ] {
            let secrets = Some(vec![secret.to_owned()]);
            endpoint.update(&WebhookEndpoint { secrets, ..Default::default() }).unwrap();
            let signed = endpoint.sign(id, body, Duration::from_secs(seconds));
            assert_eq!(signed[2], ("svix-signature", signature.to_owned()));
        }
    }

    #[test]
    fn only_loopback_urls_are_accepted() {
        for url in [
            "http://127.0.0.1:8000/hooks?a=b",
            "http://127.9.9.9",
            "http://localhost:1",
            "http://[::1]:8000/",
        ] {
            assert!(Receiver::parse(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "/hooks",
            "https://127.0.0.1",
            "http://192.0.2.1/",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "http://127.0.0.1@example.com",
            "http://user@127.0.0.1",
        ] {
            assert!(Receiver::parse(url).is_err(), "{url}");
        }
    }
}
