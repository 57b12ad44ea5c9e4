//! What fate has in store for a generation: drawn once, at its creation, from the seed.

use std::time::Duration;

use fastrand::Rng;

use crate::options::Options;
use crate::script::{GenerationError, Tokens};

/// What the n-th generation of a seed is like.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    /// From create to end, as `speed` has it. None: nothing moves by itself.
    pub(crate) duration: Option<Duration>,
    pub(crate) tokens: Tokens,
    pub(crate) failure: Option<Failure>,
}

/// How a generation fails, and whether its orchestration was paid for by then.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    pub(crate) charged: bool,
    pub(crate) error: GenerationError,
}

/// The share of the duration that is spent in the queue, and until the orchestration has ended.
const QUEUE: f64 = 0.05;
const ORCHESTRATION: f64 = 0.35;

impl Plan {
    /// Draws the n-th generation's fate; `prompt_tokens` are what the request adds to its input.
    pub(crate) fn draw(options: &Options, n: u64, prompt_tokens: u64) -> Self {
        let mut rng = Rng::with_seed(options.seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let seconds = options.median_seconds * (options.sigma * normal(&mut rng)).exp();
        let moves = options.speed > 0.0;
        let tokens =
            Tokens { input_tokens: 900 + prompt_tokens, output_tokens: rng.u64(1_500..6_000) };
        let fails = rng.f64() < options.failure_rate;
        let failure = Failure::any(&mut rng);
        Self {
            duration: moves
                .then(|| Duration::try_from_secs_f64(seconds / options.speed).ok())
                .flatten(),
            tokens,
            failure: fails.then_some(failure),
        }
    }

    /// When it leaves the queue, counted from its creation.
    pub(crate) fn starts(&self) -> Option<Duration> {
        Some(self.duration?.mul_f64(QUEUE))
    }

    /// When its orchestration has ended.
    pub(crate) fn is_orchestrated(&self) -> Option<Duration> {
        Some(self.duration?.mul_f64(ORCHESTRATION))
    }
}

impl Failure {
    fn any(rng: &mut Rng) -> Self {
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

/// A standard normal variate (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(options: &Options, n: u64) -> f64 {
        Plan::draw(options, n, 0).duration.unwrap().as_secs_f64()
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let options = |seed| Options { seed, failure_rate: 0.5, ..Options::default() };
        for n in 0..50 {
            assert_eq!(Plan::draw(&options(7), n, 5), Plan::draw(&options(7), n, 5));
        }
        assert_ne!(Plan::draw(&options(7), 0, 5), Plan::draw(&options(8), 0, 5));
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
    fn speed_divides_and_zero_stands_still() {
        let at = |speed| Options { speed, ..Options::default() };
        assert!((seconds(&at(1.0), 3) / seconds(&at(60.0), 3) - 60.0).abs() < 1e-3);
        assert_eq!(Plan::draw(&at(0.0), 3, 0).duration, None);
    }

    #[test]
    fn failures_have_their_share() {
        let options = Options { failure_rate: 0.25, ..Options::default() };
        let failed = (0..4000).filter(|&n| Plan::draw(&options, n, 0).failure.is_some()).count();
        assert!((900..1100).contains(&failed), "{failed}");
    }
}
