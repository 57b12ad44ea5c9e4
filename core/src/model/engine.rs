//! The catalogue: the engines, the models that each of them supports, and their rates.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::fields;
use super::shown;

/// The engines, the models that each of them supports, and the models' rates.
///
/// The service does not document the shape of its response, so it is read leniently.
/// [`raw`](Self::raw) holds the whole response, with the fields that have no place in the typed
/// view; serializing writes it back unchanged.
///
/// ```
/// use pipevideo::EngineCatalog;
///
/// let catalog: EngineCatalog = serde_json::from_str(
///     r#"{"engines": [{"id": "hyperframes", "models": [
///         {"id": "moonshotai/kimi-k2.5", "input_per_million": 0.6, "output_per_million": "2.5"}]}]}"#,
/// )?;
/// let model = &catalog.engines[0].models[0];
/// assert_eq!(model.output_per_million_usd.unwrap().to_string(), "2.5");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[serde(from = "Value", into = "Value")]
#[non_exhaustive]
pub struct EngineCatalog {
    /// The engines that were found in the response.
    pub engines: Vec<Engine>,
    /// The service's response as JSON, unchanged.
    pub raw: Value,
}

shown::debug!(EngineCatalog { engines } hidden { raw } urls {});

/// An engine that renders videos.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Engine {
    /// The engine's name in a request, such as `hyperframes`.
    pub id: String,
    /// The orchestration models that it supports.
    pub models: Vec<EngineModel>,
}

/// An orchestration model and its rates.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct EngineModel {
    /// The model's name in a request, such as `moonshotai/kimi-k2.5`.
    pub id: String,
    /// The price of a million input tokens, in US dollars.
    pub input_per_million_usd: Option<Decimal>,
    /// The price of a million output tokens, in US dollars.
    pub output_per_million_usd: Option<Decimal>,
}

impl From<EngineCatalog> for Value {
    fn from(catalog: EngineCatalog) -> Self {
        catalog.raw
    }
}

impl From<Value> for EngineCatalog {
    /// Reads `{"engines": …}`, `{"data": …}` or the list itself. Engines and models may be lists of
    /// objects or of names, or objects by name; models may stand within their engine or beside the
    /// engines.
    fn from(raw: Value) -> Self {
        let shared = raw.get("models").map(models).unwrap_or_default();
        let list = ["engines", "data"].iter().find_map(|name| raw.get(name)).unwrap_or(&raw);
        let engines = entries(list)
            .map(|(id, value)| Engine { models: engine_models(value, &shared), id })
            .collect();
        Self { engines, raw }
    }
}

fn engine_models(engine: &Value, shared: &[EngineModel]) -> Vec<EngineModel> {
    let Some(list) = ["models", "supported_models"].iter().find_map(|name| engine.get(name)) else {
        return shared.to_vec();
    };
    // The engine lists names of models; their rates may stand beside the engines.
    let with_rates = |model: EngineModel| {
        let listed = shared.iter().find(|listed| listed.id == model.id);
        match (model.input_per_million_usd, listed) {
            (None, Some(listed)) => listed.clone(),
            _ => model,
        }
    };
    models(list).into_iter().map(with_rates).collect()
}

fn models(list: &Value) -> Vec<EngineModel> {
    let model = |(id, value): (String, &Value)| EngineModel {
        id,
        input_per_million_usd: rate(value, &["input", "prompt"]),
        output_per_million_usd: rate(value, &["output", "completion"]),
    };
    entries(list).map(model).collect()
}

/// The entries of a list or object, each with the name that identifies it.
fn entries(list: &Value) -> Box<dyn Iterator<Item = (String, &Value)> + '_> {
    let name = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        value => ["id", "slug", "model", "engine", "name"]
            .iter()
            .find_map(|key| value.get(key)?.as_str().map(str::to_owned)),
    };
    match list {
        Value::Array(list) => Box::new(list.iter().filter_map(move |v| Some((name(v)?, v)))),
        Value::Object(map) => Box::new(
            map.iter().filter(|(_, v)| v.is_object() || v.is_array()).map(|(k, v)| (k.clone(), v)),
        ),
        _ => Box::new(std::iter::empty()),
    }
}

/// A rate: the first number with one of these words in its name, in the model or in its pricing.
fn rate(model: &Value, words: &[&str]) -> Option<Decimal> {
    let pick = |object: &Map<String, Value>| {
        object.iter().find_map(|(name, value)| {
            words
                .iter()
                .any(|word| name.to_ascii_lowercase().contains(word))
                .then(|| fields::decimal_of(value))?
        })
    };
    let object = model.as_object()?;
    pick(object).or_else(|| {
        ["pricing", "rates", "rate", "price", "cost"]
            .iter()
            .find_map(|name| pick(object.get(*name)?.as_object()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_plausible_shape_is_read() {
        let rates = json!({"input_per_million": 0.6, "output_per_million": 2.5});
        let model = json!({"id": "kimi", "rates": rates});
        for raw in [
            json!({"engines": [{"id": "hyperframes", "models": [model]}]}),
            json!({"data": [{"slug": "hyperframes", "models": [model]}]}),
            json!([{"name": "hyperframes", "supported_models": {"kimi": {"pricing": rates}}}]),
            json!({"engines": {"hyperframes": {"models": ["kimi"]}}, "models": [model]}),
            json!({"engines": ["hyperframes"], "models": {"kimi": rates}}),
        ] {
            let catalog = EngineCatalog::from(raw.clone());
            assert_eq!(catalog.engines.len(), 1, "{raw}");
            assert_eq!(catalog.engines[0].id, "hyperframes");
            let kimi = &catalog.engines[0].models[0];
            assert_eq!(kimi.id, "kimi");
            assert_eq!(kimi.input_per_million_usd.unwrap().to_string(), "0.6", "{raw}");
            assert_eq!(kimi.output_per_million_usd.unwrap().to_string(), "2.5", "{raw}");
            assert_eq!(serde_json::to_value(&catalog).unwrap(), raw);
        }
    }

    #[test]
    fn any_other_shape_is_kept_as_json() {
        for raw in [json!(null), json!("x"), json!({"engines": 3}), json!([1, [], {}])] {
            let catalog = EngineCatalog::from(raw.clone());
            assert!(catalog.engines.is_empty());
            assert_eq!(catalog.raw, raw);
        }
    }
}
