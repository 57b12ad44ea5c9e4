//! Checks that the scenarios are well formed: their members, operations, arguments, options, error
//! kinds and error fields exist, and the emulator's own types can read what is sent to it. The tests of
//! each language run them.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pipevideo_emulator::{DeliveryFault, Fault, NewGeneration, Options, Origin};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Surface {
    operations: BTreeMap<String, Operation>,
    create_arguments: Vec<Argument>,
    #[serde(deserialize_with = "names")]
    call_options: BTreeSet<String>,
    #[serde(deserialize_with = "names")]
    batch_options: BTreeSet<String>,
    #[serde(deserialize_with = "names")]
    options: BTreeSet<String>,
    #[serde(deserialize_with = "names")]
    error_fields: BTreeSet<String>,
    #[serde(deserialize_with = "names")]
    error_kinds: BTreeSet<String>,
    log_events: Vec<LogEvent>,
    excuses: BTreeMap<String, BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Operation {
    args: BTreeSet<String>,
    required: BTreeSet<String>,
    /// Whether it also takes the arguments of `create`.
    #[serde(default)]
    request: bool,
    /// Whether it also takes the options of a call.
    #[serde(default)]
    call_options: bool,
    /// Whether it also takes the options of a batch.
    #[serde(default)]
    batch_options: bool,
    result: String,
}

#[derive(Deserialize)]
struct LogEvent {
    name: String,
    level: String,
    fields: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Argument {
    name: String,
    #[serde(default)]
    required: bool,
}

/// The names of the entries of a list in `surface.json`.
fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    #[derive(Deserialize)]
    struct Named {
        name: String,
    }
    let declared = Vec::<Named>::deserialize(deserializer)?;
    Ok(declared.into_iter().map(|named| named.name).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    about: String,
    #[serde(default)]
    emulator: Map<String, Value>,
    #[serde(default)]
    generations: Vec<NewGeneration>,
    #[serde(default)]
    faults: Vec<Fault>,
    #[serde(default)]
    delivery_faults: Vec<DeliveryFault>,
    #[serde(default)]
    files: BTreeMap<String, File>,
    #[serde(default)]
    client: BTreeMap<String, Value>,
    #[serde(default)]
    first: Vec<Call>,
    call: Call,
    outcome: Outcome,
    requests: Option<Requests>,
    events: Option<Vec<Outcome>>,
    #[serde(default)]
    handler_failures: usize,
    #[serde(default)]
    files_after: BTreeMap<String, Option<File>>,
    #[serde(default)]
    logs: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    operation: String,
    #[serde(default)]
    args: Map<String, Value>,
    #[serde(rename = "as")]
    name: Option<String>,
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    value: Option<Value>,
    updates: Option<Vec<Update>>,
    error: Option<BTreeMap<String, Value>>,
    lacks: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "parsing it is the check")]
struct Update {
    generation: Map<String, Value>,
    elapsed: Option<Value>,
    expected: Option<Value>,
    progress: Option<Value>,
    via: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Requests {
    Exactly(Vec<Request>),
    Counts(Counts),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counts {
    counts: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "parsing it is the check")]
struct Request {
    method: String,
    path: String,
    origin: Option<Origin>,
    #[serde(default)]
    headers: BTreeMap<String, Option<String>>,
    body: Option<Value>,
    gap: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "parsing it is the check")]
enum File {
    VideoBytes(usize),
    Text(String),
    Base64(String),
    Video,
    Directory,
}

impl Surface {
    fn check_record(&self, record: &BTreeMap<String, Value>) {
        let event = self.log_events.iter().find(|event| record["event"] == event.name);
        let event = event.unwrap_or_else(|| panic!("unknown event {}", record["event"]));
        assert_eq!(record["level"], event.level);
        for name in record.keys().filter(|name| !["level", "event", "message"].contains(&&***name))
        {
            assert!(event.fields.contains(name), "{} has no {name}", event.name);
        }
    }

    /// The entries that no language has yet.
    fn excused_everywhere(&self) -> BTreeSet<String> {
        let everywhere =
            |entry: &&String| self.excuses.values().all(|all| all.contains_key(*entry));
        self.excuses.values().flat_map(BTreeMap::keys).filter(everywhere).cloned().collect()
    }
}

fn surface() -> Surface {
    let mut surface: Surface =
        serde_json::from_str(include_str!("../../conformance/surface.json")).unwrap();
    for operation in surface.operations.values_mut().filter(|operation| operation.request) {
        for argument in &surface.create_arguments {
            operation.args.insert(argument.name.clone());
            if argument.required {
                operation.required.insert(argument.name.clone());
            }
        }
    }
    for operation in surface.operations.values_mut().filter(|operation| operation.call_options) {
        operation.args.extend(surface.call_options.iter().cloned());
    }
    for operation in surface.operations.values_mut().filter(|operation| operation.batch_options) {
        operation.args.extend(surface.batch_options.iter().cloned());
    }
    surface
}

fn scenarios() -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/scenarios");
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let name = name.strip_suffix(".json").expect("scenarios are .json files").to_owned();
        let scenario = serde_json::from_str(&fs::read_to_string(&path).unwrap());
        all.push((name.clone(), scenario.unwrap_or_else(|error| panic!("{name}: {error}"))));
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

impl Scenario {
    fn check(&self, surface: &Surface) {
        assert!(self.about.ends_with('.'), "about must be a sentence");
        let mut options = self.emulator.clone();
        options.entry("polls").or_insert(json!(["completed"]));
        serde_json::from_value::<Options>(Value::Object(options)).unwrap();
        for option in self.client.keys() {
            assert!(surface.options.contains(option), "unknown option {option}");
        }
        for file in self.files.values() {
            assert!(!matches!(file, File::Video), "\"video\" is only for files_after");
        }
        self.first.iter().chain([&self.call]).for_each(|call| call.check(surface, self));
        self.outcome.check(surface);
        self.events.iter().flatten().for_each(|event| event.check(surface));
        self.logs.iter().for_each(|record| surface.check_record(record));
        self.check_faults();
        if let Some(requests) = &self.requests {
            requests.check();
        }
        assert!(self.files_after.keys().all(|path| !path.starts_with('/')));
        assert!(self.generations.iter().all(|new| new.id.as_deref() != Some("")));
    }

    /// Rejects faults without an effect, which are most likely mistyped.
    fn check_faults(&self) {
        for fault in &self.faults {
            let path = fault.matching.path.as_deref();
            assert!(path.is_none_or(|path| path.starts_with('/')), "a path starts with /");
            let harmless = Fault { matching: fault.matching.clone(), ..Fault::default() };
            assert!(*fault != harmless, "the fault has no effect");
        }
        for fault in &self.delivery_faults {
            let generation_id = fault.generation_id.clone();
            let harmless = DeliveryFault { generation_id, ..DeliveryFault::default() };
            assert!(*fault != harmless, "the fault has no effect");
        }
        let has_receiver = self.events.is_some();
        assert!(has_receiver || self.delivery_faults.is_empty(), "delivery_faults need events");
        let failures = self.handler_failures;
        assert!(has_receiver || failures == 0, "handler_failures need events");
    }
}

impl Call {
    fn check(&self, surface: &Surface, scenario: &Scenario) {
        let operation = surface.operations.get(&self.operation);
        let operation = operation.unwrap_or_else(|| panic!("unknown operation {}", self.operation));
        for arg in self.args.keys() {
            assert!(operation.args.contains(arg), "{} has no {arg}", self.operation);
        }
        for arg in &operation.required {
            assert!(self.args.contains_key(arg), "{} needs {arg}", self.operation);
        }
        for value in self.args.values().filter_map(Value::as_str) {
            let Some(wanted) = value.strip_prefix('@') else { continue };
            let named = |call: &Call| call.name.as_deref() == Some(wanted);
            assert!(scenario.first.iter().any(named), "no call in first is named {wanted}");
        }
        if self.operation.ends_with(".unwrap") {
            assert!(self.args.contains_key("now"), "{} needs now", self.operation);
        }
        if let Some(outcome) = &self.outcome {
            outcome.check(surface);
        }
    }
}

impl Outcome {
    fn check(&self, surface: &Surface) {
        let ways = [self.value.is_some(), self.updates.is_some(), self.error.is_some()];
        assert!(ways.iter().filter(|way| **way).count() <= 1, "a call has one outcome");
        assert!(self.lacks.is_none() || self.error.is_some(), "lacks needs an error");
        let Some(error) = &self.error else { return };
        let kind = error["kind"].as_str().expect("an error has a kind");
        assert!(surface.error_kinds.contains(kind), "unknown error kind {kind}");
        for field in error.keys() {
            assert!(surface.error_fields.contains(field), "unknown error field {field}");
        }
    }
}

impl Requests {
    fn check(&self) {
        match self {
            Self::Exactly(requests) => requests.iter().for_each(|request| {
                assert!(request.path.starts_with('/'));
                assert!(request.headers.keys().all(|name| *name == name.to_ascii_lowercase()));
            }),
            Self::Counts(Counts { counts }) => counts.keys().for_each(|key| {
                let (method, path) = key.split_once(' ').expect("METHOD path");
                assert!(method.bytes().all(|byte| byte.is_ascii_uppercase()));
                assert!(path.starts_with('/'));
            }),
        }
    }
}

#[test]
fn every_scenario_is_well_formed() {
    let surface = surface();
    let scenarios = scenarios();
    // Scenarios are added and hardly ever removed, so fewer mean that the folder is not complete.
    assert!(scenarios.len() >= 200, "{} scenarios", scenarios.len());
    for (name, scenario) in &scenarios {
        // The output of a failed test shows which scenario was the last.
        println!("{name}");
        scenario.check(&surface);
    }
}

#[test]
fn every_about_is_unique() {
    let scenarios = scenarios();
    let abouts: BTreeSet<_> = scenarios.iter().map(|(_, scenario)| &scenario.about).collect();
    assert_eq!(abouts.len(), scenarios.len());
}

#[test]
fn every_operation_and_kind_has_a_scenario() {
    let (surface, scenarios) = (surface(), scenarios());
    let mut reached = surface.excused_everywhere();
    // A mistake of the library: where one is known, it is corrected.
    reached.insert("internal".to_owned());
    for (_, scenario) in &scenarios {
        reached.insert(scenario.call.operation.clone());
        let kind = scenario.outcome.error.as_ref().and_then(|error| error["kind"].as_str());
        reached.extend(kind.map(str::to_owned));
    }
    for entry in surface.operations.keys().chain(&surface.error_kinds) {
        assert!(reached.contains(entry), "no scenario for {entry}");
    }
}

#[test]
fn excuses_name_existing_entries() {
    let surface = surface();
    let scenarios: BTreeSet<_> = scenarios().into_iter().map(|(name, _)| name).collect();
    for (entry, reason) in surface.excuses.values().flatten() {
        let exists = surface.operations.contains_key(entry)
            || [&surface.options, &surface.error_fields, &surface.error_kinds, &scenarios]
                .iter()
                .any(|set| set.contains(entry));
        assert!(exists, "excused, but unknown: {entry}");
        assert!(!reason.is_empty());
    }
    assert!(surface.operations.values().all(|operation| !operation.result.is_empty()));
}
