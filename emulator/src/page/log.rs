//! The requests and deliveries that the page shows.

use std::collections::VecDeque;
use std::time::Duration;

use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE};
use hyper::http::request::Parts;
use serde::Serialize;

use super::events::event;
use crate::deliveries::SentDelivery;
use crate::http::{Origin, Response};

/// How many entries are kept for pages that are opened later. The page shows half as many of each list.
const MAX_ENTRIES: usize = 400;

/// How many bytes of a body are shown: enough for the prompts and responses of most requests, and little
/// enough that all entries take less than four megabytes.
const MAX_SHOWN: usize = 4096;

/// The newest entries, each as an event of the page's stream.
#[derive(Debug, Default)]
pub(crate) struct PageLog {
    entries: VecDeque<String>,
    /// How many entries there have been.
    added: usize,
}

impl PageLog {
    pub(crate) fn add_exchange(&mut self, exchange: &Exchange) {
        self.add(event("request", exchange));
    }

    pub(crate) fn add_delivery(&mut self, sent: &SentDelivery) {
        self.add(event("delivery", sent));
    }

    fn add(&mut self, entry: String) {
        self.entries.push_back(entry);
        self.added = self.added.saturating_add(1);
        if self.entries.len() > MAX_ENTRIES {
            self.entries.pop_front();
        }
    }

    /// The entries that were added after the first `seen` ones, as far as they are kept.
    pub(super) fn since(&self, seen: &mut usize) -> impl Iterator<Item = &String> {
        let new = self.added.saturating_sub(std::mem::replace(seen, self.added));
        self.entries.iter().skip(self.entries.len().saturating_sub(new))
    }
}

/// A request and its response. Headers are left out: one of them is the key.
#[derive(Debug, Serialize)]
pub(crate) struct Exchange {
    /// When the request was received, in seconds since the start of the emulator.
    at: f64,
    method: String,
    path: String,
    origin: Origin,
    body: Option<String>,
    /// None: there was no response.
    status: Option<u16>,
    answer: Option<String>,
    ms: u128,
}

impl Exchange {
    pub(crate) fn new(head: &Parts, origin: Origin, at: Duration) -> Self {
        Self {
            at: at.as_secs_f64(),
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            origin,
            body: None,
            status: None,
            answer: None,
            ms: 0,
        }
    }

    pub(crate) fn set_body(&mut self, body: &[u8]) {
        self.body = shown(body);
    }

    pub(crate) fn set_response(&mut self, response: &Response) {
        self.status = Some(response.status.as_u16());
        let media_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let media_type = media_type.unwrap_or_default();
        let is_text = ["application/json", "application/xml", "text/"];
        let is_text = is_text.iter().any(|start| media_type.starts_with(start))
            && !response.headers.contains_key(CONTENT_ENCODING);
        self.answer = match response.body.buffered() {
            Some(body) if is_text || body.is_empty() => shown(&body),
            _ => Some(format!("{} bytes, {media_type}", response.body.len())),
        };
    }

    pub(crate) fn set_end(&mut self, at: Duration) {
        self.ms = at.saturating_sub(Duration::from_secs_f64(self.at)).as_millis();
    }
}

fn shown(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body.get(..MAX_SHOWN).unwrap_or(body));
    match body.len() {
        0 => None,
        length if length > MAX_SHOWN => Some(format!("{text}… ({length} bytes)")),
        _ => Some(text.into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_entries_are_sent_once_and_the_oldest_are_dropped() {
        let mut log = PageLog::default();
        let mut seen = 0;
        for n in 0..3 {
            log.add(n.to_string());
        }
        assert_eq!(log.since(&mut seen).collect::<Vec<_>>(), ["0", "1", "2"]);
        assert_eq!(log.since(&mut seen).count(), 0);
        for n in 0..MAX_ENTRIES + 7 {
            log.add(n.to_string());
        }
        let entries: Vec<_> = log.since(&mut seen).collect();
        assert_eq!((entries.len(), entries[0].as_str()), (MAX_ENTRIES, "7"));
    }

    #[test]
    fn long_bodies_are_cut() {
        assert_eq!(shown(b""), None);
        assert_eq!(shown("ä".repeat(MAX_SHOWN / 2).as_bytes()).unwrap().len(), MAX_SHOWN);
        assert!(shown(&[b'x'; 5000]).unwrap().ends_with("x… (5000 bytes)"));
    }
}
