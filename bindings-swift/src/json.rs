//! The models' JSON, read and written by the core: unknown and unreadable fields are kept.

use std::time::SystemTime;

use bindings_macros::barrier;
use pipevideo::{
    AccountUsage, EngineCatalog, FailureCategory, Generation, GenerationError, Status, TokenUsage,
    WebhookEvent,
};
use serde::Serialize;

fn json(model: &impl Serialize) -> String {
    serde_json::to_string(model).expect("a model has string keys and is written without an error")
}

#[barrier(default)]
#[uniffi::export]
fn generation_json(generation: Generation) -> String {
    json(&generation)
}

#[barrier(default)]
#[uniffi::export]
fn generation_from_json(json: &str) -> Option<Generation> {
    serde_json::from_str(json).ok()
}

#[barrier(default)]
#[uniffi::export]
fn token_usage_json(usage: TokenUsage) -> String {
    json(&usage)
}

#[barrier(default)]
#[uniffi::export]
fn token_usage_from_json(json: &str) -> Option<TokenUsage> {
    serde_json::from_str(json).ok()
}

#[barrier(default)]
#[uniffi::export]
fn generation_error_json(error: GenerationError) -> String {
    json(&error)
}

#[barrier(default)]
#[uniffi::export]
fn generation_error_from_json(json: &str) -> Option<GenerationError> {
    serde_json::from_str(json).ok()
}

#[barrier(default)]
#[uniffi::export]
fn engine_catalog_from_json(json: &str) -> Option<EngineCatalog> {
    serde_json::from_str(json).ok()
}

#[barrier(default)]
#[uniffi::export]
fn account_usage_from_json(json: &str) -> Option<AccountUsage> {
    serde_json::from_str(json).ok()
}

/// Reads the body of a delivery. The other arguments are what its headers say.
#[barrier(default)]
#[uniffi::export]
fn webhook_event_from_json(json: &str, id: String, timestamp: SystemTime) -> Option<WebhookEvent> {
    WebhookEvent::read(json.as_bytes(), id, timestamp).ok()
}

/// Returns the category of a generation's failure.
#[barrier(default)]
#[uniffi::export]
fn category(error: GenerationError) -> String {
    let category: FailureCategory = error.category();
    category.as_str().to_owned()
}

/// Returns whether a generation with this status no longer changes.
#[barrier(default)]
#[uniffi::export]
fn is_final(status: Status) -> bool {
    status.is_final()
}
