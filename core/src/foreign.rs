//! The types that UniFFI does not know, each as one that it does: for the models' derives.
//!
//! JSON, exact decimals and words cross the border as text, so that nothing is lost on the way.

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::model::{Status, Via, Wording};

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

uniffi::custom_type!(Wording, Vec<String>, {
    lower: |wording| wording.0.into_iter().map(|name| name.into_owned()).collect(),
    try_lift: |names| Ok(Wording(names.into_iter().map(Into::into).collect())),
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
