//! What the examples talk to: the service if there is a key for it, else the emulator.

use std::time::Duration;

use pipevideo::{Client, Polling};
use pipevideo_emulator::{Emulator, Options};

/// How long a generation takes at the emulator's, about.
const TYPICAL: Duration = Duration::from_secs(7);

/// A client, and what it needs to stay alive.
pub(crate) struct Service {
    pub(crate) client: Client,
    /// The emulator, if it is inside this process: it ends with this value.
    pub(crate) emulator: Option<Emulator>,
}

impl Service {
    /// The service by `PIPEVIDEO_API_KEY` (and `PIPEVIDEO_BASE_URL`); without a key, the emulator.
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
