//! What a fault does to an answer.

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::Value;

use crate::answer::Answer;
use crate::faults::{Break, Fault, Origin};
use crate::places::Places;

/// The answer that a fault makes of the ordinary one; there is none if the service did not take the
/// request.
pub(crate) fn apply(
    fault: &Fault,
    ordinary: Option<Answer>,
    places: &Places,
    origin: Origin,
) -> Answer {
    let mut answer = match ordinary {
        Some(ordinary) if !fault.replaces() => ordinary,
        _ => replacement(fault, places, origin),
    };
    patch(&mut answer, fault, places, origin);
    for (name, value) in &fault.headers {
        let value = places.fill(value, origin);
        match (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => answer = answer.with(name, value),
            _ => return wrong(&format!("The fault's header {name} is none")),
        }
    }
    if fault.drop == Some(Break::MidBody) {
        answer.headers.remove(CONTENT_LENGTH);
        answer.payload.break_half_way();
    }
    answer
}

fn replacement(fault: &Fault, places: &Places, origin: Origin) -> Answer {
    let Ok(status) = StatusCode::from_u16(fault.status.unwrap_or(200)) else {
        return wrong("The fault's status is none");
    };
    match fault.body.clone() {
        Some(Value::String(text)) => {
            let text = places.fill(&text, origin);
            Answer::new(status, Bytes::from(text).into())
                .with(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))
        }
        Some(mut body) => {
            places.fill_value(&mut body, origin);
            Answer::json(status, &body)
        }
        None if status.as_u16() >= 400 => {
            Answer::message(status, status.canonical_reason().unwrap_or("Fault"))
        }
        None => Answer::empty(status),
    }
}

fn patch(answer: &mut Answer, fault: &Fault, places: &Places, origin: Origin) {
    let Some(mut changes) = fault.patch.clone() else {
        return;
    };
    let Some(bytes) = answer.payload.whole() else {
        return;
    };
    let Ok(Value::Object(mut body)) = serde_json::from_slice(&bytes) else {
        return;
    };
    places.fill_members(&mut changes, origin);
    body.extend(changes);
    answer.payload = Bytes::from(Value::Object(body).to_string()).into();
}

fn wrong(message: &str) -> Answer {
    Answer::message(StatusCode::INTERNAL_SERVER_ERROR, message)
}
