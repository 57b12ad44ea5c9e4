//! Reading a generation, or at least its id, from the body of a response.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::Redactor;
use crate::json;
use crate::model::{Generation, GenerationId};

/// Reads a generation, and returns its JSON with it.
///
/// A gateway may wrap the service's response in an object or list of its own. The generation is
/// accepted from there, and with anything around the JSON, as long as no other one is in sight.
pub(crate) fn read(body: &Bytes) -> serde_json::Result<(Generation, Bytes)> {
    let (json, rest) = json::split_first(body)?;
    let (generation, json) = match json::read::<Generation>(&json) {
        Ok(generation) => (generation, json),
        Err(error) => only_wrapped(&json).ok_or(error)?,
    };
    // What follows may be a second response.
    if scan(&rest).any(|id| id != generation.id && is_id(&id, &Redactor::default())) {
        return Err(serde::de::Error::custom("two generations"));
    }
    Ok((generation, json))
}

/// The one generation that is wrapped in an object or list.
fn only_wrapped(json: &Bytes) -> Option<(Generation, Bytes)> {
    let redactor = Redactor::default();
    let mut found = Vec::new();
    unwrap(serde_json::from_slice(json).ok()?, MAX_WRAPPERS, &mut found);
    found.retain(|(generation, _)| is_id(&generation.id, &redactor));
    let id = find_id(json, true, &redactor)?;
    found.pop().filter(|(generation, _)| found.is_empty() && generation.id == id.as_str())
}

/// How many objects and lists may be around a generation, as in `{"data":[{…}]}`.
const MAX_WRAPPERS: u32 = 3;

/// Collects the generations within a value.
fn unwrap(value: &RawValue, wrappers: u32, found: &mut Vec<(Generation, Bytes)>) {
    let json = value.get();
    if let Ok(generation) = json::read(json.as_bytes()) {
        found.push((generation, Bytes::copy_from_slice(json.as_bytes())));
    } else if wrappers > 0 {
        let members = serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(json);
        let members = members.map(|members| members.into_values().collect());
        let items: Vec<&RawValue> =
            members.or_else(|_| serde_json::from_str(json)).unwrap_or_default();
        items.into_iter().for_each(|item| unwrap(item, wrappers.saturating_sub(1), found));
    }
}

/// Searches the body of a response to a create, which may be torn or no JSON at all, for the id of
/// the generation.
///
/// Ids such as `gen_…` are preferred. Others count only in a successful response: in an error's body
/// they are likely to name the error.
pub(crate) fn find_id(
    body: &[u8],
    is_success: bool,
    redactor: &Redactor<'_>,
) -> Option<GenerationId> {
    let in_json = json::read(body).map(ids_in).unwrap_or_default();
    let ids = in_json.into_iter().chain(scan(body));
    let valid = ids.filter(|id| is_id(id, redactor)).filter_map(|id| GenerationId::parse(id).ok());
    let mut other = None;
    for id in valid {
        if id.as_str().starts_with("gen_") {
            return Some(id);
        }
        other.get_or_insert(id);
    }
    other.filter(|_| is_success)
}

/// Whether a text may be the id of a generation. The service's ids have about 16 characters; the
/// limit only keeps an error short. The messages in its output have the suffix.
fn is_id(id: &str, redactor: &Redactor<'_>) -> bool {
    (1..=200).contains(&id.len())
        && id.chars().all(|c| c.is_ascii_graphic())
        && !id.ends_with("_msg")
        && !redactor.has_key(id)
}

/// The ids in a value, the outer ones first.
fn ids_in(value: Value) -> Vec<String> {
    let (mut ids, mut level) = (Vec::new(), VecDeque::from([value]));
    while let Some(value) = level.pop_front() {
        match value {
            Value::Object(mut members) => {
                match members.remove("id") {
                    Some(Value::String(id)) => ids.push(id),
                    Some(Value::Number(id)) => ids.push(id.to_string()),
                    _ => {}
                }
                level.extend(members.into_iter().map(|(_, member)| member));
            }
            Value::Array(items) => level.extend(items),
            _ => {}
        }
    }
    ids
}

/// The ids in a text that may be torn: each string that follows `"id":` and is complete.
fn scan(body: &[u8]) -> impl Iterator<Item = String> + '_ {
    const NAME: &[u8] = br#""id""#;
    // UTF-16 has a zero beside each ASCII character.
    let text: Cow<'_, [u8]> = if body.contains(&0) {
        body.iter().copied().filter(|byte| *byte != 0).collect()
    } else {
        body.into()
    };
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let found = text.get(at..)?.windows(NAME.len()).position(|window| window == NAME)?;
            at = NAME.len().saturating_add(found).saturating_add(at);
            if let Some(id) = string_member(&text[at..]) {
                return Some(id);
            }
        }
    })
}

/// The string in `: "…"`.
fn string_member(text: &[u8]) -> Option<String> {
    let value = text.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let value = value.strip_prefix(b"\"")?;
    let end = value.iter().position(|byte| *byte == b'"')?;
    String::from_utf8(value[..end].to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id_in(body: impl AsRef<[u8]>, is_success: bool) -> Option<String> {
        let redactor = Redactor { key: "pv_key_1" };
        find_id(body.as_ref(), is_success, &redactor).map(|id| id.as_str().to_owned())
    }

    const WHOLE: &str = r#"{"id":"gen_1","object":"response","status":"queued","output":[{"type":"message","id":"gen_1_msg","status":"in_progress"}]}"#;

    #[test]
    fn a_generation_is_read_whatever_surrounds_it() {
        for body in [
            WHOLE.to_owned(),
            format!("\u{feff}{WHOLE}"),
            format!("{WHOLE}\n<!-- served in 12 ms -->"),
            format!("{WHOLE}{WHOLE}"),
            format!(r#"{{"data":{WHOLE}}}"#),
            format!("\u{feff}{{\"id\":\"req_7\",\"data\":{{\"response\":{WHOLE}}}}}\0"),
            format!(r#"[{WHOLE}]"#),
            format!(r#"{{"success":true,"response":[{WHOLE}],"note":"\ud83d"}}"#),
        ] {
            let (generation, json) = read(&body.clone().into()).expect(&body);
            assert_eq!(generation.id, "gen_1");
            assert_eq!(json::read::<Generation>(&json).unwrap(), generation, "{body}");
        }
    }

    #[test]
    fn a_body_that_is_not_clearly_one_generation_is_not_read() {
        let other = WHOLE.replace("gen_1", "gen_2");
        for body in [
            format!("{WHOLE}{other}"),
            format!("[{WHOLE},{other}]"),
            format!(r#"{{"id":"gen_0","data":{WHOLE}}}"#),
            format!(r#"{{"a":{{"b":{{"c":{{"d":{WHOLE}}}}}}}}}"#),
            WHOLE.replace(r#""status":"queued","#, ""),
            WHOLE[..WHOLE.len() - 1].to_owned(),
            String::new(),
            "null".to_owned(),
        ] {
            let read = read(&body.clone().into()).map(|(generation, _)| generation.id);
            assert!(read.is_err(), "{body}: {read:?}");
        }
    }

    #[test]
    fn the_id_is_found_in_what_is_left_of_a_body() {
        for cut in r#"{"id":"gen_1""#.len()..WHOLE.len() {
            assert_eq!(id_in(&WHOLE[..cut], false).as_deref(), Some("gen_1"));
        }
        let utf16: Vec<u8> = WHOLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (body, id) in [
            (utf16, "gen_1"),
            ([b"\xff\xfe broken \xf0", WHOLE.as_bytes()].concat(), "gen_1"),
            (br#"{"message":"late","data":{"id": "gen_3"}}"#.to_vec(), "gen_3"),
            (br#"{"error":"x"} {"id":"gen_4"}"#.to_vec(), "gen_4"),
            (
                br#"{"request":{"id":"req_1"},"output":[{"id":"gen_5_msg"}],"id":"gen_5""#.to_vec(),
                "gen_5",
            ),
            (br#"{"output":[{"id":"gen_old"}],"id":"gen_\u0036"}"#.to_vec(), "gen_6"),
            (br#"[{"id":"gen_\u0038"}]"#.to_vec(), "gen_8"),
            (br#"<script>boot({"id" :"gen_7"})</script>"#.to_vec(), "gen_7"),
        ] {
            assert_eq!(
                id_in(&body, false).as_deref(),
                Some(id),
                "{}",
                String::from_utf8_lossy(&body)
            );
        }
    }

    #[test]
    fn what_is_no_complete_id_is_not_taken_for_one() {
        for body in [
            r#"{"id":"gen_1"#,
            r#"{"id":"#,
            r#"{"id""#,
            r#"{"output":[{"id":"gen_1_msg"}]}"#,
            r#"{"id":""}"#,
            r#"{"id":"pv_key_1"}"#,
            r#"{"id":"gen pv"}"#,
            r#"{"message":"{\"id\":\"gen_quoted_by_a_prompt\"}"}"#,
            r#"{"idea":"gen_1"}"#,
            "",
        ] {
            assert_eq!(id_in(body, true), None, "{body}");
        }
        let long = format!(r#"{{"id":"gen_{}"}}"#, "x".repeat(200));
        assert_eq!(id_in(long, true), None);
    }

    #[test]
    fn only_a_success_has_an_id_of_another_form() {
        for (body, id) in [(r#"{"id":"vid-7","status":5}"#, "vid-7"), (r#"{"id":77}"#, "77")] {
            assert_eq!(id_in(body, true).as_deref(), Some(id));
            assert_eq!(id_in(body, false), None);
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_it_panic(
            noise in r#"(["\\{}\[\]:,ida\x00 ]|gen_|"id":"|\\u){0,40}"#,
            bytes in prop::collection::vec(any::<u8>(), 0..60),
        ) {
            for body in [noise.into_bytes(), bytes] {
                let found = id_in(&body, true);
                prop_assert!(found.is_none_or(|id| id.len() <= 200 && !id.contains("pv_key_1")));
                let _ = read(&body.into());
            }
        }
    }
}
