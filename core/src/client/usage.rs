//! The account's usage.

use super::{Call, Client};
use crate::model::AccountUsage;
use crate::wire;

/// The account's usage. Made by [`usage`](Client::usage).
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    pub(super) client: &'a Client,
}

impl Usage<'_> {
    /// Retrieves the balance, the totals, the usage by day and the recent requests.
    ///
    /// Dropping the future cancels the request.
    ///
    /// # Errors
    /// [`Authentication`](crate::ErrorKind::Authentication),
    /// [`RateLimited`](crate::ErrorKind::RateLimited), [`Connection`](crate::ErrorKind::Connection),
    /// [`Timeout`](crate::ErrorKind::Timeout), [`Server`](crate::ErrorKind::Server) and
    /// [`Decode`](crate::ErrorKind::Decode), after retries.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let usage = client.usage().retrieve().await?;
    /// println!("{:?} cents left", usage.credit_balance);
    /// # Ok(())
    /// # }
    /// ```
    pub fn retrieve(self) -> Call<AccountUsage> {
        Call::answered(self.client, async |client| {
            client.inner.read_with_response(&wire::usage()).await
        })
    }
}
