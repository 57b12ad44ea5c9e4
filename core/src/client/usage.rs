//! The account's usage.

use super::Client;
use crate::error::Error;
use crate::model::AccountUsage;
use crate::wire;

/// The account's usage.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    pub(super) client: &'a Client,
}

impl Usage<'_> {
    /// Retrieves the balance, the sums, the days and the recent requests.
    ///
    /// # Errors
    /// Those of any call: authentication, rate_limited, connection, timeout, server, decode.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let usage = client.usage().retrieve().await?;
    /// println!("{:?} cents left", usage.credit_balance);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn retrieve(self) -> Result<AccountUsage, Error> {
        self.client.inner.read(&wire::usage()).await
    }
}
