//! What the processes of a key tell each other: messages that are sent to all at once, and kept for
//! those that begin later.

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;
use redis::aio::ConnectionLike;

use super::Link;
use super::session::{Keys, LinkError, in_time};
use super::window::milliseconds;
use crate::client::client_state::ClientState;
use crate::client::clock;
use crate::lock::lock;
use crate::model::GenerationId;

/// What one process tells the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Message<'a> {
    /// A webhook has reported the end of this generation; a wait that begins within this time counts it.
    Ended(&'a str, Duration),
    /// The process of this name has created this generation.
    Created(&'a str, &'a str),
    /// An event with this id was handled.
    Acknowledged(&'a str),
    /// The process of this name has ended its calls: what it has created was received.
    Left(&'a str),
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended(id, within) => write!(f, "ended {} {id}", within.as_millis()),
            Self::Created(process, id) => write!(f, "created {process} {id}"),
            Self::Acknowledged(id) => write!(f, "acknowledged {id}"),
            Self::Left(process) => write!(f, "left {process}"),
        }
    }
}

impl<'a> Message<'a> {
    /// Reads a message. A later version of this library may send others.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (kind, rest) = text.split_once(' ')?;
        match kind {
            "ended" => {
                let (within, id) = rest.split_once(' ')?;
                Some(Self::Ended(id, Duration::from_millis(within.parse().ok()?)))
            }
            "created" => {
                let (process, id) = rest.split_once(' ')?;
                Some(Self::Created(process, id))
            }
            "acknowledged" => Some(Self::Acknowledged(rest)),
            "left" => Some(Self::Left(rest)),
            _ => None,
        }
    }
}

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("feed.lua")));

/// For how long and how many messages are kept for processes that begin later: a day, and what a key
/// can have at 100 requests a minute in an hour and a half.
const KEPT_FOR: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_KEPT: usize = 30_000;
/// How many messages are sent at a time.
const BATCH: usize = 100;
/// How many messages are read at a time: more than there are of one millisecond, and few enough for a
/// slow machine or connection to take them in time.
const PAGE: usize = 2_000;
/// For how long messages are sent before the window has its turn, for which calls wait.
const TURN: Duration = Duration::from_millis(50);

/// One process's access to the messages.
pub(super) struct Feed {
    process: String,
    /// The time of the last message that was read, in milliseconds of the server's clock.
    read_until: u64,
}

impl Feed {
    pub(super) fn new(process: String) -> Self {
        Self { process, read_until: 0 }
    }

    /// Sends what a link has to tell, for some time. Returns whether that was all. What is not known to
    /// have been sent stays there: that a message is sent twice does no harm.
    pub(super) async fn send(
        &self,
        connection: &mut impl ConnectionLike,
        keys: &Keys,
        link: &Link,
    ) -> Result<bool, LinkError> {
        let began = clock::now();
        while clock::now().saturating_sub(began) < TURN {
            let (batch, next) = link.first_messages(BATCH);
            if batch.is_empty() {
                return Ok(true);
            }
            let mut script = SCRIPT.key(&keys.feed);
            script.arg(&keys.channel).arg(&self.process);
            script.arg(milliseconds(KEPT_FOR)).arg(MAX_KEPT).arg(&batch);
            let _: () = in_time(script.invoke_async(connection)).await?;
            link.remove_messages(next);
        }
        Ok(false)
    }

    /// Reads the next messages since the last time, each with its age, and whether there are more.
    pub(super) async fn read(
        &mut self,
        connection: &mut impl ConnectionLike,
        keys: &Keys,
    ) -> Result<(Vec<(String, Duration)>, bool), LinkError> {
        let mut both = redis::pipe();
        both.cmd("TIME");
        both.cmd("ZRANGE").arg(&keys.feed).arg(self.read_until).arg("+inf");
        both.arg("BYSCORE").arg("LIMIT").arg(0).arg(PAGE).arg("WITHSCORES");
        let ((seconds, micros), messages) = in_time(both.query_async(connection)).await?;
        let (seconds, micros, messages): (u64, u64, Vec<(Vec<u8>, f64)>) =
            (seconds, micros, messages);
        let now = seconds.saturating_mul(1000).saturating_add(micros / 1000);
        let last = messages.get(PAGE - 1).map(|(_, at)| *at as u64);
        // Messages of the same millisecond may come later, or be on the next page.
        self.read_until =
            last.map_or(now.saturating_sub(1), |last| last.max(self.read_until.saturating_add(1)));
        // Nothing of this library's is another text.
        let aged = |(message, at): (Vec<u8>, f64)| {
            let age = Duration::from_millis(now.saturating_sub(at as u64));
            Some((String::from_utf8(message).ok()?, age))
        };
        Ok((messages.into_iter().filter_map(aged).collect(), last.is_some()))
    }
}

impl ClientState {
    /// A process has published this, so long ago. A later version of this library may publish more.
    pub(super) fn on_message(&self, message: &str, age: Duration) {
        let Some(message) = Message::parse(message) else { return };
        let published_at = clock::now().saturating_sub(age);
        match message {
            Message::Ended(id, within) => {
                lock(&self.inbox).insert(id, published_at.saturating_add(within));
                // A text that cannot be an id has no waits.
                if let Ok(id) = GenerationId::parse(id) {
                    self.drivers.wake(&id);
                }
            }
            Message::Created(process, id) => {
                if let Ok(process) = u64::from_str_radix(process, 16) {
                    lock(&self.created).insert_first(id, published_at);
                    lock(&self.created_by).insert(id, process);
                }
            }
            Message::Left(process) => lock(&self.left).insert(process, ()),
            Message::Acknowledged(id) => self.acknowledged.insert_received(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let messages = [
            Message::Ended("gen 1", Duration::from_millis(900_000)),
            Message::Created("1f", "gen_1"),
            Message::Acknowledged("msg_1 x"),
            Message::Left("1f"),
        ];
        for message in messages {
            assert_eq!(Message::parse(&message.to_string()), Some(message));
        }
        for other in ["", "ended", "ended x gen_1", "ended 1", "created gen_1", "moved gen_1"] {
            assert_eq!(Message::parse(other), None);
        }
    }
}
