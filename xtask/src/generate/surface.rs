//! `conformance/surface.json` as it is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::names::camel;

/// What every language has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Surface {
    #[serde(deserialize_with = "in_order")]
    pub(super) operations: Vec<(String, Operation)>,
    pub(super) create_arguments: Vec<Argument>,
    /// What `generate` takes beside `create`'s arguments.
    pub(super) generate_arguments: Vec<Argument>,
    /// What each call takes beside its arguments.
    pub(super) call_options: Vec<ClientOption>,
    /// What `batch` takes beside the requests.
    pub(super) batch_options: Vec<ClientOption>,
    pub(super) options: Vec<ClientOption>,
    pub(super) error_fields: Vec<ErrorField>,
    pub(super) error_kinds: Vec<ErrorKind>,
    pub(super) log_events: Vec<LogEvent>,
    pub(super) log_fields: Vec<LogField>,
    /// What a language does not have, with the reason.
    excuses: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
pub(super) struct Operation {
    /// One sentence.
    pub(super) doc: String,
    /// Further paragraphs.
    #[serde(default)]
    pub(super) details: Vec<String>,
    pub(super) spelling: Spelling,
}

/// How each language calls an operation; empty where it does not have it.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
pub(super) struct Spelling {
    pub(super) python: String,
    pub(super) node: String,
    pub(super) swift: String,
    pub(super) rust: String,
}

/// The type of an argument, an option or a field; each language has its own for it.
#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Type {
    String,
    Integer,
    /// An amount of US dollars, exact.
    Money,
    Boolean,
    Object,
    Duration,
    Instant,
    Kind,
    Key,
    Path,
    Headers,
    Secrets,
    RateLimit,
    Polling,
    App,
    Input,
    Provider,
    Engine,
    OnUpdate,
    OnEvent,
    Generation,
    FailedGeneration,
    FailureCategory,
    FailureCategories,
    WebhookReason,
    Logger,
    LogLevel,
    CallOptions,
}

/// An argument of `create` and `generate`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Argument {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    #[serde(default)]
    pub(super) required: bool,
    /// Whether a printed request does not show it, since it may hold the prompt.
    #[serde(default)]
    pub(super) hidden: bool,
    /// Whether the client reads it and does not send it.
    #[serde(default)]
    pub(super) local: bool,
    /// The name in the request's JSON, where it differs.
    pub(super) wire: Option<String>,
    pub(super) doc: String,
}

/// An option of the client or of a batch, or a member of one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientOption {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    /// The variable that it is taken from by default.
    pub(super) env: Option<String>,
    pub(super) default: Option<String>,
    pub(super) doc: String,
    #[serde(default)]
    pub(super) members: Vec<ClientOption>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorField {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    #[serde(default)]
    pub(super) nullable: bool,
    /// The kinds of error that have it; all, if there are none.
    #[serde(default)]
    pub(super) kinds: Vec<String>,
    pub(super) doc: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorKind {
    pub(super) name: String,
    /// The class in Python and Node.
    pub(super) class: String,
    /// The kind with the base class of this one's class.
    pub(super) base: Option<String>,
    pub(super) doc: String,
}

/// An event of the log.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogEvent {
    pub(super) name: String,
    pub(super) level: String,
    /// The names of the fields that it may have.
    pub(super) fields: Vec<String>,
    pub(super) doc: String,
}

/// A field of the log's events.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogField {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: Type,
    pub(super) doc: String,
}

impl Surface {
    pub(super) fn operation(&self, name: &str) -> Result<&Operation, String> {
        let found = self.operations.iter().find(|(known, _)| known == name);
        found.map(|(_, operation)| operation).ok_or_else(|| format!("there is no operation {name}"))
    }

    /// The client's options that a language has.
    pub(super) fn options_of(&self, language: &str) -> impl Iterator<Item = &ClientOption> {
        let excused = self.excuses.get(language);
        let has = move |name: &String| excused.is_none_or(|excused| !excused.contains_key(name));
        self.options.iter().filter(move |option| has(&option.name))
    }

    /// Whether any language has this operation or kind; the others are still to come.
    pub(super) fn exists(&self, name: &str) -> bool {
        self.excuses.values().any(|excused| !excused.contains_key(name))
    }

    /// The fields that every error has.
    pub(super) fn common_error_fields(&self) -> impl Iterator<Item = &ErrorField> {
        self.error_fields.iter().filter(|field| field.kinds.is_empty())
    }

    /// The fields that only this kind of error has.
    pub(super) fn error_fields_of(&self, kind: &ErrorKind) -> Vec<&ErrorField> {
        self.error_fields.iter().filter(|field| field.kinds.contains(&kind.name)).collect()
    }

    /// The kinds with a class derived directly from this one's.
    pub(super) fn derived_from<'a>(
        &'a self,
        base: &'a ErrorKind,
    ) -> impl Iterator<Item = &'a ErrorKind> {
        self.error_kinds.iter().filter(|kind| kind.base.as_ref() == Some(&base.name))
    }

    /// The kinds with a class derived from this one's, directly or not.
    pub(super) fn kinds_below<'a>(&'a self, base: &'a ErrorKind) -> Vec<&'a str> {
        let derived = self.derived_from(base);
        derived.flat_map(|kind| [vec![&*kind.name], self.kinds_below(kind)].concat()).collect()
    }

    /// The class of a kind's base.
    pub(super) fn base_class(&self, kind: &ErrorKind) -> &str {
        let base = self.error_kinds.iter().find(|base| kind.base.as_ref() == Some(&base.name));
        base.map_or("PipevideoError", |base| &base.class)
    }

    /// The kinds in an order in which each class comes after its base.
    pub(super) fn error_kinds_bases_first(&self) -> Vec<&ErrorKind> {
        let mut ordered: Vec<&ErrorKind> = Vec::new();
        while ordered.len() < self.error_kinds.len() {
            let has = |name: &String, ordered: &[&ErrorKind]| {
                ordered.iter().any(|kind| kind.name == *name)
            };
            let ready = self.error_kinds.iter().find(|kind| {
                !has(&kind.name, &ordered) && kind.base.as_ref().is_none_or(|b| has(b, &ordered))
            });
            match ready {
                Some(kind) => ordered.push(kind),
                None => break,
            }
        }
        ordered
    }

    /// A kind's documentation, which names the classes that are derived from it.
    pub(super) fn class_doc(&self, kind: &ErrorKind) -> String {
        let derived: Vec<_> =
            self.derived_from(kind).map(|kind| format!("`{}`", kind.class)).collect();
        match derived.split_last() {
            None => kind.doc.clone(),
            Some((last, [])) => format!("{} The base class of {last}.", kind.doc),
            Some((last, others)) => {
                format!("{} The base class of {} and {last}.", kind.doc, others.join(", "))
            }
        }
    }
}

impl Argument {
    pub(super) fn wire(&self) -> &str {
        self.wire.as_deref().unwrap_or(&self.name)
    }

    pub(super) fn camel(&self) -> String {
        camel(&self.name)
    }
}

/// Reads an object as pairs in the order of the file.
fn in_order<'de, D, T>(deserializer: D) -> Result<Vec<(String, T)>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Pairs<T>(std::marker::PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
        type Value = Vec<(String, T)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }

    deserializer.deserialize_map(Pairs(std::marker::PhantomData))
}
