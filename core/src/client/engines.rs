//! The catalogue.

use super::Client;
use crate::error::Error;
use crate::model::EngineCatalog;
use crate::wire;

/// The catalogue of engines, models and rates.
#[derive(Clone, Copy, Debug)]
pub struct Engines<'a> {
    pub(super) client: &'a Client,
}

impl Engines<'_> {
    /// Lists the engines, the models of each, and the models' rates. It needs no key and counts
    /// against no limit.
    ///
    /// # Errors
    /// Those of any call: connection, timeout, server, decode.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// for engine in client.engines().list().await?.engines {
    ///     println!("{}: {} models", engine.id, engine.models.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list(self) -> Result<EngineCatalog, Error> {
        self.client.inner.read(&wire::engines()).await
    }
}
