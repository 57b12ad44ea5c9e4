//! The [`Emulator`] and its methods.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::control::{ControlError, NewGeneration, Settlement};
use crate::deliveries::{self, DeliveryFault, Endpoint, SentDelivery, WebhookEndpoint};
use crate::faults::Fault;
use crate::http::{Origin, Origins, ReceivedRequest, serve};
use crate::options::Options;
use crate::state::EmulatorState;
use crate::videos::VIDEO;

/// The emulated service on 127.0.0.1, which runs until it is stopped or dropped.
///
/// It runs on the tokio runtime on which it was started.
#[derive(Debug)]
pub struct Emulator {
    state: Arc<EmulatorState>,
    api_key: String,
    tasks: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts the API and the host of the videos, each on a port of 127.0.0.1.
    ///
    /// # Errors
    /// A port is not free, the webhook URL is not on loopback, or a webhook secret is invalid.
    pub async fn start(options: Options) -> io::Result<Self> {
        let api = listen(options.port).await?;
        let videos = listen(0).await?;
        let origins = Origins {
            base_url: format!("http://{}", api.local_addr()?),
            video_base: format!("http://{}", videos.local_addr()?),
        };
        let mut endpoint = Endpoint::default();
        endpoint
            .update(&options.webhook())
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let state = Arc::new(EmulatorState::new(options, endpoint, origins));
        let tasks = vec![
            tokio::spawn(serve(api, Arc::clone(&state), Origin::Api)),
            tokio::spawn(serve(videos, Arc::clone(&state), Origin::Video)),
            tokio::spawn(deliveries::run_worker(Arc::clone(&state))),
        ];
        Ok(Self { api_key: state.api_key(), state, tasks })
    }

    /// The origin of the API, `http://127.0.0.1:PORT`, without `/v1`.
    pub fn base_url(&self) -> &str {
        &self.state.origins().base_url
    }

    /// The origin of the videos, `http://127.0.0.1:PORT`.
    pub fn video_base(&self) -> &str {
        &self.state.origins().video_base
    }

    /// The API key that is accepted.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The requests that either server has received, the oldest first.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.state.requests()
    }

    /// Clears the log of received requests.
    pub fn clear_requests(&self) {
        self.state.clear_requests();
    }

    /// Adds a generation without a create request and returns its id.
    ///
    /// # Errors
    /// The id is taken, or the model or engine does not exist.
    pub fn add_generation(&self, new: NewGeneration) -> Result<String, ControlError> {
        self.state.add_generation(new)
    }

    /// Sets the status of a generation now. Neither time nor polls change it afterwards.
    ///
    /// # Errors
    /// The generation does not exist.
    pub fn settle(&self, id: &str, settlement: Settlement) -> Result<(), ControlError> {
        self.state.settle(id, settlement).map(drop)
    }

    /// Moves the service's time forward, so that a test with life-like durations does not wait for them.
    ///
    /// Generations are where they would be after so much more time at a `speed` of 1, and signed URLs are
    /// that much closer to their end. What has ended sends its webhook, and webhooks that failed are sent
    /// again when they are due. Real time is as before: the rate limit and `created_at` have it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pipevideo_emulator::{Emulator, Options};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let emulator = Emulator::start(Options { speed: 0.0, ..Options::default() }).await?;
    /// let id = emulator.add_generation(Default::default())?;
    /// emulator.advance(Duration::from_secs(900)); // now it has ended
    /// # Ok(())
    /// # }
    /// ```
    pub fn advance(&self, by: Duration) {
        self.state.advance(by);
    }

    /// Adds a fault, which is tried after those added before.
    pub fn fault(&self, fault: Fault) {
        self.state.add_fault(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.state.clear_faults();
    }

    /// Sets where webhooks are sent from now on and which secrets sign them.
    ///
    /// # Errors
    /// The URL is not on loopback or a secret is invalid. Nothing has changed then.
    pub fn set_webhook(&self, endpoint: WebhookEndpoint) -> Result<(), ControlError> {
        self.state.set_webhook(&endpoint)
    }

    /// Adds a fault of webhook deliveries, which is tried after those added before.
    pub fn delivery_fault(&self, fault: DeliveryFault) {
        self.state.deliveries.add_fault(fault);
    }

    /// The attempts to deliver webhooks that have ended, the oldest first.
    pub fn deliveries(&self) -> Vec<SentDelivery> {
        self.state.deliveries.sent()
    }

    /// Waits until `count` attempts to deliver webhooks have ended, and returns all of them.
    ///
    /// It waits without a limit; wrap it in a timeout if the deliveries may not come.
    pub async fn wait_for_deliveries(&self, count: usize) -> Vec<SentDelivery> {
        self.state.deliveries.wait_for_deliveries(count).await;
        self.deliveries()
    }

    /// Sets the prepaid credit.
    pub fn set_balance(&self, cents: i64) {
        self.state.set_balance(cents);
    }

    /// The video of every generation that was requested without a canvas, unless [`Options::video_bytes`] is
    /// set. Other canvases have a video of the nearest shape.
    pub fn video(&self) -> &'static [u8] {
        VIDEO
    }

    /// Stops the servers and closes their connections. Their ports are free when it returns.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // The error only says that the task was aborted.
            let _ = task.await;
        }
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on 127.0.0.1:{port}: {error}"))
    })
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
