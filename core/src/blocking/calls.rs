//! The calls that have options of their own, and the iterators.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tokio::runtime::Runtime;

use super::block_on;
use crate::Progress;
use crate::error::Error;
use crate::model::{CostEstimate, Generation, Update};

/// The options of a call; see [`crate::CallOptions`].
macro_rules! call_options {
    ($call:ident) => {
        /// Sets the timeout of each HTTP request of this call; see [`crate::CallOptions::request_timeout`].
        pub fn request_timeout(mut self, timeout: Duration) -> Self {
            self.$call = self.$call.request_timeout(timeout);
            self
        }

        /// Sets how often this call is retried where that is safe; see [`crate::CallOptions::max_retries`].
        pub fn max_retries(mut self, retries: u32) -> Self {
            self.$call = self.$call.max_retries(retries);
            self
        }

        /// Sets headers that are sent with this call; see [`crate::CallOptions::headers`].
        pub fn headers(mut self, headers: HeaderMap) -> Self {
            self.$call = self.$call.headers(headers);
            self
        }
    };
}

/// A wait for a generation's end: set its options, then [`run`](Self::run) it; see [`crate::Wait`].
#[must_use = "a wait does nothing unless it is run"]
#[derive(Debug)]
pub struct Wait {
    pub(super) wait: crate::Wait,
    pub(super) runtime: &'static Runtime,
}

impl Wait {
    /// Bounds this wait, from when it is run; by default the client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.wait = self.wait.deadline(deadline);
        self
    }

    /// Calls a function with each change, on the thread that waits.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.wait = self.wait.on_update(function);
        self
    }

    call_options!(wait);

    /// Blocks until the generation has completed.
    ///
    /// # Errors
    /// Those of [`crate::Responses::wait`].
    pub fn run(self) -> Result<Generation, Error> {
        block_on(self.runtime, self.wait.into_future())
    }
}

/// A create and the wait for its end: set its options, then [`run`](Self::run) it; see
/// [`crate::Generate`].
#[must_use = "nothing is created unless it is run"]
#[derive(Debug)]
pub struct Generate {
    pub(super) generate: crate::Generate,
    pub(super) runtime: &'static Runtime,
}

impl Generate {
    /// Bounds the wait, from when the service has accepted the request; by default the client's
    /// deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.generate = self.generate.deadline(deadline);
        self
    }

    /// Calls a function with each change, on the thread that waits; first with the response to the
    /// create.
    pub fn on_update(mut self, function: impl FnMut(&Update) + Send + 'static) -> Self {
        self.generate = self.generate.on_update(function);
        self
    }

    call_options!(generate);

    /// Creates the generation and blocks until it has completed.
    ///
    /// # Errors
    /// Those of [`crate::Client::generate`].
    pub fn run(self) -> Result<Generation, Error> {
        block_on(self.runtime, self.generate.into_future())
    }
}

/// An estimate of what generations cost: set their number, then [`run`](Self::run) it; see
/// [`crate::Estimate`].
#[must_use = "an estimate does nothing unless it is run"]
#[derive(Debug)]
pub struct Estimate {
    pub(super) estimate: crate::Estimate,
    pub(super) runtime: &'static Runtime,
}

impl Estimate {
    /// Sets the number of generations; 1 by default.
    pub fn count(mut self, count: u64) -> Self {
        self.estimate = self.estimate.count(count);
        self
    }

    call_options!(estimate);

    /// Blocks until the estimate is known.
    ///
    /// # Errors
    /// Those of [`crate::Estimate`].
    pub fn run(self) -> Result<CostEstimate, Error> {
        block_on(self.runtime, self.estimate.into_future())
    }
}

/// A download of a generation's video: set its options, then [`run`](Self::run) it; see
/// [`crate::Download`].
#[must_use = "a download does nothing unless it is run"]
#[derive(Debug)]
pub struct Download {
    pub(super) download: crate::Download,
    pub(super) runtime: &'static Runtime,
}

impl Download {
    /// Sets the maximum size of the file, in bytes; see [`crate::Download::max_bytes`].
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.download = self.download.max_bytes(max_bytes);
        self
    }

    /// Calls a function each time that bytes have arrived, on the thread that downloads.
    pub fn on_progress(mut self, function: impl FnMut(Progress) + Send + 'static) -> Self {
        self.download = self.download.on_progress(function);
        self
    }

    call_options!(download);

    /// Blocks until the video is stored, and returns its path.
    ///
    /// # Errors
    /// Those of [`crate::Download`].
    pub fn run(self) -> Result<PathBuf, Error> {
        block_on(self.runtime, self.download.into_future())
    }
}

/// The bytes of a video: an iterator that blocks until some have arrived; see [`crate::VideoStream`].
#[must_use = "an iterator does nothing unless it is advanced"]
#[derive(Debug)]
pub struct VideoStream {
    pub(super) stream: crate::VideoStream,
    pub(super) runtime: &'static Runtime,
}

impl VideoStream {
    /// Sets the maximum size of the video, in bytes; see [`crate::VideoStream::max_bytes`].
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.stream = self.stream.max_bytes(max_bytes);
        self
    }

    call_options!(stream);

    /// How much the stream has yielded; see [`crate::VideoStream::progress`].
    pub fn progress(&self) -> Progress {
        self.stream.progress()
    }

    /// Receives the whole video into memory; see [`crate::VideoStream::bytes`].
    ///
    /// # Errors
    /// Those of [`crate::VideoStream`].
    pub fn bytes(self) -> Result<Bytes, Error> {
        block_on(self.runtime, self.stream.bytes())
    }
}

impl Iterator for VideoStream {
    type Item = Result<Bytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.runtime, self.stream.next())
    }
}

/// A generation's changes: an iterator that blocks until there is one; see [`crate::Watch`].
#[must_use = "an iterator does nothing unless it is advanced"]
#[derive(Debug)]
pub struct Watch {
    pub(super) watch: crate::Watch,
    pub(super) runtime: &'static Runtime,
}

impl Watch {
    /// Bounds this watch, from its first step; by default the client's deadline.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.watch = self.watch.deadline(deadline);
        self
    }

    call_options!(watch);
}

impl Iterator for Watch {
    type Item = Result<Update, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        block_on(self.runtime, self.watch.next())
    }
}
