//! The options of an emulator.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::control::PollStep;
use crate::deliveries::{WebhookEndpoint, WebhookFamily};

/// How an [`Emulator`](crate::Emulator) behaves. The default is realistic.
///
/// In JSON (in scenarios, and in `--options` of the program) all members are optional. Unknown members
/// are an error.
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
    /// The port of the API on 127.0.0.1. With 0 it is a free port. The videos are on another free port.
    pub port: u16,
    /// The only API key that is accepted. None: [`DEFAULT_API_KEY`] on a chosen `port`, and a new key
    /// on a free one. A client counts what a key has spent at a base URL for as long as its process
    /// runs, and a free port may be one that an earlier emulator had.
    pub api_key: Option<String>,
    /// The seed of ids, durations, token counts and failures. The n-th generation is the same in every
    /// run with the same seed.
    pub seed: u64,
    /// How much faster than real time generations progress. With 60, a minute takes a second. With 0
    /// they do not progress by themselves, only by [`advance`](crate::Emulator::advance),
    /// [`settle`](crate::Emulator::settle) and `polls`.
    pub speed: f64,
    /// The median time from create to end in seconds, before it is divided by `speed`.
    pub median_seconds: f64,
    /// The spread of the durations: the standard deviation of their logarithm.
    pub sigma: f64,
    /// The rate limit of the key, in real time whatever the `speed`. None: no limit.
    pub rate_limit: Option<RateLimit>,
    /// The prepaid credit at the start, in cents.
    pub balance_cents: i64,
    /// What the first, second, … poll of every new generation returns; the last entry repeats. None:
    /// time moves generations.
    pub polls: Option<Vec<PollStep>>,
    /// The share of generations that fail, from 0 to 1. Half of them fail after they were charged.
    pub failure_rate: f64,
    /// How long a signed video URL is valid. With 0 it has expired when it is returned.
    pub url_ttl_seconds: u64,
    /// The size of the video. It is then the real one repeated, which does not play, but may be of any
    /// size and is never held in memory. None: a real video of 4 seconds, in the shape of the canvas.
    pub video_bytes: Option<u64>,
    /// Where webhooks are sent, an `http://` URL on loopback. None: nowhere until
    /// [`set_webhook`](crate::Emulator::set_webhook) is called.
    pub webhook_url: Option<String>,
    /// The secrets that sign webhooks, `whsec_…`. Several sign together, as in a rotation.
    pub webhook_secrets: Vec<String>,
    /// The names of the webhook headers.
    pub webhook_family: WebhookFamily,
}

/// The API key of an emulator on a chosen port.
pub const DEFAULT_API_KEY: &str = "pv_emulator_0123456789abcdef";

/// The `speed` of [`Options::for_tests`], at which the median of 90 seconds takes one.
const SPEED_IN_TESTS: f64 = 90.0;

impl Options {
    /// Reads options that a test gives as JSON, as the packages for Python and Node do.
    ///
    /// If no option says how long generations take (`speed`, `median_seconds` or `polls`), they take
    /// about a second instead of minutes.
    ///
    /// ```
    /// use pipevideo_emulator::Options;
    /// use serde_json::json;
    ///
    /// let options = Options::for_tests(json!({ "rate_limit": null })).unwrap();
    /// assert!(options.speed > 1.0);
    /// ```
    ///
    /// # Errors
    /// A member is unknown, or its value has another type.
    pub fn for_tests(given: Value) -> serde_json::Result<Self> {
        let given_for = |name: &&str| given.get(name).is_some_and(|value| !value.is_null());
        let timed = ["speed", "median_seconds", "polls"].iter().any(given_for);
        let options: Self = serde_json::from_value(given)?;
        Ok(if timed { options } else { Self { speed: SPEED_IN_TESTS, ..options } })
    }

    /// How long a generation takes typically, in real time. Nothing if it ends after some
    /// [`polls`](Self::polls), whenever these come; `None` if it never ends by itself.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pipevideo_emulator::Options;
    ///
    /// let options = Options { speed: 90.0, ..Options::default() };
    /// assert_eq!(options.typical(), Some(Duration::from_secs(1)));
    /// ```
    pub fn typical(&self) -> Option<Duration> {
        if self.polls.is_some() {
            return Some(Duration::ZERO);
        }
        // A speed of 0 gives an infinite time, which is no duration.
        Duration::try_from_secs_f64(self.median_seconds / self.speed).ok()
    }

    pub(crate) fn api_key(&self) -> String {
        self.api_key.clone().unwrap_or_else(|| match self.port {
            0 => format!("pv_emulator_{:016x}", fastrand::u64(..)),
            _ => DEFAULT_API_KEY.to_owned(),
        })
    }

    pub(crate) fn webhook(&self) -> WebhookEndpoint {
        WebhookEndpoint {
            url: self.webhook_url.clone(),
            secrets: Some(self.webhook_secrets.clone()),
            family: Some(self.webhook_family),
        }
    }
}

/// Durations and failures are chosen to resemble a render of a short video; the rate limit is the one
/// that the service documents.
impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            api_key: None,
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

/// A limit of requests within a sliding window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// The number of requests that a window admits.
    pub requests: u32,
    /// The length of the window in real seconds.
    pub window_seconds: f64,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests: 100, window_seconds: 60.0 }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_test_has_quick_generations_unless_it_says_how_long_they_take() {
        let speed = |given| Options::for_tests(given).unwrap().speed;
        assert_eq!(speed(json!({})), SPEED_IN_TESTS);
        assert_eq!(speed(json!({ "seed": 5, "polls": null })), SPEED_IN_TESTS);
        assert_eq!(speed(json!({ "speed": 1 })), 1.0);
        assert_eq!(speed(json!({ "median_seconds": 7 })), 1.0);
        assert_eq!(speed(json!({ "polls": ["completed"] })), 1.0);
        assert!(Options::for_tests(json!({ "sped": 1 })).is_err());
    }

    #[test]
    fn the_typical_time_follows_from_median_and_speed_unless_polls_decide() {
        let typical = |given| Options::for_tests(given).unwrap().typical();
        assert_eq!(typical(json!({})), Some(Duration::from_secs(1)));
        assert_eq!(typical(json!({ "speed": 1 })), Some(Duration::from_secs(90)));
        assert_eq!(typical(json!({ "polls": ["queued", "completed"] })), Some(Duration::ZERO));
        for never in
            [json!({ "speed": 0 }), json!({ "speed": -1 }), json!({ "median_seconds": 1e300 })]
        {
            assert_eq!(typical(never), None);
        }
    }

    #[test]
    fn an_emulator_on_a_chosen_port_has_the_default_key() {
        let options = Options { port: 4010, ..Options::default() };
        assert_eq!(options.api_key(), DEFAULT_API_KEY);
    }
}
