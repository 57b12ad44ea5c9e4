//! The emulator as its user holds it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::courier;
use crate::deliveries::{DeliveryFault, SentDelivery};
use crate::faults::{Fault, Origin};
use crate::log::ReceivedRequest;
use crate::options::Options;
use crate::places::Places;
use crate::script::{NewGeneration, Refused, Settlement};
use crate::server::serve;
use crate::shared::Shared;
use crate::video::VIDEO;
use crate::webhook::{Endpoint, WebhookEndpoint};

/// The service on loopback, from [`start`](Self::start) until it is stopped or dropped.
///
/// It runs on the tokio runtime in which it was started.
#[derive(Debug)]
pub struct Emulator {
    shared: Arc<Shared>,
    api_key: String,
    servers: Vec<JoinHandle<()>>,
}

impl Emulator {
    /// Starts the API and the videos' host, each on a port of 127.0.0.1.
    ///
    /// # Errors
    /// When a port cannot be had, or webhooks would go elsewhere than to loopback.
    pub async fn start(options: Options) -> io::Result<Self> {
        let api = listen(options.port).await?;
        let videos = listen(0).await?;
        let places = Places {
            base_url: format!("http://{}", api.local_addr()?),
            video_base: format!("http://{}", videos.local_addr()?),
        };
        let api_key = options.api_key.clone();
        let mut endpoint = Endpoint::default();
        endpoint
            .change(&options.webhook())
            .map_err(|refused| io::Error::new(io::ErrorKind::InvalidInput, refused))?;
        let shared = Arc::new(Shared::new(options, endpoint, places));
        let servers = vec![
            tokio::spawn(serve(api, Arc::clone(&shared), Origin::Api)),
            tokio::spawn(serve(videos, Arc::clone(&shared), Origin::Video)),
            tokio::spawn(courier::run(Arc::clone(&shared))),
        ];
        Ok(Self { shared, api_key, servers })
    }

    /// The API's origin, `http://127.0.0.1:PORT`, without `/v1`.
    pub fn base_url(&self) -> &str {
        &self.shared.places().base_url
    }

    /// The videos' origin, `http://127.0.0.1:PORT`.
    pub fn video_base(&self) -> &str {
        &self.shared.places().video_base
    }

    /// The key that is accepted.
    pub fn api_key(&self) -> &str {
        &self.api_key
    }

    /// The requests that have arrived at either origin, the oldest first.
    pub fn requests(&self) -> Vec<ReceivedRequest> {
        self.shared.requests()
    }

    /// Forgets the requests that have arrived.
    pub fn clear_requests(&self) {
        self.shared.clear_requests();
    }

    /// Adds a generation that nobody has asked for, and gives its id.
    ///
    /// # Errors
    /// When its id is taken, or its model or engine does not exist.
    pub fn add_generation(&self, new: NewGeneration) -> Result<String, Refused> {
        self.shared.add_generation(new)
    }

    /// Moves a generation by hand, now. Nothing else moves it from then on.
    ///
    /// # Errors
    /// When there is no such generation.
    pub fn settle(&self, id: &str, settlement: Settlement) -> Result<(), Refused> {
        self.shared.settle(id, settlement).map(drop)
    }

    /// Adds a fault behind those that are set.
    pub fn fault(&self, fault: Fault) {
        self.shared.add_fault(fault);
    }

    /// Takes all faults away.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Says where webhooks are sent from now on, and what signs them.
    ///
    /// # Errors
    /// When the URL is not on loopback, or a secret is none; then nothing has changed.
    pub fn set_webhook(&self, endpoint: WebhookEndpoint) -> Result<(), Refused> {
        self.shared.set_webhook(&endpoint)
    }

    /// Adds a fault of deliveries behind those that are set.
    pub fn delivery_fault(&self, fault: DeliveryFault) {
        self.shared.deliveries.add_fault(fault);
    }

    /// The tries of deliveries that have been answered, or lost, the oldest first.
    pub fn deliveries(&self) -> Vec<SentDelivery> {
        self.shared.deliveries.sent()
    }

    /// The same when there are so many; it waits for them as long as it takes.
    pub async fn delivered(&self, count: usize) -> Vec<SentDelivery> {
        self.shared.deliveries.come_to(count).await;
        self.deliveries()
    }

    /// Sets the prepaid credit.
    pub fn set_balance(&self, cents: i64) {
        self.shared.set_balance(cents);
    }

    /// The video that every generation yields (as long as [`Options::video_bytes`] is not set).
    pub fn video(&self) -> &'static [u8] {
        VIDEO
    }

    /// Stops the servers and closes their connections; when it returns their ports are free.
    pub async fn stop(mut self) {
        for server in std::mem::take(&mut self.servers) {
            server.abort();
            // It ends as cancelled, which is what was asked for.
            let _ = server.await;
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
        self.servers.iter().for_each(JoinHandle::abort);
    }
}
