//! What a poll has to be worth: the price at which the polls of a window are just used up.

use std::time::Duration;

use super::budget::PollRate;
use super::forecast::Shape;

/// The price of a poll, in seconds of unseen time that it has to end, and the tokens that adapt it.
///
/// Tokens come at the rate at which the window has room for polls, and each poll takes one. Unspent
/// ones make polls cheaper, overspent ones dearer, so that the estimate need not be exact.
#[derive(Debug, Default)]
pub(super) struct Price {
    /// The estimated price while there are no tokens.
    full: f64,
    tokens: f64,
    /// How many tokens may be saved up.
    depth: f64,
    /// When the tokens were last counted.
    counted_at: Duration,
}

/// The tokens that may be saved up, for each generation that is polled: more would be spent in bursts,
/// fewer would lose the room that a lull leaves. Found by simulation, as are the next two.
const TOKENS_EACH: f64 = 0.3;
const MIN_TOKENS: f64 = 2.0;
/// With all tokens saved up, a poll costs e to the power of minus this: 1/150, so that nothing is
/// hoarded.
const DISCOUNT: f64 = 5.0;
/// The parts into which the next window is divided to estimate its polls.
const PARTS: u32 = 3;
/// The polls of a window that are left for others than those which see an end, at least: the estimate
/// must not grow without bound when there are more ends than polls.
const MIN_SHARE: f64 = 0.2;

impl Price {
    /// Counts the tokens up to now, for this many generations that are polled.
    pub(super) fn advance(&mut self, now: Duration, rate: PollRate, polled: usize) {
        self.depth = (TOKENS_EACH * polled as f64).clamp(MIN_TOKENS, rate.polls.max(MIN_TOKENS));
        let elapsed = now.saturating_sub(self.counted_at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * rate.a_second()).min(self.depth);
        self.counted_at = now;
    }

    /// A poll was sent.
    pub(super) fn spend(&mut self) {
        self.tokens -= 1.0;
    }

    /// Whether nothing better to spend a token on has turned up for a while.
    pub(super) fn has_spare(&self) -> bool {
        self.tokens >= self.depth - 1.0
    }

    /// What a poll has to be worth now.
    pub(super) fn now(&self) -> f64 {
        self.full * (-DISCOUNT * self.tokens / self.depth.max(MIN_TOKENS)).exp()
    }

    /// Estimates the price anew for these generations: the shape of each one's durations, its age when
    /// it was last seen running, and its age now, in seconds.
    pub(super) fn estimate(
        &mut self,
        rate: PollRate,
        generations: impl Iterator<Item = (Shape, f64, f64)>,
    ) {
        // At price p, a generation with hazard h is polled each sqrt(2 p / h) seconds: that many polls
        // in the next window, times sqrt(2 p), and the ones that see an end.
        let (mut polls, mut ends) = (0.0, 0.0);
        let part = rate.window / f64::from(PARTS);
        for (shape, seen, age) in generations {
            for nth in 0..PARTS {
                let at = age + (f64::from(nth) + 0.5) * part;
                let (_, hazard) = shape.survival_and_hazard(at);
                polls += part * shape.alive(seen, at) * hazard.sqrt();
            }
            // Those that have ended by now, and half of those that will end within the window.
            ends += 1.0 - (shape.alive(seen, age) + shape.alive(seen, age + rate.window)) / 2.0;
        }
        let room = (rate.polls - ends).max(MIN_SHARE * rate.polls);
        self.full = (polls / room).powi(2) / 2.0;
    }
}
