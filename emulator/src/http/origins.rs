//! The two origins of an emulator, and their placeholders in configured texts.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The two servers of an emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The API.
    Api,
    /// The host of the videos.
    Video,
}

/// The URLs of the two servers.
#[derive(Clone, Debug)]
pub(crate) struct Origins {
    /// The API, `http://127.0.0.1:PORT`.
    pub(crate) base_url: String,
    /// The host of the videos, `http://127.0.0.1:PORT`.
    pub(crate) video_base: String,
}

impl Origins {
    /// Replaces `{base_url}`, `{video_base}` and `{other_origin}` in a text. `origin` is the server
    /// that sends the text.
    pub(crate) fn expand(&self, text: &str, origin: Origin) -> String {
        let other = match origin {
            Origin::Api => &self.video_base,
            Origin::Video => &self.base_url,
        };
        text.replace("{base_url}", &self.base_url)
            .replace("{video_base}", &self.video_base)
            .replace("{other_origin}", other)
    }

    /// Replaces the placeholders in all strings of a JSON value.
    pub(crate) fn expand_value(&self, value: &mut Value, origin: Origin) {
        match value {
            Value::String(text) if text.contains('{') => *text = self.expand(text, origin),
            Value::Array(values) => values.iter_mut().for_each(|v| self.expand_value(v, origin)),
            Value::Object(members) => self.expand_members(members, origin),
            _ => {}
        }
    }

    /// Replaces the placeholders in all members of a JSON object.
    pub(crate) fn expand_members(&self, members: &mut Map<String, Value>, origin: Origin) {
        members.values_mut().for_each(|value| self.expand_value(value, origin));
    }
}
