//! The service that the examples use: the real one if there is a key, else the emulator.

use std::time::Duration;

use pipevideo::{Client, Polling};
use pipevideo_emulator::{Emulator, Options};

/// The median duration of the emulator's generations: long enough to see progress.
const TYPICAL: Duration = Duration::from_secs(7);

/// A client, and the emulator that it uses.
pub(crate) struct Service {
    pub(crate) client: Client,
    /// The emulator, if it runs in this process. It stops when this value is dropped.
    pub(crate) emulator: Option<Emulator>,
}

impl Service {
    /// Connects to the service if `PIPEVIDEO_API_KEY` is set (and `PIPEVIDEO_BASE_URL`, for another
    /// address), else to an emulator.
    pub(crate) async fn connect() -> Result<Self, Box<dyn std::error::Error>> {
        if std::env::var("PIPEVIDEO_API_KEY").is_ok_and(|key| !key.is_empty()) {
            return Ok(Self { client: Client::from_env()?, emulator: None });
        }
        eprintln!(
            "PIPEVIDEO_API_KEY is not set: this runs against an emulator inside this program. \
             Nothing is charged, and the video is a test video, not made from the prompt."
        );
        let median_seconds = TYPICAL.as_secs_f64();
        let options = Options { median_seconds, sigma: 0.2, seed: 5, ..Options::default() };
        let emulator = Emulator::start(options).await?;
        let client = Client::builder()
            .base_url(emulator.base_url())
            .api_key(emulator.api_key())
            .polling(
                Polling::default()
                    .min_interval(Duration::from_millis(250))
                    .max_interval(Duration::from_millis(500))
                    .typical(TYPICAL),
            )
            .build()?;
        Ok(Self { client, emulator: Some(emulator) })
    }
}
