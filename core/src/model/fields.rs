//! Reading leniently and writing back faithfully: what every model shares.
//!
//! A typed field whose value is missing, null, or not of the expected shape reads as `None`; in the
//! last case its value stays among the unknown fields. So an answer never fails for a detail, and
//! what is read and written again keeps every field.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The fields of a JSON object until somebody takes them.
///
/// In their order, and of several with the same name the last one counts: an answer has a dozen
/// fields, for which looking through a list costs less than a map.
#[derive(Default)]
pub(crate) struct Fields {
    values: Vec<(String, Value)>,
    /// Those in which numbers have to stay exact, as text.
    exact: Vec<(String, Box<RawValue>)>,
}

/// The fields that are kept as text.
const EXACT: [&str; 2] = ["usage", "cost_usd"];

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::default();
                while let Some(name) = map.next_key::<String>()? {
                    if EXACT.contains(&name.as_str()) {
                        fields.exact.push((name, map.next_value()?));
                    } else {
                        fields.values.push((name, map.next_value()?));
                    }
                }
                Ok(fields)
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// What the wire said otherwise than the typed fields tell, so that it is written as it was read: the
/// names of those that were null, and `name=text` for an older name or another spelling. It means the
/// same, so this takes no part in equality.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wording(pub(crate) Vec<Cow<'static, str>>);

impl Wording {
    /// Notes that a field was said in these words.
    pub(crate) fn note(&mut self, name: &str, text: &str) {
        self.0.push(format!("{name}={text}").into());
    }

    /// In which words a field was said, if not in the usual ones.
    pub(crate) fn of(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|noted| noted.strip_prefix(name)?.strip_prefix('='))
    }

    fn was_null(&self, name: &str) -> bool {
        self.0.iter().any(|noted| noted == name)
    }
}

impl PartialEq for Wording {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Fields {
    /// Takes a field out if `read` understands it; null counts as absent.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        wording: &mut Wording,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        match remove(&mut self.values, name)? {
            (_, Value::Null) => wording.0.push(name.into()),
            (name, value) => match read(value) {
                Ok(value) => return Some(value),
                Err(value) => self.values.push((name, value)),
            },
        }
        None
    }

    /// Takes a field out whose numbers are exact.
    pub(crate) fn take_exact<T>(
        &mut self,
        name: &'static str,
        wording: &mut Wording,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Option<T> {
        match remove(&mut self.exact, name)? {
            (_, raw) if raw.get() == "null" => wording.0.push(name.into()),
            (name, raw) => match read(&raw) {
                Some(value) => return Some(value),
                None => self.exact.push((name, raw)),
            },
        }
        None
    }

    /// Takes an exact decimal out.
    pub(crate) fn take_decimal(
        &mut self,
        name: &'static str,
        wording: &mut Wording,
    ) -> Option<Decimal> {
        let mut said = None;
        let found = self.take_exact(name, wording, |raw| {
            let found = decimal(raw)?;
            said = (found.to_string() != raw.get()).then(|| raw.get().to_owned());
            Some(found)
        });
        if let Some(said) = said {
            wording.note(name, &said);
        }
        found
    }

    /// Takes a count out that has an older name too. A name that holds what could not be read is
    /// left alone: nothing else can be written there.
    pub(crate) fn take_count(
        &mut self,
        name: &'static str,
        older: &'static str,
        wording: &mut Wording,
    ) -> Option<u64> {
        let found = self.take(name, wording, count);
        if found.is_some() || self.values.iter().any(|(known, _)| known == name) {
            return found;
        }
        let found = self.take(older, wording, count);
        if found.is_some() {
            wording.note(name, older);
        }
        found
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Map<String, Value> {
        let mut rest: Map<_, _> = self.values.into_iter().collect();
        for (name, raw) in self.exact {
            rest.insert(name, serde_json::from_str(raw.get()).unwrap_or(Value::Null));
        }
        rest
    }
}

/// Takes a field out of a list, the last one of its name; the others of that name are gone.
fn remove<T>(fields: &mut Vec<(String, T)>, name: &str) -> Option<(String, T)> {
    let mut last = None;
    for field in fields.extract_if(.., |(known, _)| known == name) {
        last = Some(field);
    }
    last
}

/// A string.
pub(crate) fn text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(other),
    }
}

/// An object that has fields of its own.
pub(crate) fn object<T: From<Fields>>(value: Value) -> Result<T, Value> {
    match value {
        Value::Object(values) => {
            Ok(T::from(Fields { values: values.into_iter().collect(), ..Fields::default() }))
        }
        other => Err(other),
    }
}

/// A count: a whole number, also when written as `3.0`.
pub(crate) fn count(value: Value) -> Result<u64, Value> {
    let float = |number: f64| {
        // Beyond 2^53 a float does not say which whole number is meant.
        let whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        whole.then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(float)).ok_or(value)
}

/// A time in Unix seconds.
pub(crate) fn seconds(value: Value) -> Result<SystemTime, Value> {
    let since = match value.as_u64() {
        Some(whole) => Some(Duration::from_secs(whole)),
        // What is finer than a time can be would be written otherwise than it was read.
        None => value.as_f64().and_then(|seconds| {
            let since = Duration::try_from_secs_f64(seconds).ok()?;
            (since.as_secs_f64() == seconds).then_some(since)
        }),
    };
    since.and_then(time).ok_or(value)
}

/// The end of the year 9999: the latest time that every language's calendar can show.
const LATEST: Duration = Duration::from_secs(253_402_300_799);

/// So long after the beginning of Unix time, if that is a time.
pub(crate) fn time(since: Duration) -> Option<SystemTime> {
    (since <= LATEST).then(|| SystemTime::UNIX_EPOCH + since)
}

/// Any type that serde reads.
pub(crate) fn json<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// An exact decimal: a number, or a string that holds one.
pub(crate) fn decimal(raw: &RawValue) -> Option<Decimal> {
    match raw.get() {
        quoted if quoted.starts_with('"') => exact(&json::<String>(raw)?),
        number => exact(number),
    }
}

/// A decimal, plain or scientific, or nothing if it had to be rounded.
pub(crate) fn exact(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if !text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    match text.split_once(['e', 'E']) {
        None => Decimal::from_str_exact(text).ok(),
        Some((mantissa, exponent)) => {
            // The library rounds a mantissa that is too long, and knows no plus.
            Decimal::from_str_exact(mantissa).ok()?;
            let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
            Decimal::from_scientific(&format!("{mantissa}e{exponent}")).ok()
        }
    }
}

/// Writes an exact decimal as a JSON number.
pub(crate) struct Number<'a>(pub(crate) &'a Decimal);

impl Serialize for Number<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.0.to_string())
            .expect("a decimal in plain notation is a JSON number")
            .serialize(serializer)
    }
}

/// Writes a time as Unix seconds: whole ones as an integer.
pub(crate) struct UnixSeconds(pub(crate) SystemTime);

impl Serialize for UnixSeconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let since = self.0.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        match since.subsec_nanos() {
            0 => serializer.serialize_u64(since.as_secs()),
            _ => serializer.serialize_f64(since.as_secs_f64()),
        }
    }
}

/// Writes an object: typed fields, wording where there were wording, then the unknown fields.
pub(crate) struct Writer<'a, M> {
    map: M,
    wording: &'a Wording,
    extra: &'a Map<String, Value>,
}

impl<'a, M: SerializeMap> Writer<'a, M> {
    pub(crate) fn new<S: Serializer<SerializeMap = M, Error = M::Error>>(
        serializer: S,
        wording: &'a Wording,
        extra: &'a Map<String, Value>,
    ) -> Result<Self, S::Error> {
        Ok(Self { map: serializer.serialize_map(None)?, wording, extra })
    }

    pub(crate) fn field<T: Serialize>(
        &mut self,
        name: &'static str,
        value: Option<T>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) => self.map.serialize_entry(name, &value),
            None if self.wording.was_null(name) => self.map.serialize_entry(name, &()),
            None => Ok(()),
        }
    }

    /// Writes a count that has an older name too, under the one that it was read from.
    pub(crate) fn count(
        &mut self,
        name: &'static str,
        older: &'static str,
        value: Option<u64>,
    ) -> Result<(), M::Error> {
        let is_older = self.wording.of(name) == Some(older);
        self.field(name, value.filter(|_| !is_older))?;
        self.field(older, value.filter(|_| is_older))
    }

    /// Writes an exact decimal: in the words that it was read in, else as a number.
    pub(crate) fn decimal(
        &mut self,
        name: &'static str,
        value: Option<&Decimal>,
    ) -> Result<(), M::Error> {
        let said = self.wording.of(name).and_then(|raw| RawValue::from_string(raw.to_owned()).ok());
        match said.filter(|raw| decimal(raw).as_ref() == value) {
            Some(raw) => self.map.serialize_entry(name, &raw),
            None => self.field(name, value.map(Number)),
        }
    }

    pub(crate) fn end(mut self) -> Result<M::Ok, M::Error> {
        for (name, value) in self.extra {
            self.map.serialize_entry(name, value)?;
        }
        self.map.end()
    }
}
