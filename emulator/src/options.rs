//! How an emulator is set up.

use serde::{Deserialize, Serialize};

use crate::script::PollStep;
use crate::webhook::{WebhookEndpoint, WebhookFamily};

/// How an [`Emulator`](crate::Emulator) behaves. The default is life-like.
///
/// As JSON (in scenarios, or `--options` of the program) every member may be left out; one that does
/// not exist is an error.
///
/// ```
/// use pipevideo_emulator::Options;
///
/// let fast = Options { speed: 60.0, rate_limit: None, ..Options::default() };
/// let same: Options = serde_json::from_str(r#"{"speed": 60, "rate_limit": null}"#).unwrap();
/// assert_eq!(fast, same);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The API's port on 127.0.0.1; 0 takes a free one. The videos are on another, free port.
    pub port: u16,
    /// The one key that is accepted.
    pub api_key: String,
    /// Ids, durations, token counts and failures follow from it: the n-th generation is the same in
    /// every run with the same seed.
    pub seed: u64,
    /// How much faster than life generations move: 1 is life-like, 60 a minute in a second. With 0
    /// nothing moves by itself, only [`settle`](crate::Emulator::settle) does.
    pub speed: f64,
    /// The median time from create to end, in seconds, before `speed`.
    pub median_seconds: f64,
    /// How far the durations scatter: the standard deviation of their logarithm.
    pub sigma: f64,
    /// Calls that the key may make. Its window is real time, whatever the `speed`. None: no limit.
    pub rate_limit: Option<RateLimit>,
    /// The prepaid credit at the start, in cents.
    pub balance_cents: i64,
    /// The script that every new generation follows in place of the clock: what its first, second, …
    /// poll shows, the last entry from then on.
    pub polls: Option<Vec<PollStep>>,
    /// The share of generations that fail, half of them after they were charged. From 0 to 1.
    pub failure_rate: f64,
    /// How long a signed video URL works; with 0 it has expired when it is given out.
    pub url_ttl_seconds: u64,
    /// Serve this many bytes as the video: the real one over and over. No longer playable, but as
    /// long as wished, and never held in memory.
    pub video_bytes: Option<u64>,
    /// Where webhooks are sent, a plain `http` URL on loopback. None: nowhere, until
    /// [`set_webhook`](crate::Emulator::set_webhook) says.
    pub webhook_url: Option<String>,
    /// What signs them, `whsec_…`; with two both sign, as in a rotation.
    pub webhook_secrets: Vec<String>,
    /// The names of their headers.
    pub webhook_family: WebhookFamily,
}

impl Options {
    pub(crate) fn webhook(&self) -> WebhookEndpoint {
        WebhookEndpoint {
            url: self.webhook_url.clone(),
            secrets: Some(self.webhook_secrets.clone()),
            family: Some(self.webhook_family),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            api_key: "pv_emulator_0123456789abcdef".to_owned(),
            seed: 0,
            speed: 1.0,
            median_seconds: 90.0,
            sigma: 0.5,
            rate_limit: Some(RateLimit::default()),
            balance_cents: 10_000,
            polls: None,
            failure_rate: 0.0,
            url_ttl_seconds: 3600,
            video_bytes: None,
            webhook_url: None,
            webhook_secrets: vec!["whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==".to_owned()],
            webhook_family: WebhookFamily::Svix,
        }
    }
}

/// So many calls in any so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// The calls that fit into a window.
    pub requests: u32,
    /// The window's length, in real seconds.
    pub window_seconds: f64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests: 100, window_seconds: 60.0 }
    }
}
