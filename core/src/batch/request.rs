//! The requests of a batch, and their keys.

use std::collections::{HashMap, HashSet};

use super::journal::Hash;
use crate::error::{Error, ErrorKind};
use crate::model::GenerationRequest;

/// A request of a batch: the arguments of a create, and a key.
///
/// ```
/// use pipevideo::{BatchRequest, GenerationRequest};
///
/// let request = GenerationRequest::new("moonshotai/kimi-k2.5", "A cat walking on a beach");
/// let request = BatchRequest::new(request).key("cat");
/// # let _ = request;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BatchRequest {
    pub(super) request: GenerationRequest,
    pub(super) key: Option<String>,
}

impl BatchRequest {
    /// A request with the default key: a hash of the request, and its number among equal ones. It
    /// does not change if the requests of a batch come in another order.
    pub fn new(request: GenerationRequest) -> Self {
        Self { request, key: None }
    }

    /// Sets the key, by which a later run recognizes the request, and which names the file of its
    /// video. No two requests of a batch may have the same.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

impl From<GenerationRequest> for BatchRequest {
    fn from(request: GenerationRequest) -> Self {
        Self::new(request)
    }
}

/// The maximum length of a key, in bytes. It is on each line of the journal.
const MAX_KEY: usize = 1000;

/// The keys of a batch so far. Hashes stand for keys and requests, since a batch may have a million.
#[derive(Default)]
pub(super) struct Keys {
    given: HashSet<u128>,
    /// How often a request came without a key.
    numbers: HashMap<u128, u32>,
}

/// A request with its key.
pub(super) struct KeyedRequest {
    pub(super) key: String,
    pub(super) request: GenerationRequest,
    /// Of the request's JSON.
    pub(super) hash: Hash,
}

impl Keys {
    /// Gives a request its key.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] for a key that another request has, or that is empty.
    pub(super) fn assign(&mut self, request: BatchRequest) -> Result<KeyedRequest, Error> {
        let BatchRequest { request, key } = request;
        let json = serde_json::to_vec(&request).map_err(|error| {
            Error::new(ErrorKind::InvalidRequest, "the request cannot be written as JSON.")
                .with_source(error)
        })?;
        let hash = Hash::of(&json);
        let key = match key {
            Some(key) if key.is_empty() => {
                let message = "a request of the batch has an empty key. Leave the key out, or give \
                               each request its own.";
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            Some(key) if key.len() > MAX_KEY => {
                let message =
                    format!("a key of the batch is longer than {MAX_KEY} bytes. Shorten it.");
                return Err(Error::new(ErrorKind::InvalidRequest, message));
            }
            Some(key) => key,
            None => {
                let digits = hash.to_string();
                let number = self.numbers.entry(Hash::short(&digits)).or_default();
                *number = number.saturating_add(1);
                format!("{}-{number}", digits.get(..16).unwrap_or(&digits))
            }
        };
        if !self.given.insert(Hash::short(&key)) {
            let message = "two requests of the batch have the same key. Give each request a key of \
                           its own.";
            return Err(Error::new(ErrorKind::InvalidRequest, message));
        }
        Ok(KeyedRequest { key, request, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(prompt: &str) -> BatchRequest {
        GenerationRequest::new("m", prompt).into()
    }

    #[test]
    fn default_keys_number_equal_requests_and_do_not_depend_on_the_order() {
        let keys = |prompts: &[&str]| -> Vec<String> {
            let mut keys = Keys::default();
            prompts.iter().map(|prompt| keys.assign(request(prompt)).unwrap().key).collect()
        };
        let [cat, dog, other_cat] = &keys(&["cat", "dog", "cat"])[..] else { panic!() };
        assert!(cat.ends_with("-1") && dog.ends_with("-1") && other_cat.ends_with("-2"));
        assert_eq!(cat[..17], other_cat[..17]);
        assert_eq!(&keys(&["dog", "cat", "cat"]), &[dog.clone(), cat.clone(), other_cat.clone()]);
    }

    #[test]
    fn a_key_is_given_once_and_is_not_empty() {
        let mut keys = Keys::default();
        for key in ["a", &"k".repeat(MAX_KEY)] {
            keys.assign(request("cat").key(key)).unwrap();
        }
        for key in ["a", "", &"k".repeat(MAX_KEY + 1)] {
            let error = keys.assign(request("dog").key(key)).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        }
    }

    #[test]
    fn what_is_not_sent_does_not_change_the_hash() {
        let mut keys = Keys::default();
        let plain = keys.assign(request("cat").key("a")).unwrap();
        let limited = GenerationRequest::new("m", "cat").max_cost_usd(1);
        let limited = keys.assign(BatchRequest::new(limited).key("b")).unwrap();
        assert_eq!(plain.hash, limited.hash);
    }
}
