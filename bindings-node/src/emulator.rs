//! The emulator in this process, on a thread of its own.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use napi::bindgen_prelude::Buffer;
use napi::{Error, Result};
use napi_derive::napi;
use pipevideo_emulator as emulator;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::runtime::lock;
use crate::values::json;

/// What `Emulator` of `pipevideo/testing` stands on. Arguments and answers are JSON.
#[napi]
pub struct NativeEmulator {
    emulator: Arc<emulator::Emulator>,
    thread: Mutex<Option<Thread>>,
}

struct Thread {
    stop: oneshot::Sender<()>,
    ended: JoinHandle<()>,
}

type Started = io::Result<Arc<emulator::Emulator>>;

/// Serves until it is told to stop, or its handle is gone.
fn serve(
    options: emulator::Options,
    started: &mpsc::Sender<Started>,
    stop: oneshot::Receiver<()>,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let emulator = emulator::Emulator::start(options).await.map(Arc::new);
        // Whoever asked waits for this.
        let _ = started.send(emulator);
        let _ = stop.await;
    });
    Ok(())
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::from_reason(error.to_string()))
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::from_reason(error.to_string())
}

#[napi]
impl NativeEmulator {
    /// Starts it. That takes about a millisecond, for which the event loop waits.
    #[napi(constructor)]
    pub fn new(options: String) -> Result<Self> {
        let options: emulator::Options = read(&options)?;
        let (starting, started) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            if let Err(error) = serve(options, &starting, stopped) {
                let _ = starting.send(Err(error));
            }
        };
        let ended = std::thread::Builder::new()
            .name("pipevideo-emulator".to_owned())
            .spawn(run)
            .map_err(refused)?;
        let emulator = started.recv().map_err(refused)?.map_err(refused)?;
        Ok(Self { emulator, thread: Mutex::new(Some(Thread { stop, ended })) })
    }

    #[napi(getter, js_name = "baseURL")]
    pub fn base_url(&self) -> String {
        self.emulator.base_url().to_owned()
    }

    #[napi(getter)]
    pub fn video_base(&self) -> String {
        self.emulator.video_base().to_owned()
    }

    #[napi(getter)]
    pub fn api_key(&self) -> String {
        self.emulator.api_key().to_owned()
    }

    #[napi(getter)]
    pub fn video(&self) -> Buffer {
        self.emulator.video().into()
    }

    #[napi]
    pub fn requests(&self) -> String {
        json(&self.emulator.requests())
    }

    #[napi]
    pub fn clear_requests(&self) {
        self.emulator.clear_requests();
    }

    #[napi]
    pub fn add_generation(&self, generation: String) -> Result<String> {
        self.emulator.add_generation(read(&generation)?).map_err(refused)
    }

    #[napi]
    pub fn settle(&self, id: String, settlement: String) -> Result<()> {
        self.emulator.settle(&id, read(&settlement)?).map_err(refused)
    }

    #[napi]
    pub fn fault(&self, fault: String) -> Result<()> {
        self.emulator.fault(read(&fault)?);
        Ok(())
    }

    #[napi]
    pub fn clear_faults(&self) {
        self.emulator.clear_faults();
    }

    #[napi]
    pub fn set_balance(&self, cents: i64) {
        self.emulator.set_balance(cents);
    }

    #[napi]
    pub fn set_webhook(&self, endpoint: String) -> Result<()> {
        self.emulator.set_webhook(read(&endpoint)?).map_err(refused)
    }

    #[napi]
    pub fn delivery_fault(&self, fault: String) -> Result<()> {
        self.emulator.delivery_fault(read(&fault)?);
        Ok(())
    }

    #[napi]
    pub fn deliveries(&self) -> String {
        json(&self.emulator.deliveries())
    }

    /// Stops the servers; when it returns their ports are free.
    #[napi]
    pub fn stop(&self) {
        let thread = lock(&self.thread).take();
        let Some(thread) = thread else { return };
        // It ends with its runtime, whose tasks are the servers and their connections.
        let _ = thread.stop.send(());
        let _ = thread.ended.join();
    }
}
