//! The catalogue of engines.

use super::{Call, Client};
use crate::model::EngineCatalog;
use crate::wire;

/// The catalogue of engines, models and rates. Made by [`engines`](Client::engines).
#[derive(Clone, Copy, Debug)]
pub struct Engines<'a> {
    pub(super) client: &'a Client,
}

impl Engines<'_> {
    /// Lists the engines, the models that each of them supports, and the models' rates.
    ///
    /// The call sends no key and does not count towards the rate limit. Dropping the future cancels
    /// the request.
    ///
    /// # Errors
    /// [`Connection`](crate::ErrorKind::Connection), [`Timeout`](crate::ErrorKind::Timeout),
    /// [`Server`](crate::ErrorKind::Server) and [`Decode`](crate::ErrorKind::Decode), after retries.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// for engine in client.engines().list().await?.engines {
    ///     println!("{}: {} models", engine.id, engine.models.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn list(self) -> Call<EngineCatalog> {
        Call::answered(self.client, async |client| {
            client.inner.read_with_response(&wire::engines()).await
        })
    }
}
