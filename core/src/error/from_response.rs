//! From an HTTP answer to an error: the one place that knows the status codes.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{Error, ErrorKind, Redactor};
use crate::model::mentions_credits;

/// The error of an answer whose status is not a success.
pub(crate) fn from_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    redactor: &Redactor<'_>,
    now: SystemTime,
) -> Error {
    let json: Option<Value> = crate::json::read(body).ok();
    let text = json.as_ref().and_then(message_of);
    let code = json.as_ref().and_then(code_of).map(|code| redactor.clean(&code));
    let text = text.map(|text| redactor.clean(&text)).filter(|text| !text.is_empty());
    // Without the prompt: a video about an empty bank account is no lack of credits.
    let kind = kind_of(status, text.as_deref().unwrap_or_default(), code.as_deref());
    let said = text.unwrap_or_else(|| excerpt(headers, body, redactor));
    let said = said.trim_end_matches('.');
    let message = format!("{} (HTTP {}): {said}. {}", what(kind), status.as_u16(), advice(kind));
    Error::new(kind, message)
        .with_status(status.as_u16())
        .with_code(code)
        .with_request_id(request_id(headers))
        .with_retry_after(retry_after(headers, json.as_ref(), now))
}

/// The error of a successful status whose body is not what the API says.
pub(crate) fn undecodable(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    reason: &str,
    redactor: &Redactor<'_>,
) -> Error {
    // What is nearly a generation may quote its prompt, which only a create knows.
    let json: Option<Value> = crate::json::read(body).ok();
    let said = match body.trim_ascii_start().first() {
        Some(b'{' | b'[' | b'"') => format!("{} bytes", body.len()),
        _ => excerpt(headers, body, redactor),
    };
    let message = format!(
        "the answer is not what the API says (HTTP {}, {reason}): {said}. Check the base URL, and \
         whether a proxy answers in the service's place.",
        status.as_u16()
    );
    let error = Error::new(ErrorKind::Decode, message)
        .with_status(status.as_u16())
        .with_request_id(request_id(headers));
    // An id is all that is needed to go on.
    match json.as_ref().and_then(|json| json["id"].as_str()).filter(|id| is_id(id)) {
        Some(id) => error.with_generation_id(id),
        None => error,
    }
}

fn is_id(id: &str) -> bool {
    (1..=200).contains(&id.len()) && id.chars().all(|c| c.is_ascii_graphic())
}

fn kind_of(status: StatusCode, message: &str, code: Option<&str>) -> ErrorKind {
    match status.as_u16() {
        400 if mentions_credits(message) || code.is_some_and(mentions_credits) => {
            ErrorKind::InsufficientCredits
        }
        400 => ErrorKind::BadRequest,
        401 => ErrorKind::Authentication,
        403 => ErrorKind::PermissionDenied,
        404 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500..=599 => ErrorKind::Server,
        _ => ErrorKind::ApiStatus,
    }
}

fn what(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => "the service refused the request",
        ErrorKind::InsufficientCredits => "the balance is too low",
        ErrorKind::Authentication => "the key was not accepted",
        ErrorKind::PermissionDenied => "the key may not do this",
        ErrorKind::NotFound => "there is no such generation",
        ErrorKind::RateLimited => "the key has used up its requests for now",
        ErrorKind::Server => "the service had an error",
        _ => "the service answered with an unexpected status",
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => "Correct the request.",
        ErrorKind::InsufficientCredits => "Add credits and try again.",
        ErrorKind::Authentication => "Check PIPEVIDEO_API_KEY, and whether the key has expired.",
        ErrorKind::PermissionDenied => "Check what the key is allowed to do.",
        ErrorKind::NotFound => "Check the id, and that the key belongs to the same organization.",
        ErrorKind::RateLimited => "Try again later; other processes may share the key.",
        ErrorKind::Server => "Try again later.",
        _ => "Check the base URL.",
    }
}

/// `message`, where the service puts it, or where services of this family put it.
fn message_of(json: &Value) -> Option<String> {
    [&json["message"], &json["error"]["message"], &json["error"], &json["detail"]]
        .into_iter()
        .find_map(|value| value.as_str().map(str::to_owned))
}

fn code_of(json: &Value) -> Option<String> {
    [&json["code"], &json["error"]["code"], &json["data"]["code"]].into_iter().find_map(|value| {
        match value {
            Value::String(code) => Some(code.clone()),
            Value::Number(code) => Some(code.to_string()),
            _ => None,
        }
    })
}

fn excerpt(headers: &HeaderMap, body: &[u8], redactor: &Redactor<'_>) -> String {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = redactor.clean(content_type.unwrap_or("no content type"));
    // More than is looked at, whatever the characters: a cut is seen to be one.
    let beginning = &body[..body.len().min(8192)];
    match redactor.clean(&String::from_utf8_lossy(beginning)) {
        text if text.is_empty() => format!("an empty body, {content_type}"),
        text => format!("{content_type}, \"{text}\""),
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id").or_else(|| headers.get("request-id"))?.to_str().ok()?;
    Some(id.chars().filter(|c| c.is_ascii_graphic()).take(128).collect())
}

/// The longest pause that is believed; beyond it a number is a mistake.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the service asks to wait: the longer one of `data.retry_after` in the body (seconds)
/// and the `Retry-After` header (seconds or an HTTP date).
pub(crate) fn retry_after(
    headers: &HeaderMap,
    body: Option<&Value>,
    now: SystemTime,
) -> Option<Duration> {
    let seconds = |seconds: f64| {
        let believable = seconds.min(LONGEST_PAUSE.as_secs_f64());
        Duration::try_from_secs_f64(believable).ok().filter(|_| seconds.is_finite())
    };
    let in_body = body.and_then(|body| match &body["data"]["retry_after"] {
        Value::Number(number) => seconds(number.as_f64()?),
        Value::String(text) => seconds(text.trim().parse().ok()?),
        _ => None,
    });
    let in_header = headers.get(header::RETRY_AFTER).and_then(|value| {
        let text = value.to_str().ok()?.trim();
        match text.parse() {
            Ok(number) => seconds(number),
            Err(_) => {
                let date = httpdate::parse_http_date(text).ok()?;
                Some(date.duration_since(now).unwrap_or_default())
            }
        }
    });
    in_body.max(in_header).map(|pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn error(status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        let redactor = Redactor { key: "pv_key_1", texts: vec!["a secret prompt"] };
        from_status(status, &HeaderMap::new(), body.as_bytes(), &redactor, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn statuses() {
        use ErrorKind::*;
        for (status, body, kind) in [
            (400, r#"{"message":"Invalid model"}"#, BadRequest),
            (400, r#"{"message":"Insufficient balance"}"#, InsufficientCredits),
            (400, r#"{"message":"Sorry","code":"insufficient_credits"}"#, InsufficientCredits),
            (
                400,
                r#"{"message":"Sorry","data":{"code":"insufficient_balance"}}"#,
                InsufficientCredits,
            ),
            (401, r#"{"message":"Invalid API key"}"#, Authentication),
            (403, "", PermissionDenied),
            (404, "{}", NotFound),
            (429, r#"{"message":"slow","data":{"retry_after":42}}"#, RateLimited),
            (500, "null", Server),
            (502, "<html>Bad Gateway</html>", Server),
            (418, "[]", ApiStatus),
            (302, "", ApiStatus),
            (408, "", ApiStatus),
        ] {
            let error = error(status, body);
            assert_eq!(error.kind(), kind, "{status} {body}");
            assert_eq!(error.status(), Some(status));
            assert!(error.message().contains(&status.to_string()));
        }
    }

    #[test]
    fn bodies_that_are_no_json_are_shown_in_short() {
        let text = error(502, "<html>\n<h1>Bad Gateway</h1>").to_string();
        assert!(text.contains("<html> <h1>Bad Gateway</h1>"), "{text}");
        assert!(error(500, "").to_string().contains("an empty body"));
    }

    #[test]
    fn nothing_secret() {
        let error = error(400, r#"{"message":"key pv_key_1, prompt: a secret prompt"}"#);
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
        assert!(!format!("{error} {error:?}").contains("pv_key_1"), "{error}");
    }

    #[test]
    fn a_long_body_shows_no_half_of_a_secret() {
        for filler in ["A", "é", "🐈"] {
            for length in 1180..1200 {
                let uri = format!("data:image/png,{}", filler.repeat(length));
                let text = error(400, &format!("{uri} pv_key_1 pv_key_1")).to_string();
                assert!(!text.contains("pv_k"), "{text}");
            }
            let text = error(400, &filler.repeat(5000)).to_string();
            assert!(text.contains('…') && text.chars().count() < 500, "{text}");
        }
    }

    #[test]
    fn what_the_prompt_says_is_not_what_the_service_says() {
        let prompt = "a man with insufficient funds at a bank";
        let redactor = Redactor { key: "", texts: vec![prompt] };
        let body = json!({"message": format!("Invalid prompt: '{prompt}'")}).to_string();
        let kind = |redactor| {
            let headers = HeaderMap::new();
            let now = SystemTime::UNIX_EPOCH;
            from_status(StatusCode::BAD_REQUEST, &headers, body.as_bytes(), redactor, now).kind()
        };
        assert_eq!(kind(&redactor), ErrorKind::BadRequest);
        assert_eq!(kind(&Redactor::default()), ErrorKind::InsufficientCredits);
    }

    #[test]
    fn sentences_end_once_and_are_not_empty() {
        let text = error(400, r#"{"message":"Invalid model."}"#).to_string();
        assert!(text.contains("Invalid model. Correct"), "{text}");
        let text = error(400, r#"{"message":" "}"#).to_string();
        assert!(text.contains(r#"no content type, "{"message":"#), "{text}");
    }

    proptest! {
        /// Whatever the service sends, there is an error: of a sane length, on one line, without
        /// the key, and with a pause that is believable.
        #[test]
        fn any_answer_makes_a_sane_error(
            status in 100u16..1000,
            body in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                r#"\{"(message|error|detail|code|data)":(null|-?[0-9]{1,30}(e[0-9]{1,4})?|"\PC{0,40}"|\{"(message|code|retry_after)":(null|-?[0-9]{1,30}(e-?[0-9]{1,4})?|"[0-9e.+-]{0,12}")\})\}"#
                    .prop_map(String::into_bytes),
            ],
            header in "[ -~]{0,40}",
            name in prop::sample::select(vec!["retry-after", "content-type", "x-request-id"]),
        ) {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_str(&header).unwrap());
            let redactor = Redactor { key: "pv_key_1", texts: vec!["a secret prompt"] };
            let status = StatusCode::from_u16(status).unwrap();
            let body = [&body[..], b" pv_key_1"].concat();
            let now = SystemTime::UNIX_EPOCH;
            for error in [
                from_status(status, &headers, &body, &redactor, now),
                from_status(status, &headers, &body[..body.len() - 9], &redactor, now),
                undecodable(status, &headers, &body, "no JSON", &redactor),
            ] {
                let text = format!("{error} {error:?}");
                prop_assert!(!text.contains("pv_key_1") && !error.to_string().contains('\n'));
                prop_assert!(error.message().chars().count() < 1000);
                prop_assert!(error.retry_after().unwrap_or_default() <= LONGEST_PAUSE);
            }
        }
    }

    #[test]
    fn pauses() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let pause = |header: Option<&str>, body: Value| {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            }
            retry_after(&headers, Some(&body), now).map(|pause| pause.as_secs_f64())
        };
        assert_eq!(pause(None, json!({"data": {"retry_after": 42}})), Some(42.0));
        assert_eq!(pause(Some("7"), json!({})), Some(7.0));
        assert_eq!(pause(Some("7"), json!({"data": {"retry_after": 42}})), Some(42.0));
        assert_eq!(pause(Some("Sun, 06 Nov 1994 08:49:37 GMT"), json!({})), Some(30.0));
        assert_eq!(pause(Some("Sun, 06 Nov 1994 08:00:00 GMT"), json!({})), Some(0.0));
        for nonsense in ["soon", "-1", "NaN", "", "1e400"] {
            assert_eq!(pause(Some(nonsense), json!({"data": {"retry_after": -5}})), None);
        }
        for long in ["1e18", "99999999999999999999"] {
            assert_eq!(pause(Some(long), json!(null)), Some(86400.0));
        }
    }
}
