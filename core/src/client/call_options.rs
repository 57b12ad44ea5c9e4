//! The options of one call, and the calls that take nothing else.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;

use super::builder::configuration;
use super::call::Answered;
use super::{Client, ClientInner, call};
use crate::error::Error;
use crate::model::{AccountUsage, ApiResponse, EngineCatalog, Generation};

/// The options of one call, in place of the client's.
///
/// Each call has them as methods of its own. As a value they serve several calls, by
/// [`Client::with_options`].
///
/// ```no_run
/// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
/// use pipevideo::CallOptions;
/// use std::time::Duration;
///
/// let hasty = CallOptions::new().request_timeout(Duration::from_secs(3)).max_retries(0);
/// let usage = client.with_options(&hasty)?.usage().retrieve().await?;
/// println!("{:?} cents left", usage.credit_balance);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct CallOptions {
    request_timeout: Option<Duration>,
    max_retries: Option<u32>,
    headers: HeaderMap,
}

impl CallOptions {
    /// Options that change nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the timeout of each HTTP request; see
    /// [`ClientBuilder::request_timeout`](crate::ClientBuilder::request_timeout).
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = Some(timeout);
        self
    }

    /// Sets how often the call is retried where that is safe; see
    /// [`ClientBuilder::max_retries`](crate::ClientBuilder::max_retries).
    ///
    /// A create that may have been processed is never sent again, however many retries there are. The
    /// polls of a wait are repeated until its deadline.
    pub fn max_retries(mut self, retries: u32) -> Self {
        self.max_retries = Some(retries);
        self
    }

    /// Sets headers that are sent with the call's requests to the API, besides the client's; one of the
    /// same name replaces the client's. Which ones are allowed is the same as for
    /// [`ClientBuilder::headers`](crate::ClientBuilder::headers). The host of a video receives none.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    fn is_empty(&self) -> bool {
        self.request_timeout.is_none() && self.max_retries.is_none() && self.headers.is_empty()
    }
}

impl fmt::Debug for CallOptions {
    /// Without the headers, which may have secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("request_timeout", &self.request_timeout)
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

/// The maximum number of headers of the client and the call together. `HeaderMap` panics at 32,768, and
/// servers reject far fewer.
const MAX_HEADERS: usize = 10_000;

impl Client {
    /// Returns this client with other options, for single calls. Everything else is shared with it:
    /// connections, budget, spend, and [`close`](Self::close).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) for an option that the client itself
    /// would not take: a timeout of zero, or a header that this library sets.
    ///
    /// ```
    /// # fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let patient = pipevideo::CallOptions::new().request_timeout(std::time::Duration::from_secs(120));
    /// let patient = client.with_options(&patient)?;
    /// # let _ = patient;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_options(&self, options: &CallOptions) -> Result<Self, Error> {
        if options.is_empty() {
            return Ok(self.clone());
        }
        // The copy keeps the connections and the state, which are behind pointers.
        let mut inner = ClientInner::clone(&self.inner);
        if let Some(timeout) = options.request_timeout {
            inner.config.request_timeout = timeout;
            inner.route.request_timeout = timeout;
        }
        if let Some(retries) = options.max_retries {
            inner.config.max_retries = retries;
        }
        if inner.config.headers.len() + options.headers.len() > MAX_HEADERS {
            return Err(configuration("there are too many headers. Pass fewer."));
        }
        // Not part of the route: waits of one generation share their polls, whatever the headers of their
        // calls. One for each trace would take a poll driver for each wait otherwise.
        inner.config.headers.extend(options.headers.clone());
        inner.config.check()?;
        inner.headers = call::standing_headers(&inner.config)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Returns this client with another request timeout; see [`with_options`](Self::with_options).
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is zero.
    ///
    /// ```
    /// # fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
    /// let slow = client.with_request_timeout(std::time::Duration::from_secs(120))?;
    /// # let _ = slow;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_request_timeout(&self, timeout: Duration) -> Result<Self, Error> {
        self.with_options(&CallOptions::new().request_timeout(timeout))
    }
}

/// The methods of a call for its [`CallOptions`], which are its field `options`.
macro_rules! call_options {
    () => {
        /// Sets the timeout of each HTTP request of this call, in place of the client's; see
        /// [`CallOptions::request_timeout`](crate::CallOptions::request_timeout).
        pub fn request_timeout(mut self, timeout: std::time::Duration) -> Self {
            self.options = self.options.request_timeout(timeout);
            self
        }

        /// Sets how often this call is retried where that is safe, in place of the client's; see
        /// [`CallOptions::max_retries`](crate::CallOptions::max_retries).
        pub fn max_retries(mut self, retries: u32) -> Self {
            self.options = self.options.max_retries(retries);
            self
        }

        /// Sets headers that are sent with this call, besides the client's; see
        /// [`CallOptions::headers`](crate::CallOptions::headers).
        pub fn headers(mut self, headers: http::HeaderMap) -> Self {
            self.options = self.options.headers(headers);
            self
        }
    };
}
pub(super) use call_options;

/// A call of the API: await it, or set its options first.
///
/// Dropping it cancels the request. Options that are set once it was polled have no effect.
///
/// ```no_run
/// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
/// let generation = client.responses().retrieve("gen_abc123xyz").max_retries(0).await?;
/// println!("{}", generation.status);
/// # Ok(())
/// # }
/// ```
#[must_use = "a call does nothing unless it is awaited"]
pub struct Call<T> {
    client: Client,
    options: CallOptions,
    state: State<T>,
}

type Running<T> = BoxFuture<'static, Result<T, Error>>;

type Work<T> = Box<dyn FnOnce(Client) -> Running<T> + Send>;

enum State<T> {
    New(Work<T>),
    /// A call that one response answers.
    Answered(Work<Answered<T>>),
    Running(Running<T>),
    Ended,
}

impl<T> Call<T> {
    /// A call that the function makes, through a client that has the call's options.
    pub(super) fn new<F>(client: &Client, work: impl FnOnce(Client) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let work = Box::new(|client| work(client).boxed());
        Self { client: client.clone(), options: CallOptions::new(), state: State::New(work) }
    }

    call_options!();
}

impl<T: Send + 'static> Call<T> {
    /// A call that is answered by one response, which the function returns too.
    pub(super) fn answered<F>(
        client: &Client,
        work: impl FnOnce(Client) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Answered<T>, Error>> + Send + 'static,
    {
        let work: Work<Answered<T>> = Box::new(|client| work(client).boxed());
        let (client, options) = (client.clone(), CallOptions::new());
        Self { client, options, state: State::Answered(work) }
    }
}

macro_rules! with_response {
    ($($value:ty),*) => {$(
        impl Call<$value> {
            /// The call with its response as it was received: status, headers, body, and the id of the
            /// request. Must be called before the call is polled.
            ///
            /// ```no_run
            /// # async fn example(client: pipevideo::Client) -> pipevideo::Result<()> {
            /// let (usage, response) = client.usage().retrieve().with_response().await?;
            /// println!("{:?}: request {:?}", usage.credit_balance, response.request_id());
            /// # Ok(())
            /// # }
            /// ```
            pub fn with_response(self) -> Call<($value, ApiResponse)> {
                let Self { client, options, state } = self;
                let state = match state {
                    State::Answered(work) => State::New(work),
                    _ => State::Ended,
                };
                Call { client, options, state }
            }
        }
    )*};
}
with_response!(Generation, AccountUsage, EngineCatalog);

impl<T: 'static> Future for Call<T> {
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut running = match std::mem::replace(&mut self.state, State::Ended) {
            State::New(work) => match self.client.with_options(&self.options) {
                Ok(client) => work(client),
                Err(error) => return Poll::Ready(Err(error)),
            },
            State::Answered(work) => match self.client.with_options(&self.options) {
                Ok(client) => work(client).map(|answered| answered.map(|(value, _)| value)).boxed(),
                Err(error) => return Poll::Ready(Err(error)),
            },
            State::Running(running) => running,
            State::Ended => panic!("a call was polled after it had ended"),
        };
        let polled = running.poll_unpin(cx);
        if polled.is_pending() {
            self.state = State::Running(running);
        }
        polled
    }
}

impl<T> fmt::Debug for Call<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("options", &self.options).finish_non_exhaustive()
    }
}
