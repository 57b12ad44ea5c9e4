//! From an HTTP response to an error: the one place that knows what statuses mean.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{Error, ErrorKind, Redactor, RetryAfter};
use crate::model::mentions_credits;

/// The error of a response with a status that is not a success.
pub(crate) fn from_status(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    redactor: &Redactor<'_>,
    now: SystemTime,
) -> Error {
    let json: Option<Value> = crate::json::read(body).ok();
    let message = json.as_ref().and_then(message_of);
    let code = json.as_ref().and_then(code_of);
    let code = code.as_deref().and_then(|code| redactor.identifier(code));
    let kind = kind_of(status, message.unwrap_or_default(), code);
    let shown_code = code.map(|code| format!(", code {code}")).unwrap_or_default();
    let statement = format!("{} (HTTP {}{shown_code}).", meaning(kind), status.as_u16());
    let service_message = message
        .and_then(|message| redactor.service_message(message))
        .or_else(|| excerpt(body, redactor));
    Error::new(kind, statement)
        .with_advice(advice(kind))
        .with_status(status.as_u16())
        .with_code(code)
        .with_service_message(service_message)
        .with_request_id(request_id(headers, redactor))
        .with_retry_after(retry_after(headers, json.as_ref(), now))
}

/// The error of a response with a successful status and a body that is not what the API documents.
pub(crate) fn undecodable(
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    reason: &str,
    redactor: &Redactor<'_>,
) -> Error {
    // Not JSON, also behind a byte order mark: what is nearly a generation holds a signed URL.
    let excerpt = match body.iter().find(|byte| byte.is_ascii_graphic()) {
        Some(b'{' | b'[' | b'"') => None,
        _ => excerpt(body, redactor),
    };
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.and_then(|text| media_type(text, redactor));
    let statement = format!(
        "the response is not what the API documents (HTTP {}, {reason}, {} bytes, {}).",
        status.as_u16(),
        body.len(),
        content_type.unwrap_or("no content type"),
    );
    Error::new(ErrorKind::Decode, statement)
        .with_advice("Check the base URL, and whether a proxy responds in the service's place.")
        .with_status(status.as_u16())
        .with_service_message(excerpt)
        .with_request_id(request_id(headers, redactor))
}

fn kind_of(status: StatusCode, message: &str, code: Option<&str>) -> ErrorKind {
    match status.as_u16() {
        400 if mentions_credits(opening(message)) || code.is_some_and(mentions_credits) => {
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

/// The part of a message before anything that it may quote: up to the first quotation mark or colon.
///
/// A rejected prompt about "a man with insufficient funds" must not read as a lack of credits.
fn opening(message: &str) -> &str {
    let mut before = ' ';
    let quotes = |c: char| {
        // An apostrophe within a word, as in "the account's balance", quotes nothing.
        let is_quote = matches!(c, '"' | '`' | ':' | '“' | '„' | '‘' | '«' | '「')
            || c == '\'' && !before.is_alphanumeric();
        before = c;
        is_quote
    };
    message.split(quotes).next().unwrap_or_default()
}

fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => "the service rejected the request",
        ErrorKind::InsufficientCredits => "the account's balance is too low",
        ErrorKind::Authentication => "the key was not accepted",
        ErrorKind::PermissionDenied => "the key may not do this",
        ErrorKind::NotFound => "there is no such generation",
        ErrorKind::RateLimited => "the key has used up its requests for now",
        ErrorKind::Server => "the service had an error",
        _ => "the service responded with an unexpected status",
    }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::BadRequest => {
            "Correct the request; the service message, kept apart from this text, may say what is \
             wrong."
        }
        ErrorKind::InsufficientCredits => "Add credits and try again.",
        ErrorKind::Authentication => "Check PIPEVIDEO_API_KEY, and whether the key has expired.",
        ErrorKind::PermissionDenied => "Check what the key is allowed to do.",
        ErrorKind::NotFound => "Check the id, and that the key belongs to the same organization.",
        ErrorKind::RateLimited => "Try again later; other processes may share the key.",
        ErrorKind::Server => "Try again later.",
        _ => "Check the base URL, and whether a proxy responds in the service's place.",
    }
}

/// The `message`, where this service puts it, or where services of its family put it.
fn message_of(json: &Value) -> Option<&str> {
    [&json["message"], &json["error"]["message"], &json["error"], &json["detail"]]
        .into_iter()
        .find_map(Value::as_str)
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

/// The beginning of a body, such as a proxy's error page.
fn excerpt(body: &[u8], redactor: &Redactor<'_>) -> Option<String> {
    redactor.service_message(&String::from_utf8_lossy(body))
}

/// The top-level media types (IANA) that a service or a proxy may respond with.
const TOP_LEVEL_TYPES: [&str; 6] = ["application", "audio", "image", "multipart", "text", "video"];

/// The type and subtype of a content type, if they are words.
fn media_type<'t>(content_type: &'t str, redactor: &Redactor<'_>) -> Option<&'t str> {
    let essence = content_type.split(';').next()?.trim();
    let (kind, subtype) = essence.split_once('/')?;
    // Of the characters that words do not have, a subtype may have a plus, as in `image/svg+xml`.
    let are_identifiers = TOP_LEVEL_TYPES.iter().any(|known| kind.eq_ignore_ascii_case(known))
        && subtype.split('+').all(|part| redactor.identifier(part).is_some());
    are_identifiers.then_some(essence)
}

pub(crate) fn request_id(headers: &HeaderMap, redactor: &Redactor<'_>) -> Option<String> {
    let id = headers.get("x-request-id").or_else(|| headers.get("request-id"))?.to_str().ok()?;
    // Anything longer than an identifier may be what a proxy has echoed.
    redactor.identifier(id).map(str::to_owned)
}

/// The maximum pause that is accepted from a response. A larger number is a mistake, such as
/// milliseconds for seconds. How long a call waits is decided in `retry`.
const MAX_REPORTED_PAUSE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a response asks to wait: by `data.retry_after` in the body (seconds), and by the
/// `Retry-After` header (seconds or an HTTP date).
pub(crate) fn retry_after(
    headers: &HeaderMap,
    body: Option<&Value>,
    now: SystemTime,
) -> RetryAfter {
    let seconds = |seconds: f64| {
        let capped = seconds.min(MAX_REPORTED_PAUSE.as_secs_f64());
        Duration::try_from_secs_f64(capped).ok().filter(|_| seconds.is_finite())
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
                let pause = date.duration_since(now).unwrap_or_default();
                Some(pause.min(MAX_REPORTED_PAUSE))
            }
        }
    });
    RetryAfter { header: in_header, body: in_body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;
    use serde_json::json;

    fn error(status: u16, body: &str) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        let redactor = Redactor { key: "pv_key_1" };
        from_status(status, &HeaderMap::new(), body.as_bytes(), &redactor, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn each_status_has_its_kind() {
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
    fn the_services_words_are_kept_apart() {
        for (body, words) in [
            (r#"{"message":"Invalid prompt: a secret cat"}"#, "Invalid prompt: a secret cat"),
            (r#"{"error":{"message":"a secret cat"}}"#, "a secret cat"),
            (r#"{"detail":"key pv_key_1, a secret\ncat"}"#, "key [redacted], a secret cat"),
            (r#"{"errors":["a secret cat"]}"#, r#"{"errors":["a secret cat"]}"#),
            ("<html>\n<h1>a secret cat</h1>", "<html> <h1>a secret cat</h1>"),
        ] {
            for status in [400, 502] {
                let error = error(status, body);
                assert_eq!(error.service_message(), Some(words));
                assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
            }
        }
        assert_eq!(error(500, "").service_message(), None);
        assert_eq!(error(400, r#"{"message":" "}"#).service_message(), Some(r#"{"message":" "}"#));
    }

    #[test]
    fn a_code_is_kept_only_if_it_is_an_identifier() {
        for (code, kept) in [
            (json!("bad_shape"), Some("bad_shape")),
            (json!(42), Some("42")),
            (json!("a secret cat"), None),
            (json!("https://x.example/v?sig=SECRET"), None),
            (json!("pv_key_1"), None),
            (json!(""), None),
        ] {
            let error = error(400, &json!({"message": "no", "code": code}).to_string());
            assert_eq!(error.code(), kept);
            assert_eq!(error.message().contains(", code "), kept.is_some(), "{error}");
        }
    }

    #[test]
    fn a_request_id_is_kept_only_if_it_is_an_identifier() {
        for (headers, kept) in [
            (&[("x-request-id", "req_1"), ("request-id", "req_2")][..], Some("req_1")),
            (&[("request-id", "req_2")], Some("req_2")),
            (&[("x-request-id", "a secret cat")], None),
            (&[("x-request-id", "pv_key_1")], None),
            (&[], None),
        ] {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
            let headers: HeaderMap<HeaderValue> = headers.collect();
            let (status, redactor) = (StatusCode::BAD_GATEWAY, Redactor { key: "pv_key_1" });
            let failed = from_status(status, &headers, b"", &redactor, SystemTime::UNIX_EPOCH);
            let unread = undecodable(StatusCode::OK, &headers, b"", "not JSON", &redactor);
            for error in [failed, unread] {
                assert_eq!(error.request_id(), kept, "{headers:?}");
            }
        }
    }

    #[test]
    fn a_quoted_prompt_is_not_taken_for_a_lack_of_credits() {
        let kind = |message: &str| error(400, &json!({"message": message}).to_string()).kind();
        for message in [
            "Invalid prompt: 'a man with insufficient funds at a bank'",
            "Invalid prompt: a man with insufficient funds at a bank",
            "Cannot draw “insufficient funds”",
            "Cannot draw 'insufficient funds'",
        ] {
            assert_eq!(kind(message), ErrorKind::BadRequest, "{message}");
        }
        for message in [
            "Insufficient balance. Please add credits to continue.",
            "Your account's balance is too low",
            "Insufficient credits: 3 cents left",
        ] {
            assert_eq!(kind(message), ErrorKind::InsufficientCredits, "{message}");
        }
    }

    #[test]
    fn an_unreadable_response_is_described_and_its_json_not_quoted() {
        let headers = |content_type: &str| {
            let value = HeaderValue::from_str(content_type).unwrap();
            HeaderMap::from_iter([(header::CONTENT_TYPE, value)])
        };
        let decode = |content_type: &str, body: &str| {
            let redactor = Redactor { key: "pv_key_1" };
            undecodable(
                StatusCode::OK,
                &headers(content_type),
                body.as_bytes(),
                "not JSON",
                &redactor,
            )
        };
        let page = decode("text/html; charset=utf-8", "<html>Sign in</html>");
        assert!(page.message().contains("not JSON, 20 bytes, text/html"), "{page}");
        assert_eq!(page.service_message(), Some("<html>Sign in</html>"));
        let nearly =
            decode("application/json", r#"{"id":"gen_1","output_video_url":"https://s?x"}"#);
        assert_eq!(nearly.service_message(), None);
        for odd in ["a secret cat", "secret/cat", "text/a secret cat"] {
            let error = decode(odd, r#"{"id":"pv_key_1"}"#);
            assert!(error.message().contains("no content type"), "{odd}: {error}");
        }
    }

    proptest! {
        /// Whatever the service sends, the error has a limited length, one line, no key, and a
        /// pause within its limit.
        #[test]
        fn any_response_makes_a_bounded_error(
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
            let redactor = Redactor { key: "pv_key_1" };
            let status = StatusCode::from_u16(status).unwrap();
            let body = [&body[..], b" pv_key_1"].concat();
            let now = SystemTime::UNIX_EPOCH;
            for error in [
                from_status(status, &headers, &body, &redactor, now),
                from_status(status, &headers, &body[..body.len() - 9], &redactor, now),
                undecodable(status, &headers, &body, "not JSON", &redactor),
            ] {
                let words = error.service_message().unwrap_or_default();
                let text = format!("{error} {error:?} {words}");
                prop_assert!(!text.contains("pv_key_1") && !words.contains('\n') && !error.to_string().contains('\n'));
                prop_assert!(words.chars().count() < 400);
                prop_assert!(error.message().chars().count() < 1000);
                prop_assert!(error.retry_after().unwrap_or_default() <= MAX_REPORTED_PAUSE);
            }
        }
    }

    #[test]
    fn retry_after_is_read_from_the_body_and_the_header() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        let pause = |header: Option<&str>, body: Value| {
            let mut headers = HeaderMap::new();
            if let Some(text) = header {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            }
            retry_after(&headers, Some(&body), now).longest().map(|pause| pause.as_secs_f64())
        };
        assert_eq!(pause(None, json!({"data": {"retry_after": 42}})), Some(42.0));
        assert_eq!(pause(None, json!({"data": {"retry_after": " 4.5 "}})), Some(4.5));
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
