//! The types of the models that UniFFI does not support, each converted to one that it supports.
//!
//! JSON, exact decimals and open enums are converted to text, which loses nothing.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::model::{EstimateBasis, FieldName, Status, Via};

type Json = Value;
uniffi::custom_type!(Json, String, {
    remote,
    lower: |json| json.to_string(),
    try_lift: |text| Ok(serde_json::from_str(&text)?),
});

type JsonObject = Map<String, Value>;
uniffi::custom_type!(JsonObject, String, {
    remote,
    lower: |object| Value::Object(object).to_string(),
    try_lift: |text| Ok(serde_json::from_str(&text)?),
});

type ExactDecimal = Decimal;
uniffi::custom_type!(ExactDecimal, String, {
    remote,
    lower: |decimal| decimal.to_string(),
    try_lift: |text| Ok(Decimal::from_str_exact(&text)?),
});

uniffi::custom_type!(FieldName, String, {
    remote,
    lower: |name| name.into_owned(),
    try_lift: |name| Ok(name.into()),
});

uniffi::custom_type!(Status, String, {
    lower: |status| status.as_str().to_owned(),
    try_lift: |text| Ok(Status::from(text.as_str())),
});

uniffi::custom_type!(Via, String, {
    lower: |via| via.as_str().to_owned(),
    try_lift: |text| match text.as_str() {
        "webhook" => Ok(Via::Webhook),
        _ => Ok(Via::Poll),
    },
});

uniffi::custom_type!(EstimateBasis, String, {
    lower: |basis| basis.as_str().to_owned(),
    try_lift: |text| match text.as_str() {
        "seen" => Ok(EstimateBasis::Seen),
        "account" => Ok(EstimateBasis::Account),
        _ => Ok(EstimateBasis::Rates),
    },
});
