//! Downloads of videos, to files and as streams.

mod host;
mod stream;
mod target;
#[cfg(test)]
mod tests;
mod transfer;
mod writer;

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::path::PathBuf;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use url::Url;

use self::host::{Destination, Host};
pub use self::stream::VideoStream;
use self::target::Target;
use self::transfer::Transfer;
use super::call_options::call_options;
use super::spans::OpenSpan;
use super::{CallOptions, Client, closing};
use crate::error::{Error, ErrorKind, printable, printable_status};
use crate::model::{Generation, Status};
use crate::wire::VideoHosts;

/// What to download: a generation or its id.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DownloadSource {
    /// A generation. It is retrieved again unless this snapshot has ended.
    Generation(Box<Generation>),
    /// The id of a generation.
    Id(String),
}

impl DownloadSource {
    fn id(&self) -> &str {
        match self {
            Self::Generation(generation) => &generation.id,
            Self::Id(id) => id,
        }
    }
}

impl From<Generation> for DownloadSource {
    fn from(generation: Generation) -> Self {
        Self::Generation(Box::new(generation))
    }
}

impl From<&Generation> for DownloadSource {
    fn from(generation: &Generation) -> Self {
        generation.clone().into()
    }
}

impl From<String> for DownloadSource {
    fn from(id: String) -> Self {
        Self::Id(id)
    }
}

impl From<&String> for DownloadSource {
    fn from(id: &String) -> Self {
        Self::Id(id.clone())
    }
}

impl From<&str> for DownloadSource {
    fn from(id: &str) -> Self {
        Self::Id(id.to_owned())
    }
}

/// The progress of a download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of bytes that were received.
    pub downloaded: u64,
    /// The number of bytes of the whole file, if the host reports it.
    pub total: Option<u64>,
}

type OnProgress = Box<dyn FnMut(Progress) + Send>;

/// A download of a generation's video: await it for the path of the file, or set its options first.
///
/// Made by [`download`](crate::Responses::download). The video is written to `PATH.part`, with the
/// information to resume in `PATH.part.json`, and moved to `PATH` when it is complete, so that there
/// is never an incomplete video at `PATH`. If the download fails or the future is dropped, the next
/// download to the same path resumes where it stopped, provided that the host still has the same
/// file. If the URL has expired, the generation is retrieved once for a fresh one. The key is never
/// sent to the video's host.
///
/// If the service is on https, the video must be too; unless the service is on a private network, the
/// host of the video must not be on one, by its name or by the addresses that its name resolves to.
/// Behind a proxy only the name is checked, since the proxy resolves it.
/// [`allow_insecure`](crate::ClientBuilder::allow_insecure) lifts both restrictions.
///
/// # Errors
/// [`ErrorKind::Download`] if the video cannot be received or written; the bytes received so far are
/// kept. [`ErrorKind::InvalidRequest`] if the path cannot be a file,
/// [`ErrorKind::GenerationFailed`] if the generation failed, and the errors of
/// [`retrieve`](crate::Responses::retrieve).
#[must_use = "a download does nothing unless it is awaited"]
pub struct Download {
    client: Client,
    source: DownloadSource,
    path: PathBuf,
    max_bytes: u64,
    on_progress: Option<OnProgress>,
    options: CallOptions,
}

impl Download {
    /// The default of [`max_bytes`](Self::max_bytes): 10 GiB. A video of several minutes has less than
    /// 1 GB, and a host that sends without end must not fill the disk.
    pub const MAX_BYTES: u64 = 10 * 1024 * 1024 * 1024;

    pub(super) fn new(client: Client, source: DownloadSource, path: PathBuf) -> Self {
        let options = CallOptions::new();
        Self { client, source, path, max_bytes: Self::MAX_BYTES, on_progress: None, options }
    }

    /// Sets the maximum size of the file, in bytes; 10 GiB by default. A download of a larger one
    /// fails, before anything is stored if the host reports the size.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Calls a function each time that bytes have arrived.
    pub fn on_progress(mut self, function: impl FnMut(Progress) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(function));
        self
    }

    call_options!();
}

impl IntoFuture for Download {
    type Output = Result<PathBuf, Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { client, source, path, max_bytes, on_progress, options } = self;
        let inner = client.inner.clone();
        let call = OpenSpan::about("download", &inner.config.base_url, source.id());
        let download = async move {
            let client = client.with_options(&options)?;
            let target = Target::new(path)?.with_log(&client.inner.log);
            let host = Host::of(client, source, max_bytes, Destination::File).await?;
            let writer = target.open(&host.id).await?;
            let transfer = Transfer { host, writer, on_progress };
            transfer.run().await
        };
        call.around(async move { inner.until_closed(closing::download_ended, download).await })
            .boxed()
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Client {
    /// The generation to download from.
    ///
    /// # Errors
    /// [`ErrorKind::GenerationFailed`] or [`ErrorKind::Download`] if it has not completed.
    async fn completed(&self, source: DownloadSource) -> Result<Generation, Error> {
        let generation = match source {
            // A snapshot that has ended has its URL, which spares a request.
            DownloadSource::Generation(generation) if generation.is_final() => *generation,
            DownloadSource::Generation(generation) => {
                self.responses().retrieve(&generation.id).await?
            }
            DownloadSource::Id(id) => self.responses().retrieve(&id).await?,
        };
        match generation.status {
            Status::Completed => Ok(generation),
            Status::Failed => Err(Error::failed(generation.into())),
            _ => Err(Error::new(
                ErrorKind::Download,
                format!(
                    "generation {} has not completed: its status is {}. Wait for it first.",
                    printable(&generation.id),
                    printable_status(&generation)
                ),
            )
            .with_generation_id(&generation.id)),
        }
    }
}

/// The URL of a generation's video, if it may be fetched.
fn video_url(generation: &Generation, hosts: VideoHosts) -> Result<Url, Error> {
    let id = printable(&generation.id);
    let invalid = |what: &str| {
        let message = format!("generation {id} {what}. Retrieve it again.");
        Err(Error::new(ErrorKind::Download, message).with_generation_id(&generation.id))
    };
    let Some(url) = &generation.output_video_url else { return invalid("has no video URL") };
    match Url::parse(url) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => match hosts.refuse(&url) {
            None => Ok(url),
            Some(why) => Err(refused(&format!("the video of generation {id} is {why}"))
                .with_generation_id(&generation.id)),
        },
        _ => invalid("has a video URL that is not http or https"),
    }
}

/// The error of a video that may not be fetched from where it is.
fn refused(what: &str) -> Error {
    let advice = "Nothing was requested from there. If you trust the network, set allow_insecure.";
    Error::new(ErrorKind::Download, format!("{what}."))
        .with_advice(advice)
        .with_source(io::Error::from(io::ErrorKind::PermissionDenied))
}
