//! What stands in for the link to Redis in builds without the feature `redis`.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::client_state::ClientState;
use super::events::Log;

/// A server that there is none of.
#[derive(Clone)]
pub(crate) enum RedisUrl {}

/// A link that no state has.
pub(crate) enum Link {}

impl RedisUrl {
    pub(crate) fn hash(&self) -> [u8; 32] {
        match *self {}
    }
}

impl Link {
    pub(crate) fn new(_: Log) -> Self {
        unreachable!("there is no URL to link to")
    }

    pub(crate) fn publish_ended(&self, _: &str, _: Duration) {
        match *self {}
    }

    pub(crate) fn publish_created(&self, _: &str) {
        match *self {}
    }

    pub(crate) fn wait_until_ready(&self) {
        match *self {}
    }

    pub(crate) async fn refresh(&self) -> HashSet<u64> {
        match *self {}
    }

    pub(crate) async fn flush(&self, _: Duration) {
        match *self {}
    }

    pub(crate) fn end(&self) {
        match *self {}
    }
}

pub(super) fn start(_: &Arc<ClientState>, link: &Arc<Link>, _: String, _: &RedisUrl) {
    match **link {}
}

pub(super) fn reset() {}
