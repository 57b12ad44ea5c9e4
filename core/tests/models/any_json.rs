//! Properties that hold for any JSON that the service may send.

use pipevideo::{AccountUsage, EngineCatalog, Generation, GenerationRequest, TokenUsage};
use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{read, value};

/// Any JSON.
fn anything() -> impl Strategy<Value = Value> {
    let number = any::<f64>().prop_filter_map("JSON has no infinities", |number| {
        serde_json::Number::from_f64(number).map(Value::Number)
    });
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        number,
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec(("[a-z_]{1,6}", inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// An object with each of these fields absent, as expected, or anything; and with unknown ones.
fn object(
    fields: Vec<(&'static str, BoxedStrategy<Value>)>,
) -> impl Strategy<Value = Map<String, Value>> {
    let known: Vec<_> = fields
        .into_iter()
        .map(|(name, fine)| {
            let field = prop_oneof![
                2 => Just(None),
                4 => fine.prop_map(Some),
                1 => Just(Some(Value::Null)),
                1 => anything().prop_map(Some),
            ];
            field.prop_map(move |value| value.map(|value| (name.to_owned(), value)))
        })
        .collect();
    let unknown = prop::collection::vec(("x_[a-z]{1,5}|[A-Z]{1,3}|", anything()), 0..3);
    (known, unknown)
        .prop_map(|(known, unknown)| known.into_iter().flatten().chain(unknown).collect())
}

/// A placeholder for the text of a cost, which is a decimal of at most 28 digits.
const COST: &str = "placeholder of the cost";

fn cost() -> impl Strategy<Value = String> {
    ("[1-9][0-9]{0,13}|0", prop::option::of("[0-9]{1,14}"), any::<bool>()).prop_map(
        |(whole, fraction, quoted)| {
            let number = fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}"));
            if quoted { format!("\"{number}\"") } else { number }
        },
    )
}

fn generation() -> impl Strategy<Value = Map<String, Value>> {
    let text = || "\\PC{1,8}".prop_map(Value::from).boxed();
    let count = || (0..1u64 << 40).prop_map(Value::from).boxed();
    let usage = object(vec![
        ("input_tokens", count()),
        ("prompt_tokens", count()),
        ("output_tokens", count()),
        ("completion_tokens", count()),
        ("total_tokens", count()),
        ("cost_usd", Just(Value::from(COST)).boxed()),
    ]);
    let error = object(vec![("code", text()), ("message", text())]);
    let status = prop::sample::select(vec![
        "queued",
        "in_progress",
        "completed",
        "failed",
        "pending",
        "processing",
        "polishing",
        "",
    ]);
    let rest = object(vec![
        ("model", text()),
        ("engine", text()),
        ("provider", text()),
        ("created_at", count()),
        ("output_video_url", text()),
        ("usage", usage.prop_map(Value::Object).boxed()),
        ("error", error.prop_map(Value::Object).boxed()),
        ("latency_ms", count()),
        ("output", anything().boxed()),
    ]);
    ("\\PC{1,12}", status, rest).prop_map(|(id, status, mut rest)| {
        rest.insert("id".to_owned(), id.into());
        rest.insert("status".to_owned(), status.into());
        rest
    })
}

/// Equal, where `3.0` and `3` are.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn reading_and_writing_keeps_every_field(
        generation in generation(), cost in cost(),
    ) {
        let text = Value::Object(generation.clone()).to_string();
        let text = text.replace(&format!("\"{COST}\""), &cost);
        let read_once = read(&text);
        let written = serde_json::to_string(&read_once).unwrap();
        let has_cost = generation.get("usage").is_some_and(|usage| usage["cost_usd"] == COST);
        prop_assert!(same(&value(&written), &value(&text)), "{}\n{}", text, written);
        if has_cost {
            let exact = read_once.usage.as_ref().and_then(|usage| usage.cost_usd);
            let exact = exact.map(|exact| exact.to_string()).unwrap_or_default();
            prop_assert_eq!(exact, cost.trim_matches('"'));
            prop_assert!(written.contains(&format!("\"cost_usd\":{cost}")), "{} {}", written, cost);
        }
        let again = read(&written);
        prop_assert_eq!(&again, &read_once);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }

    /// The catalogue and the account keep any response unchanged.
    #[test]
    fn raw_responses_are_kept(response in anything()) {
        let text = response.to_string();
        let catalog: EngineCatalog = serde_json::from_str(&text).unwrap();
        let usage: AccountUsage = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::to_string(&catalog).unwrap(), text.clone());
        prop_assert_eq!(serde_json::to_string(&usage).unwrap(), text);
    }

    #[test]
    fn no_text_makes_reading_panic(text in "[\\[\\]{}\":,0-9eE.+\\-nulltruefalse\\\\ idstatusquedge]{0,60}") {
        let _ = serde_json::from_str::<Generation>(&text);
        let _ = serde_json::from_str::<AccountUsage>(&text);
        let _ = serde_json::from_str::<EngineCatalog>(&text);
        let _ = serde_json::from_str::<GenerationRequest>(&text);
        let cost = format!("{{\"cost_usd\":{}}}", Value::from(text));
        prop_assert!(serde_json::from_str::<TokenUsage>(&cost).is_ok());
    }
}
