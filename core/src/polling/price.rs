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
            let alive = shape.alive_since(seen);
            for nth in 0..PARTS {
                let at = age + (f64::from(nth) + 0.5) * part;
                let (_, hazard) = shape.survival_and_hazard(at);
                polls += part * alive(at) * hazard.sqrt();
            }
            // Those that have ended by now, and half of those that will end within the window.
            ends += 1.0 - (alive(age) + alive(age + rate.window)) / 2.0;
        }
        let room = (rate.polls - ends).max(MIN_SHARE * rate.polls);
        self.full = (polls / room).powi(2) / 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::forecast::Forecast;
    use super::*;

    const S: Duration = Duration::from_secs(1);
    /// A poll each two thirds of a second.
    const RATE: PollRate = PollRate { polls: 90.0, left: 90.0, window: 60.0 };

    /// The price for this many generations, first estimated at this time.
    fn price(count: usize, now: Duration) -> Price {
        let shape = Forecast::new(S * 90).shape("");
        let mut price = Price::default();
        price.estimate(RATE, std::iter::repeat_n((shape, 60.0, 70.0), count));
        price.advance(now, RATE, count);
        price
    }

    #[test]
    fn unspent_tokens_make_polls_cheaper_and_overspent_ones_dearer() {
        let mut price = price(20, Duration::ZERO);
        let full = price.now();
        price.advance(S * 2, RATE, 20);
        let cheaper = price.now();
        for _ in 0..5 {
            price.spend();
        }
        assert!(cheaper < full && price.now() > full, "{cheaper} {full} {}", price.now());
        price.advance(S * 3600, RATE, 20);
        let discount = price.now() / full;
        assert!(
            (discount - (-DISCOUNT).exp()).abs() < 1e-9,
            "no more than six are saved: {discount}"
        );
        price.spend();
        assert!(price.has_spare());
        price.spend();
        assert!(!price.has_spare());
        let discount = price.now() / full;
        assert!((discount - (-DISCOUNT * 4.0 / 6.0).exp()).abs() < 1e-9, "of six: {discount}");
    }

    /// Twice as many generations share the same polls, so that each gets half as many: four times the
    /// price, if none of them ends.
    #[test]
    fn the_price_grows_with_the_square_of_what_has_to_be_polled() {
        let ratio = price(40, Duration::ZERO).now() / price(20, Duration::ZERO).now();
        assert!((4.0..8.0).contains(&ratio), "{ratio}");
        assert_eq!(price(0, Duration::ZERO).now(), 0.0);
        // More ends than polls: a fifth of the polls is left to divide by.
        let ratio = price(20_000, Duration::ZERO).now() / price(10_000, Duration::ZERO).now();
        assert!((ratio - 4.0).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn after_a_429_half_the_polls_cost_more_than_four_times_as_much() {
        let shape = Forecast::new(S * 90).shape("");
        let estimate = |polls| {
            let mut price = Price::default();
            let generations = std::iter::repeat_n((shape, 60.0, 70.0), 30);
            price.estimate(PollRate { polls, left: polls, ..RATE }, generations);
            price.advance(Duration::ZERO, RATE, 30);
            price.now()
        };
        assert!(estimate(45.0) > 4.0 * estimate(90.0));
    }
}
