//! The service's catalogue: engines, models with their rates, and providers.

use serde_json::{Value, json};

use super::ledger::Money;
use crate::control::Tokens;

/// An orchestration model and its rates.
#[derive(Debug, PartialEq)]
pub(crate) struct Model {
    pub(crate) id: &'static str,
    name: &'static str,
    /// The price of a million tokens.
    input_rate: Money,
    output_rate: Money,
}

/// A video engine.
#[derive(Debug, PartialEq)]
pub(crate) struct Engine {
    pub(crate) id: &'static str,
    name: &'static str,
    /// The extension of its files.
    pub(crate) output: &'static str,
}

/// A provider that runs engines.
#[derive(Debug, PartialEq)]
pub(crate) struct Provider {
    pub(crate) id: &'static str,
    engines: &'static [&'static str],
    models: &'static [&'static str],
}

const MODELS: &[Model] = &[
    model("moonshotai/kimi-k2.5", "Kimi K2.5", 600_000, 2_500_000),
    model("anthropic/claude-sonnet-4.5", "Claude Sonnet 4.5", 3_000_000, 15_000_000),
    model("openai/gpt-5-mini", "GPT-5 mini", 250_000, 2_000_000),
];

const fn model(id: &'static str, name: &'static str, input: i64, output: i64) -> Model {
    Model { id, name, input_rate: Money::micros(input), output_rate: Money::micros(output) }
}

const ENGINES: &[Engine] = &[
    Engine { id: "hyperframes", name: "HyperFrames", output: "mp4" },
    Engine { id: "lottie", name: "Lottie", output: "json" },
];

/// The providers. The first is the default.
const PROVIDERS: &[Provider] = &[
    Provider {
        id: "framerate",
        engines: &["hyperframes", "lottie"],
        models: &["moonshotai/kimi-k2.5", "anthropic/claude-sonnet-4.5", "openai/gpt-5-mini"],
    },
    Provider {
        id: "storyboard",
        engines: &["hyperframes"],
        models: &["moonshotai/kimi-k2.5", "openai/gpt-5-mini"],
    },
];

impl Model {
    /// The cost of these tokens, rounded half up to a millionth of a dollar. It is rounded once, so that
    /// rounding errors do not add up.
    pub(crate) fn cost(&self, tokens: Tokens) -> Money {
        let part = |count: u64, rate: Money| {
            i128::from(count).saturating_mul(i128::from(rate.as_micros()))
        };
        let millionths = part(tokens.input_tokens, self.input_rate)
            .saturating_add(part(tokens.output_tokens, self.output_rate));
        let micros = millionths.saturating_add(500_000) / 1_000_000;
        Money::micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}

pub(crate) fn find_model(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.id == id)
}

pub(crate) fn first_model() -> &'static Model {
    &MODELS[0]
}

/// The engine with this id. `auto` leaves the choice to the service, which chooses `hyperframes`.
pub(crate) fn find_engine(id: &str) -> Option<&'static Engine> {
    let id = if id == "auto" { "hyperframes" } else { id };
    ENGINES.iter().find(|engine| engine.id == id)
}

/// The first provider in this order that offers both the engine and the model.
pub(crate) fn route<'a>(
    mut order: impl Iterator<Item = &'a str>,
    engine: &Engine,
    model: &Model,
) -> Option<&'static Provider> {
    order.find_map(|slug| {
        let provider = PROVIDERS.iter().find(|provider| provider.id == slug)?;
        let fits = provider.engines.contains(&engine.id) && provider.models.contains(&model.id);
        fits.then_some(provider)
    })
}

pub(crate) fn default_provider() -> &'static Provider {
    &PROVIDERS[0]
}

/// The response of `GET /v1/engines`.
pub(crate) fn listing() -> Value {
    let engines = ENGINES.iter().map(|engine| {
        let providers: Vec<_> =
            PROVIDERS.iter().filter(|provider| provider.engines.contains(&engine.id)).collect();
        let has = |model: &&Model| providers.iter().any(|p| p.models.contains(&model.id));
        json!({
            "id": engine.id,
            "name": engine.name,
            "output_format": engine.output,
            "providers": providers.iter().map(|provider| provider.id).collect::<Vec<_>>(),
            "models": MODELS.iter().filter(has).map(listed_model).collect::<Vec<_>>(),
        })
    });
    json!({ "engines": engines.collect::<Vec<_>>() })
}

fn listed_model(model: &Model) -> Value {
    json!({
        "id": model.id,
        "name": model.name,
        "input_cost_per_million": model.input_rate.as_usd(),
        "output_cost_per_million": model.output_rate.as_usd(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_rounded_once() {
        let model = first_model();
        let cost = |input_tokens, output_tokens| model.cost(Tokens { input_tokens, output_tokens });
        assert_eq!(cost(1_000_000, 0), Money::micros(600_000));
        assert_eq!(cost(1, 0), Money::micros(1)); // 0.6
        assert_eq!(cost(0, 1), Money::micros(3)); // 2.5
        assert_eq!(cost(1, 1), Money::micros(3)); // 3.1
    }

    #[test]
    fn the_first_matching_provider_is_chosen() {
        let (kimi, lottie) = (first_model(), find_engine("lottie").unwrap());
        let chosen =
            |order: &[&str], engine| route(order.iter().copied(), engine, kimi).map(|p| p.id);
        assert_eq!(
            chosen(&["storyboard", "framerate"], find_engine("auto").unwrap()),
            Some("storyboard")
        );
        assert_eq!(chosen(&["storyboard", "framerate"], lottie), Some("framerate"));
        assert_eq!(chosen(&["storyboard", "unknown"], lottie), None);
    }
}
