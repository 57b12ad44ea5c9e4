//! The fields of an error, as host languages show them.

use std::io;
use std::time::{Duration, SystemTime};

use pipevideo::{Error, ErrorKind, Generation};

use crate::foreign_error::{ForeignError, sources};

/// All fields of an error except for its [`cause`].
///
/// A field that does not belong to the error's kind is `None`.
#[derive(Clone)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields are those of `pipevideo::Error`, documented there")]
pub struct ErrorFields<'a> {
    pub kind: ErrorKind,
    pub message: &'a str,
    pub advice: Option<&'a str>,
    pub service_message: Option<&'a str>,
    pub status: Option<u16>,
    pub code: Option<&'a str>,
    pub request_id: Option<&'a str>,
    pub generation_id: Option<&'a str>,
    pub retryable: bool,
    pub retry_after: Option<Duration>,
    pub attempts: u32,
    pub model: Option<&'a str>,
    pub sent_at: Option<SystemTime>,
    /// The generation that failed.
    pub generation: Option<&'a Generation>,
    pub category: Option<&'a str>,
    /// The last snapshot of the generation, of a wait that reached its deadline.
    pub last: Option<&'a Generation>,
    pub polls: Option<u32>,
    pub reason: Option<&'a str>,
}

impl<'a> ErrorFields<'a> {
    /// The fields of an error that the binding itself finds, before it calls the core.
    pub fn new(kind: ErrorKind, message: &'a str) -> Self {
        Self {
            kind,
            message,
            advice: None,
            service_message: None,
            status: None,
            code: None,
            request_id: None,
            generation_id: None,
            retryable: false,
            retry_after: None,
            attempts: 0,
            model: None,
            sent_at: None,
            generation: None,
            category: None,
            last: None,
            polls: None,
            reason: None,
        }
    }
}

impl<'a> From<&'a Error> for ErrorFields<'a> {
    fn from(error: &'a Error) -> Self {
        let generation_of = |kind| error.generation().filter(|_| error.kind() == kind);
        Self {
            advice: error.advice(),
            service_message: error.service_message(),
            status: error.status(),
            code: error.code(),
            request_id: error.request_id(),
            generation_id: error.generation_id(),
            retryable: error.is_retryable(),
            retry_after: error.retry_after(),
            attempts: error.attempts(),
            model: error.model(),
            sent_at: error.sent_at(),
            generation: generation_of(ErrorKind::GenerationFailed),
            category: error.category().map(|category| category.as_str()),
            last: generation_of(ErrorKind::WaitTimeout),
            polls: error.polls(),
            reason: error.reason().map(|reason| reason.as_str()),
            ..Self::new(error.kind(), error.message())
        }
    }
}

/// What caused an error, as far as it may be shown.
#[derive(Debug)]
pub enum Cause<'a, E> {
    /// An earlier error of the same call.
    Error(&'a Error),
    /// An error of the host, which its token function failed with.
    Foreign(&'a E),
    /// An error of the operating system.
    System {
        /// The system's number of the error.
        number: Option<i32>,
        /// What the number means. It has no details, which may be a path or an address.
        message: String,
    },
}

/// Returns the nearest source of an error that may be shown.
///
/// Other sources, such as those of the HTTP library, may quote a response or a URL, and are skipped.
pub fn cause<E: Send + Sync + 'static>(error: &Error) -> Option<Cause<'_, E>> {
    sources(error).find_map(|source| {
        if let Some(error) = source.downcast_ref() {
            Some(Cause::Error(error))
        } else if let Some(value) = ForeignError::<E>::value_of(source) {
            Some(Cause::Foreign(value))
        } else {
            source.downcast_ref().map(|system: &io::Error| Cause::System {
                number: system.raw_os_error(),
                message: system.kind().to_string(),
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use pipevideo::Client;

    use super::*;

    #[tokio::test]
    async fn a_refused_connection_is_caused_by_the_system() {
        // The port is free again once the listener is dropped.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let client = Client::builder()
            .api_key("pv_test")
            .base_url(format!("http://127.0.0.1:{port}"))
            .max_retries(0)
            .build()
            .unwrap();
        let error = client.responses().retrieve("gen_1").await.unwrap_err();
        let fields = ErrorFields::from(&error);
        assert_eq!(fields.kind, ErrorKind::Connection);
        assert_eq!((fields.attempts, fields.retryable, fields.status), (1, true, None));
        let Some(Cause::System { number, message }) = cause::<()>(&error) else {
            panic!("{error:?}")
        };
        assert!(number.is_some() && message.contains("refused"), "{number:?} {message}");
    }

    #[tokio::test]
    async fn an_error_of_the_host_is_the_cause() {
        let client = Client::builder()
            .token(|| async { Err(ForeignError::new(7_u32, "the function threw").into()) })
            .build()
            .unwrap();
        let error = client.responses().retrieve("gen_1").await.unwrap_err();
        assert!(matches!(cause(&error), Some(Cause::Foreign(7_u32))));
    }

    #[test]
    fn fields_of_other_kinds_are_none() {
        let fields = ErrorFields::new(ErrorKind::Configuration, "a message.");
        assert_eq!(fields.message, "a message.");
        assert!(fields.generation.is_none() && fields.last.is_none() && fields.polls.is_none());
        assert!(fields.model.is_none() && fields.reason.is_none() && !fields.retryable);
    }
}
