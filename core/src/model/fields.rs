//! Lenient reading and faithful writing: what every model shares.
//!
//! A typed field that is missing, null, or of an unexpected shape reads as `None`; in the
//! last case its value stays among the unknown fields. So reading a response never fails because of
//! a detail, and what is read and written again keeps every field.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The fields of a JSON object that no model has taken yet, in their order.
///
/// Of several fields with the same name the last one counts. A response has about a dozen fields,
/// for which searching a list costs less than building a map.
#[derive(Default)]
pub(crate) struct Fields {
    values: Vec<(String, Value)>,
    /// The fields with numbers that have to stay exact, as JSON text.
    exact: Vec<(String, Box<RawValue>)>,
}

/// The fields that are kept as text: `cost_usd`, which must stay exact, and the object around it.
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

/// How the fields of an object were spelled on the wire, where that differs from how they would be
/// written: so that they are written as they were read.
///
/// All spellings mean the same, so they take no part in equality.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub(crate) struct Spelling {
    fields: Vec<FieldSpelling>,
}

/// How one field was spelled.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
pub(crate) struct FieldSpelling {
    name: FieldName,
    spelled: Spelled,
}

pub(crate) type FieldName = Cow<'static, str>;

/// In which way a field was spelled differently.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
pub(crate) enum Spelled {
    /// As null, where it would be left out.
    Null,
    /// Under the field's older name.
    UnderOlderName,
    /// With another text for the same value: an older status, or other digits of a decimal.
    As {
        /// The text.
        text: String,
    },
}

impl Spelling {
    fn record(&mut self, name: &'static str, spelled: Spelled) {
        self.fields.push(FieldSpelling { name: name.into(), spelled });
    }

    /// Records the text of a field's value.
    pub(crate) fn record_text(&mut self, name: &'static str, text: &str) {
        self.record(name, Spelled::As { text: text.to_owned() });
    }

    fn recorded(&self, name: &str) -> impl Iterator<Item = &Spelled> {
        self.fields.iter().filter(move |field| field.name == name).map(|field| &field.spelled)
    }

    /// The recorded text of a field's value, if it was not the usual one.
    pub(crate) fn recorded_text(&self, name: &str) -> Option<&str> {
        self.recorded(name).find_map(|spelled| match spelled {
            Spelled::As { text } => Some(text.as_str()),
            Spelled::Null | Spelled::UnderOlderName => None,
        })
    }

    fn is_recorded(&self, name: &str, spelled: &Spelled) -> bool {
        self.recorded(name).any(|recorded| recorded == spelled)
    }
}

impl PartialEq for Spelling {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Fields {
    /// Takes a field out if `read` can read it; null counts as absent.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        spelling: &mut Spelling,
        read: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Option<T> {
        match remove(&mut self.values, name)? {
            (_, Value::Null) => spelling.record(name, Spelled::Null),
            (name, value) => match read(value) {
                Ok(value) => return Some(value),
                Err(value) => self.values.push((name, value)),
            },
        }
        None
    }

    /// Takes a field with exact numbers out.
    pub(crate) fn take_exact<T>(
        &mut self,
        name: &'static str,
        spelling: &mut Spelling,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Option<T> {
        match remove(&mut self.exact, name)? {
            (_, raw) if raw.get() == "null" => spelling.record(name, Spelled::Null),
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
        spelling: &mut Spelling,
    ) -> Option<Decimal> {
        let mut text = None;
        let found = self.take_exact(name, spelling, |raw| {
            let found = decimal(raw)?;
            text = (found.to_string() != raw.get()).then(|| raw.get().to_owned());
            Some(found)
        });
        if let Some(text) = text {
            spelling.record_text(name, &text);
        }
        found
    }

    /// Takes a count out that has an older name too. A field that could not be read keeps its name:
    /// the older field must not be written in its place.
    pub(crate) fn take_count(
        &mut self,
        name: &'static str,
        older: &'static str,
        spelling: &mut Spelling,
    ) -> Option<u64> {
        let found = self.take(name, spelling, count);
        if found.is_some() || self.values.iter().any(|(left, _)| left == name) {
            return found;
        }
        let found = self.take(older, spelling, count);
        if found.is_some() {
            spelling.record(name, Spelled::UnderOlderName);
        }
        found
    }

    /// The fields that were not taken.
    pub(crate) fn rest(self) -> Map<String, Value> {
        let mut rest: Map<_, _> = self.values.into_iter().collect();
        for (name, raw) in self.exact {
            rest.insert(name, serde_json::from_str(raw.get()).unwrap_or(Value::Null));
        }
        rest
    }
}

/// Takes the last field of a name out of a list, and drops the others of that name.
fn remove<T>(fields: &mut Vec<(String, T)>, name: &str) -> Option<(String, T)> {
    let mut last = None;
    for field in fields.extract_if(.., |(known, _)| known == name) {
        last = Some(field);
    }
    last
}

/// Reads a string.
pub(crate) fn text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(other),
    }
}

/// Reads an object that is a model of its own.
pub(crate) fn object<T: From<Fields>>(value: Value) -> Result<T, Value> {
    match value {
        Value::Object(values) => {
            Ok(T::from(Fields { values: values.into_iter().collect(), ..Fields::default() }))
        }
        other => Err(other),
    }
}

/// Reads a count: a whole number, also when written as `3.0`.
pub(crate) fn count(value: Value) -> Result<u64, Value> {
    let float = |number: f64| {
        // From 2^53 on, several whole numbers are the same float.
        let whole = number.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&number);
        whole.then_some(number as u64)
    };
    value.as_u64().or_else(|| value.as_f64().and_then(float)).ok_or(value)
}

/// Reads a time in Unix seconds.
pub(crate) fn seconds(value: Value) -> Result<SystemTime, Value> {
    let since = match value.as_u64() {
        Some(whole) => Some(Duration::from_secs(whole)),
        // A fraction finer than a nanosecond would be written differently than it was read.
        None => value.as_f64().and_then(|seconds| {
            let since = Duration::try_from_secs_f64(seconds).ok()?;
            (since.as_secs_f64() == seconds).then_some(since)
        }),
    };
    since.and_then(time).ok_or(value)
}

/// The end of the year 9999: the latest time that Python's `datetime` can represent.
const MAX_TIME: Duration = Duration::from_secs(253_402_300_799);

/// The time this long after the Unix epoch, up to the year 9999.
pub(crate) fn time(since: Duration) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(since).filter(|_| since <= MAX_TIME)
}

/// Reads any type that serde can deserialize.
pub(crate) fn json<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// Reads an exact decimal: a number, or a string that holds one.
pub(crate) fn decimal(raw: &RawValue) -> Option<Decimal> {
    match raw.get() {
        quoted if quoted.starts_with('"') => exact(&json::<String>(raw)?),
        number => exact(number),
    }
}

/// Reads an amount of money that a caller has written: a number, or a string that holds one.
pub(super) fn amount<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let invalid = || serde::de::Error::custom("an amount of money is not a decimal number");
    if value.is_null() { Ok(None) } else { decimal_of(&value).map(Some).ok_or_else(invalid) }
}

/// Reads an exact decimal: a number, or a string that holds one.
pub(super) fn decimal_of(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => exact(&number.to_string()),
        Value::String(text) => exact(text),
        _ => None,
    }
}

/// Reads a decimal in plain or scientific notation; `None` if it would have to be rounded.
pub fn exact(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if !text.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    match text.split_once(['e', 'E']) {
        None => Decimal::from_str_exact(text).ok(),
        Some((mantissa, exponent)) => {
            // `from_scientific` rounds a mantissa that is too long, and does not accept a plus sign.
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

/// Writes an object: the typed fields, spelled as they were read, then the unknown fields.
pub(crate) struct Writer<'a, M> {
    map: M,
    spelling: &'a Spelling,
    extra: &'a Map<String, Value>,
}

impl<'a, M: SerializeMap> Writer<'a, M> {
    pub(crate) fn new<S: Serializer<SerializeMap = M, Error = M::Error>>(
        serializer: S,
        spelling: &'a Spelling,
        extra: &'a Map<String, Value>,
    ) -> Result<Self, S::Error> {
        Ok(Self { map: serializer.serialize_map(None)?, spelling, extra })
    }

    pub(crate) fn field<T: Serialize>(
        &mut self,
        name: &'static str,
        value: Option<T>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) => self.map.serialize_entry(name, &value),
            None if self.spelling.is_recorded(name, &Spelled::Null) => {
                self.map.serialize_entry(name, &())
            }
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
        let is_older = self.spelling.is_recorded(name, &Spelled::UnderOlderName);
        self.field(name, value.filter(|_| !is_older))?;
        self.field(older, value.filter(|_| is_older))
    }

    /// Writes an exact decimal: with the digits that it was read with, else as a number.
    pub(crate) fn decimal(
        &mut self,
        name: &'static str,
        value: Option<&Decimal>,
    ) -> Result<(), M::Error> {
        let recorded = self.spelling.recorded_text(name);
        let recorded = recorded.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        // A value that the caller has changed since is written as it is now.
        match recorded.filter(|raw| decimal(raw).as_ref() == value) {
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
