//! Compares results with what a scenario expects.

use std::collections::HashMap;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde_json::Value;

/// Matches values, and keeps what each `$name` is bound to.
#[derive(Default)]
pub(crate) struct Matcher {
    bound: HashMap<String, String>,
}

impl Matcher {
    pub(crate) fn outcome(
        &mut self,
        expected: &Value,
        found: &Result<Value, Value>,
    ) -> Result<(), String> {
        if let Some(error) = expected.get("error") {
            let Err(found) = found else {
                return Err(format!("it succeeded, where an error was expected: {expected}"));
            };
            let lacks = expected.get("lacks").and_then(Value::as_array).into_iter().flatten();
            for secret in lacks.filter_map(Value::as_str) {
                if found["text"].as_str().is_some_and(|text| text.contains(secret)) {
                    return Err(format!("{secret:?} stands in {}", found["text"]));
                }
            }
            return self.value(error, found, "error");
        }
        let found = found.as_ref().map_err(|error| format!("it failed: {error}"))?;
        match expected.get("value").or_else(|| expected.get("updates")) {
            Some(expected) => self.value(expected, found, "result"),
            None => Ok(()),
        }
    }

    pub(crate) fn requests(
        &mut self,
        expected: &Value,
        found: &[Value],
        key: &str,
    ) -> Result<(), String> {
        let shown = || {
            let line = |r: &Value| format!("{} {} {}", r["origin"], r["method"], r["path"]);
            found.iter().map(line).collect::<Vec<_>>().join("\n")
        };
        if let Some(counts) = expected.get("counts").and_then(Value::as_object) {
            for (pattern, count) in counts {
                let (method, path) = pattern.split_once(' ').unwrap();
                let matches = |request: &&Value| {
                    let found = request["path"].as_str().unwrap();
                    request["method"] == method
                        && path.strip_suffix('*').map_or(found == path, |p| found.starts_with(p))
                };
                let number = found.iter().filter(matches).count();
                if *count != number {
                    return Err(format!("{number} of {pattern}, expected {count}:\n{}", shown()));
                }
            }
            return Ok(());
        }
        let expected = expected.as_array().unwrap();
        if expected.len() != found.len() {
            let (n, m) = (found.len(), expected.len());
            return Err(format!("{n} requests came, expected {m}:\n{}", shown()));
        }
        let mut before = f64::NEG_INFINITY;
        for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
            self.request(expected, found, before, key)
                .map_err(|error| format!("request {index}: {error}\n{}", shown()))?;
            before = found["at"].as_f64().unwrap();
        }
        Ok(())
    }

    fn request(
        &mut self,
        expected: &Value,
        found: &Value,
        before: f64,
        key: &str,
    ) -> Result<(), String> {
        let mut expected = expected.as_object().unwrap().clone();
        expected.entry("origin").or_insert("api".into());
        if let Some(gap) = expected.remove("gap") {
            let (gap, found) = (gap.as_f64().unwrap(), found["at"].as_f64().unwrap() - before);
            if found < gap {
                return Err(format!("it came {found} s after the one before, expected {gap}"));
            }
        }
        let text = found.to_string();
        if text.contains(key) {
            return Err("the log shows the key".to_owned());
        }
        self.value(&expected.into(), found, "request")
    }

    pub(crate) fn value(
        &mut self,
        expected: &Value,
        found: &Value,
        at: &str,
    ) -> Result<(), String> {
        let fine = match expected {
            Value::Object(expected) => {
                for (name, expected) in expected {
                    let inner = found.get(name).unwrap_or(&Value::Null);
                    self.value(expected, inner, &format!("{at}.{name}"))?;
                }
                found.is_object()
            }
            Value::Array(expected) => {
                let found = found.as_array().ok_or_else(|| format!("{at} is no list: {found}"))?;
                if expected.len() != found.len() {
                    return Err(format!(
                        "{at} has {} entries, expected {}",
                        found.len(),
                        expected.len()
                    ));
                }
                for (index, (expected, found)) in expected.iter().zip(found).enumerate() {
                    self.value(expected, found, &format!("{at}[{index}]"))?;
                }
                true
            }
            Value::String(text) if text == "<any>" => !found.is_null(),
            Value::String(text) if text.starts_with('$') => found.as_str().is_some_and(|found| {
                self.bound.entry(text.clone()).or_insert_with(|| found.to_owned()) == found
            }),
            Value::Number(number) => found.as_f64() == number.as_f64(),
            Value::String(text) if text != found => {
                let decimal = decimal(&expected.to_string());
                decimal.is_some() && decimal == self::decimal(&found.to_string())
            }
            other => other == found,
        };
        if fine { Ok(()) } else { Err(format!("{at} is {found}, expected {expected}")) }
    }
}

/// A number, or a string that holds one, as an exact decimal.
pub(crate) fn decimal(json: &str) -> Option<Decimal> {
    let text = json.trim_matches('"');
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}
