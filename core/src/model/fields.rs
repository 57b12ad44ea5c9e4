//! Reading leniently and writing back faithfully: what every model shares.
//!
//! A typed field whose value is missing, null, or not of the expected shape reads as `None`; in the
//! last case its value stays among the unknown fields. So an answer never fails for a detail, and
//! what is read and written again keeps every field.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The fields of a JSON object, as text until somebody asks for one.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

/// The typed fields that were null on the wire, so that they are written as null again. Null and
/// absent mean the same, so this takes no part in equality.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nulls(Vec<&'static str>);

impl PartialEq for Nulls {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Fields {
    /// Takes a field out if `read` understands it; null counts as absent.
    pub(crate) fn take<T>(
        &mut self,
        name: &'static str,
        nulls: &mut Nulls,
        read: impl FnOnce(&RawValue) -> Option<T>,
    ) -> Option<T> {
        let raw = self.0.get(name)?;
        if raw.get() == "null" {
            nulls.0.push(name);
            self.0.remove(name);
            return None;
        }
        let value = read(raw)?;
        self.0.remove(name);
        Some(value)
    }

    /// What nobody took.
    pub(crate) fn rest(self) -> Map<String, Value> {
        let parse = |raw: &RawValue| serde_json::from_str(raw.get()).unwrap_or(Value::Null);
        self.0.into_iter().map(|(name, raw)| (name, parse(&raw))).collect()
    }
}

/// Any type that serde reads.
pub(crate) fn json<T: DeserializeOwned>(raw: &RawValue) -> Option<T> {
    serde_json::from_str(raw.get()).ok()
}

/// A count: a whole number, also when written as `3.0`.
pub(crate) fn count(raw: &RawValue) -> Option<u64> {
    let number = decimal(raw)?;
    (number.fract().is_zero()).then(|| number.trunc().try_into().ok()).flatten()
}

/// An exact decimal: a number, or a string that holds one.
pub(crate) fn decimal(raw: &RawValue) -> Option<Decimal> {
    let text = match json::<String>(raw) {
        Some(text) => text,
        None => raw.get().to_owned(),
    };
    let text = text.trim();
    Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// A time in Unix seconds.
pub(crate) fn seconds(raw: &RawValue) -> Option<SystemTime> {
    let seconds: f64 = raw.get().parse().ok()?;
    let whole = Duration::try_from_secs_f64(seconds).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(whole)
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

/// Writes an object: typed fields, nulls where there were nulls, then the unknown fields.
pub(crate) struct Writer<'a, M> {
    map: M,
    nulls: &'a Nulls,
    extra: &'a Map<String, Value>,
}

impl<'a, M: SerializeMap> Writer<'a, M> {
    pub(crate) fn new<S: Serializer<SerializeMap = M, Error = M::Error>>(
        serializer: S,
        nulls: &'a Nulls,
        extra: &'a Map<String, Value>,
    ) -> Result<Self, S::Error> {
        Ok(Self { map: serializer.serialize_map(None)?, nulls, extra })
    }

    pub(crate) fn field<T: Serialize>(
        &mut self,
        name: &'static str,
        value: Option<T>,
    ) -> Result<(), M::Error> {
        match value {
            Some(value) => self.map.serialize_entry(name, &value),
            None if self.nulls.0.contains(&name) => self.map.serialize_entry(name, &()),
            None => Ok(()),
        }
    }

    pub(crate) fn end(mut self) -> Result<M::Ok, M::Error> {
        for (name, value) in self.extra {
            self.map.serialize_entry(name, value)?;
        }
        self.map.end()
    }
}
