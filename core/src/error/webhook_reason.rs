//! Why a webhook delivery was rejected.

use std::fmt;

/// Why the delivery of a webhook was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WebhookReason {
    /// The header with the id, the timestamp or the signature is missing.
    MissingHeader,
    /// The timestamp is not a whole number of Unix seconds.
    BadTimestamp,
    /// The delivery was signed more than five minutes ago. It may be a replay.
    TooOld,
    /// The delivery was signed more than five minutes in the future. A clock is wrong.
    TooNew,
    /// The signature matches none of the configured secrets.
    NoMatch,
    /// The delivery is authentic, but its body is not an event; or the body is far too large.
    BadPayload,
}

impl WebhookReason {
    /// The name that every language uses, such as `no_match`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingHeader => "missing_header",
            Self::BadTimestamp => "bad_timestamp",
            Self::TooOld => "too_old",
            Self::TooNew => "too_new",
            Self::NoMatch => "no_match",
            Self::BadPayload => "bad_payload",
        }
    }

    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::MissingHeader => {
                "a signature header is missing. Pass all headers of the request: svix-id, \
                 svix-timestamp and svix-signature are required, or the same three as webhook-…."
            }
            Self::BadTimestamp => {
                "the delivery's timestamp is not a number of seconds. Check that a proxy does not \
                 change the headers."
            }
            Self::TooOld => {
                "the delivery was signed more than five minutes ago. Verify deliveries as soon as they \
                 arrive, and check this machine's clock."
            }
            Self::TooNew => {
                "the delivery was signed more than five minutes in the future. Check this machine's \
                 clock."
            }
            Self::NoMatch => {
                "the signature matches none of the configured secrets. Check the secret, and pass the \
                 raw bytes of the body: JSON that was parsed and written again does not verify."
            }
            Self::BadPayload => {
                "the body is not an event of this service. Check which service the endpoint is \
                 registered with."
            }
        }
    }
}

impl fmt::Display for WebhookReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
