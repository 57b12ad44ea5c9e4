//! The course of a generation over time, drawn from the seed when it is created.

use std::time::Duration;

use fastrand::Rng;

use crate::clock::divided_by_speed;
use crate::control::{GenerationError, Tokens};
use crate::options::Options;

/// How long a generation takes, what it uses, and whether it fails.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Course {
    /// The time from create to end, divided by `speed`.
    pub(crate) duration: Duration,
    pub(crate) tokens: Tokens,
    pub(crate) failure: Option<Failure>,
}

/// How a generation fails, and whether it was charged before.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) charged: bool,
    pub(crate) error: GenerationError,
}

/// The share of the duration after which a generation leaves the queue. A guess: the service does not
/// publish it.
const QUEUED_UNTIL: f64 = 0.05;
/// The share of the duration after which the orchestration ends, also a guess. Rendering takes the
/// longest part.
const ORCHESTRATED_UNTIL: f64 = 0.35;

/// The input tokens that the service's own instructions to the model add. A plausible number.
const BASE_INPUT_TOKENS: u64 = 900;
/// The output tokens of an orchestration. Plausible numbers for a page of animation code.
const OUTPUT_TOKENS: std::ops::Range<u64> = 1_500..6_000;
/// 2^64 divided by the golden ratio: it spreads successive numbers over all seeds.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Course {
    /// Draws the course of the n-th generation. `prompt_tokens` is what the request adds to its input.
    pub(crate) fn draw(options: &Options, n: u64, prompt_tokens: u64) -> Self {
        let mut rng = Rng::with_seed(options.seed ^ n.wrapping_mul(SEED_STEP));
        let seconds = options.median_seconds * (options.sigma * normal(&mut rng)).exp();
        let duration = divided_by_speed(seconds, options.speed);
        let tokens = Tokens {
            input_tokens: BASE_INPUT_TOKENS.saturating_add(prompt_tokens),
            output_tokens: rng.u64(OUTPUT_TOKENS),
        };
        let fails = rng.f64() < options.failure_rate;
        let failure = Failure::draw(&mut rng);
        Self { duration, tokens, failure: fails.then_some(failure) }
    }

    /// When the generation leaves the queue, counted from its creation.
    pub(crate) fn orchestration_starts(&self) -> Duration {
        part(self.duration, QUEUED_UNTIL)
    }

    /// When the orchestration ends, counted from the creation.
    pub(crate) fn orchestration_ends(&self) -> Duration {
        part(self.duration, ORCHESTRATED_UNTIL)
    }
}

/// A share of a duration, which may be the longest that there is.
fn part(duration: Duration, share: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * share).unwrap_or(duration)
}

impl Failure {
    fn draw(rng: &mut Rng) -> Self {
        let kinds = [
            (true, "provider_error", "The render pipeline failed"),
            (true, "provider_error", "The upload of the video failed"),
            (false, "provider_error", "The orchestration failed"),
            (false, "invalid_prompt", "The prompt is not valid"),
        ];
        let (charged, code, message) = kinds[rng.usize(..kinds.len())];
        let error = GenerationError { code: code.to_owned(), message: message.to_owned() };
        Self { charged, error }
    }
}

/// A standard normal variate, by the Box–Muller transform.
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(options: &Options, n: u64) -> f64 {
        Course::draw(options, n, 0).duration.as_secs_f64()
    }

    #[test]
    fn the_same_seed_draws_the_same_course() {
        let options = |seed| Options { seed, failure_rate: 0.5, ..Options::default() };
        for n in 0..50 {
            assert_eq!(Course::draw(&options(7), n, 5), Course::draw(&options(7), n, 5));
        }
        assert_ne!(Course::draw(&options(7), 0, 5), Course::draw(&options(8), 0, 5));
    }

    #[test]
    fn durations_are_log_normal() {
        let options = Options::default();
        let mut logs: Vec<f64> = (0..4001).map(|n| seconds(&options, n).ln()).collect();
        logs.sort_by(f64::total_cmp);
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let deviation =
            (logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        assert!((logs[2000].exp() - 90.0).abs() < 4.0, "median {}", logs[2000].exp());
        assert!((deviation - 0.5).abs() < 0.03, "sigma {deviation}");
    }

    #[test]
    fn speed_divides_durations() {
        let at = |speed| Options { speed, ..Options::default() };
        assert!((seconds(&at(1.0), 3) / seconds(&at(60.0), 3) - 60.0).abs() < 1e-3);
        let endless = Course::draw(&at(1e-300), 3, 0);
        assert_eq!(endless.orchestration_starts(), Duration::MAX.mul_f64(QUEUED_UNTIL));
    }

    #[test]
    fn failures_occur_at_the_failure_rate() {
        let options = Options { failure_rate: 0.25, ..Options::default() };
        let failed = (0..4000).filter(|&n| Course::draw(&options, n, 0).failure.is_some()).count();
        assert!((900..1100).contains(&failed), "{failed}");
    }
}
