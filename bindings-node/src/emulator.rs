//! The emulator, which runs in this process on its own thread.

use std::time::Duration;

use bindings_common::{emulator_started, emulator_stopped};
use bindings_macros::barrier;
use napi::bindgen_prelude::Buffer;
use napi::{Error, Result};
use napi_derive::napi;
use pipevideo_emulator::{EmulatorThread, Options};
use serde::de::DeserializeOwned;

use crate::values::json;

/// The native half of `Emulator` of `pipevideo/testing`. Arguments and results are JSON.
#[napi]
pub struct NativeEmulator(EmulatorThread);

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::from_reason(error.to_string()))
}

fn rejected(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}

#[barrier]
#[napi]
impl NativeEmulator {
    /// Starts the emulator, which blocks the event loop for about a millisecond.
    #[napi(constructor)]
    pub fn new(options: String) -> Result<Self> {
        let options = Options::for_tests(read(&options)?).map_err(rejected)?;
        let typical = options.typical();
        let emulator = EmulatorThread::start(options).map_err(rejected)?;
        if let Some(typical) = typical {
            emulator_started(emulator.base_url(), typical);
        }
        Ok(Self(emulator))
    }

    #[napi(getter, js_name = "baseURL")]
    pub fn base_url(&self) -> String {
        self.0.base_url().to_owned()
    }

    #[napi(getter)]
    pub fn video_base(&self) -> String {
        self.0.video_base().to_owned()
    }

    #[napi(getter)]
    pub fn api_key(&self) -> String {
        self.0.api_key().to_owned()
    }

    #[napi(getter)]
    pub fn video(&self) -> Buffer {
        self.0.video().into()
    }

    #[napi]
    pub fn requests(&self) -> String {
        json(&self.0.requests())
    }

    #[napi]
    pub fn clear_requests(&self) {
        self.0.clear_requests();
    }

    #[napi]
    pub fn add_generation(&self, generation: String) -> Result<String> {
        self.0.add_generation(read(&generation)?).map_err(rejected)
    }

    #[napi]
    pub fn settle(&self, id: String, settlement: String) -> Result<()> {
        self.0.settle(&id, read(&settlement)?).map_err(rejected)
    }

    /// The milliseconds are not negative.
    #[napi]
    pub fn advance(&self, ms: f64) {
        self.0.advance(Duration::try_from_secs_f64(ms / 1000.0).unwrap_or(Duration::MAX));
    }

    #[napi]
    pub fn fault(&self, fault: String) -> Result<()> {
        self.0.fault(read(&fault)?);
        Ok(())
    }

    #[napi]
    pub fn clear_faults(&self) {
        self.0.clear_faults();
    }

    #[napi]
    pub fn set_balance(&self, cents: i64) {
        self.0.set_balance(cents);
    }

    #[napi]
    pub fn set_webhook(&self, endpoint: String) -> Result<()> {
        self.0.set_webhook(read(&endpoint)?).map_err(rejected)
    }

    #[napi]
    pub fn delivery_fault(&self, fault: String) -> Result<()> {
        self.0.delivery_fault(read(&fault)?);
        Ok(())
    }

    #[napi]
    pub fn deliveries(&self) -> String {
        json(&self.0.deliveries())
    }

    /// Stops the servers, and ends the waits of this process for their generations; when it returns
    /// the ports are free.
    #[napi]
    pub fn stop(&self) {
        self.0.stop();
        emulator_stopped(self.0.base_url());
    }
}
