//! Closing a client: what becomes of its calls and waits.

use std::future::Future;

use super::client_state::ClientState;
use super::{Client, ClientInner};
use crate::error::{Delivery, Error, ErrorKind};
use crate::wire::BaseUrl;

impl Client {
    /// Closes this client and its clones. Other clients with the same key are not affected.
    ///
    /// Waits, watches, reads and downloads end at once with an error; one of a wait has the id, so
    /// that another client can continue. A create that is being sent runs on to its response, within
    /// its request timeout: to end it earlier would lose the id of a generation that is billed. It is
    /// not sent again. From now on every call fails with
    /// [`ErrorKind::InvalidRequest`].
    ///
    /// It is not necessary to close a client: dropping it, and the futures of its calls, frees what
    /// they use. Closing ends the calls that other tasks are in the middle of.
    ///
    /// ```no_run
    /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let wait = tokio::spawn(client.responses().wait("gen_abc123xyz").into_future());
    /// client.close();
    /// if let Ok(Err(error)) = wait.await {
    ///     println!("continue later with {:?}", error.generation_id());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        self.inner.closed.cancel();
        self.inner.state.drivers.end(|waiter| waiter.client.closed.is_cancelled().then(wait_ended));
    }
}

/// Ends the waits of all clients of this base URL. For the bindings: the emulator, which knows
/// nothing of clients, runs in their process and has been stopped.
pub fn end_waits(base_url: &str) {
    let Ok(base_url) = BaseUrl::parse(base_url, true) else { return };
    for state in ClientState::all_of(&base_url) {
        state.drivers.end(|_| Some(emulator_stopped()));
    }
}

impl ClientInner {
    /// # Errors
    /// [`ErrorKind::InvalidRequest`] if the client is closed.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.closed.is_cancelled() { Err(not_sent()) } else { Ok(()) }
    }

    /// The output of a future, or this error if the client is closed before it is ready.
    pub(crate) async fn until_closed<T>(
        &self,
        error: fn() -> Error,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.check_open()?;
        self.unless_closed(error, work).await
    }

    /// The same of work that goes on: if the client is closed already, the work has ended, and a request of it
    /// may have been sent.
    pub(crate) async fn unless_closed<T>(
        &self,
        error: fn() -> Error,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.closed.run_until_cancelled(work).await.unwrap_or_else(|| Err(error()))
    }
}

/// The error of a request that was not sent, since the client is closed.
pub(crate) fn not_sent() -> Error {
    let message = "the client is closed, so the request was not sent. Make another client.";
    Error::new(ErrorKind::InvalidRequest, message)
}

/// The error of a read that closing its client has ended.
pub(crate) fn read_ended() -> Error {
    ended_during(ErrorKind::Connection, "the call")
        .with_advice("Make it again with another client.")
}

/// The error of a download that closing its client has ended.
pub(crate) fn download_ended() -> Error {
    ended_during(ErrorKind::Download, "the download").with_advice(
        "The bytes received so far are kept; download to the same path with another client to resume.",
    )
}

/// The error of a stream of a video that closing its client has ended.
pub(crate) fn stream_ended() -> Error {
    ended_during(ErrorKind::Download, "the download")
        .with_advice("Start again from the beginning with another client.")
}

/// The error of a wait that closing its client has ended.
pub(crate) fn wait_ended() -> Error {
    ended_during(ErrorKind::Connection, "the wait")
        .with_advice("The generation is still running; call wait with its id on another client.")
}

fn emulator_stopped() -> Error {
    let message = "the emulator was stopped during the wait, and its generations are gone. Start \
                   another one.";
    Error::new(ErrorKind::Connection, message).with_delivery(Delivery::Unknown).with_no_retry()
}

fn ended_during(kind: ErrorKind, what: &str) -> Error {
    Error::new(kind, format!("the client was closed during {what}."))
        .with_delivery(Delivery::Unknown)
        .with_no_retry()
}
