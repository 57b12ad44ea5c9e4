//! The arguments of the program `pipevideo-emulator`, and of the command `pipevideo emulator`.

use clap::Parser;

use crate::options::{Options, RateLimit};

/// Pipevideo's video generation API on 127.0.0.1, for tests and experiments.
///
/// Prints one line of JSON, `{"base_url":…,"api_key":…}`, and runs until its standard input closes. A
/// program started with `&` in a script has no input and would end at once; this runs for ten minutes:
/// `sleep 600 | pipevideo-emulator --port 4010 &`
///
/// Single options take precedence over those in `--options`.
#[derive(Debug, Parser)]
#[command(name = "pipevideo-emulator", version)]
pub struct Arguments {
    /// The port of the API on 127.0.0.1; 0 means a free port [default: 0]
    #[arg(long)]
    port: Option<u16>,
    /// The only API key that is accepted [default: pv_emulator_0123456789abcdef] on a port that is
    /// given, a new one on a free port
    #[arg(long)]
    api_key: Option<String>,
    /// The seed of ids, durations, token counts and failures [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// How much faster than real time generations progress; 0 stops time [default: 1]
    #[arg(long)]
    speed: Option<f64>,
    /// The median seconds from create to end, before `--speed` [default: 90]
    #[arg(long)]
    median_seconds: Option<f64>,
    /// The spread of the durations: the standard deviation of their logarithm [default: 0.5]
    #[arg(long)]
    sigma: Option<f64>,
    /// REQUESTS/SECONDS, or none for no limit [default: 100/60]
    #[arg(long, value_parser = rate_limit)]
    rate_limit: Option<Limit>,
    /// The prepaid credit at the start, in cents [default: 10000]
    #[arg(long)]
    balance_cents: Option<i64>,
    /// The share of generations that fail, from 0 to 1 [default: 0]
    #[arg(long)]
    failure_rate: Option<f64>,
    /// How many seconds a signed video URL is valid [default: 3600]
    #[arg(long)]
    url_ttl_seconds: Option<u64>,
    /// The size of the video in bytes [default: that of a real video of 4 seconds]
    #[arg(long)]
    video_bytes: Option<u64>,
    /// Where webhooks are sent, an http:// URL on loopback [default: nowhere]
    #[arg(long)]
    webhook_url: Option<String>,
    /// A secret that signs webhooks; may be given twice, as in a rotation
    /// [default: whsec_ZW11bGF0b3ItMDEyMzQ1Njc4OWFiY2RlZg==]
    #[arg(long)]
    webhook_secret: Vec<String>,
    /// All options as one JSON object, which may also have `polls` and `webhook_family`
    #[arg(long, value_name = "JSON", value_parser = options)]
    options: Option<Options>,
}

/// A rate limit or none. A type of its own, because clap treats `Option<Option<_>>` specially.
#[derive(Clone, Debug)]
struct Limit(Option<RateLimit>);

fn rate_limit(text: &str) -> Result<Limit, String> {
    if text == "none" {
        return Ok(Limit(None));
    }
    let parsed = text.split_once('/').and_then(|(requests, seconds)| {
        let window_seconds = seconds.parse().ok().filter(|seconds| *seconds > 0.0)?;
        Some(RateLimit { requests: requests.parse().ok()?, window_seconds })
    });
    parsed
        .map(|limit| Limit(Some(limit)))
        .ok_or("expected REQUESTS/SECONDS, as in 100/60, or none".to_owned())
}

fn options(json: &str) -> Result<Options, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

impl Arguments {
    /// The options that the arguments stand for.
    pub fn into_options(self) -> Options {
        let base = self.options.unwrap_or_default();
        Options {
            port: self.port.unwrap_or(base.port),
            api_key: self.api_key.or(base.api_key),
            seed: self.seed.unwrap_or(base.seed),
            speed: self.speed.unwrap_or(base.speed),
            median_seconds: self.median_seconds.unwrap_or(base.median_seconds),
            sigma: self.sigma.unwrap_or(base.sigma),
            rate_limit: self.rate_limit.map_or(base.rate_limit, |limit| limit.0),
            balance_cents: self.balance_cents.unwrap_or(base.balance_cents),
            polls: base.polls,
            failure_rate: self.failure_rate.unwrap_or(base.failure_rate),
            url_ttl_seconds: self.url_ttl_seconds.unwrap_or(base.url_ttl_seconds),
            video_bytes: self.video_bytes.or(base.video_bytes),
            webhook_url: self.webhook_url.or(base.webhook_url),
            webhook_secrets: if self.webhook_secret.is_empty() {
                base.webhook_secrets
            } else {
                self.webhook_secret
            },
            webhook_family: base.webhook_family,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::options::DEFAULT_API_KEY;

    #[test]
    fn the_help_lists_the_defaults() {
        let help = Arguments::command().render_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let defaults = Options::default();
        let limit = defaults.rate_limit.expect("the service has a rate limit");
        for (option, default) in [
            ("port", defaults.port.to_string()),
            ("api-key", DEFAULT_API_KEY.to_owned()),
            ("seed", defaults.seed.to_string()),
            ("speed", defaults.speed.to_string()),
            ("median-seconds", defaults.median_seconds.to_string()),
            ("sigma", defaults.sigma.to_string()),
            ("rate-limit", format!("{}/{}", limit.requests, limit.window_seconds)),
            ("balance-cents", defaults.balance_cents.to_string()),
            ("failure-rate", defaults.failure_rate.to_string()),
            ("url-ttl-seconds", defaults.url_ttl_seconds.to_string()),
            ("webhook-secret", defaults.webhook_secrets.join(" ")),
        ] {
            let (_, text) =
                help.split_once(&format!("--{option} <")).expect("the option is in the help");
            let (text, _) = text.split_once(']').expect("the default ends with a bracket");
            assert!(text.ends_with(&format!("[default: {default}")), "--{option}: {text}");
        }
    }
}
