//! Where the two servers are, for what refers to them.

use serde_json::{Map, Value};

use crate::faults::Origin;

#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// `http://127.0.0.1:PORT`.
    pub(crate) base_url: String,
    pub(crate) video_base: String,
}

impl Places {
    /// Puts the origins in place of `{base_url}`, `{video_base}` and `{other_origin}`.
    pub(crate) fn fill(&self, text: &str, origin: Origin) -> String {
        let other = match origin {
            Origin::Api => &self.video_base,
            Origin::Video => &self.base_url,
        };
        text.replace("{base_url}", &self.base_url)
            .replace("{video_base}", &self.video_base)
            .replace("{other_origin}", other)
    }

    pub(crate) fn fill_value(&self, value: &mut Value, origin: Origin) {
        match value {
            Value::String(text) if text.contains('{') => *text = self.fill(text, origin),
            Value::Array(values) => values.iter_mut().for_each(|v| self.fill_value(v, origin)),
            Value::Object(members) => self.fill_members(members, origin),
            _ => {}
        }
    }

    pub(crate) fn fill_members(&self, members: &mut Map<String, Value>, origin: Origin) {
        members.values_mut().for_each(|value| self.fill_value(value, origin));
    }
}
