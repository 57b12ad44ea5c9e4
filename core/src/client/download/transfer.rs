//! A download to a file: what is stored of each response, and what follows from it.

use std::path::PathBuf;

use http::StatusCode;

use super::OnProgress;
use super::host::{Host, MORE_OR_LESS, OTHER, Reply};
use super::writer::Writer;
use crate::client::clock;
use crate::client::transport::HttpResponse;
use crate::error::Error;
use crate::wire::Content;

/// A download in progress.
pub(super) struct Transfer {
    pub(super) host: Host,
    pub(super) writer: Writer,
    pub(super) on_progress: Option<OnProgress>,
}

/// The outcome of one request to the video's host.
enum Fetched {
    /// The whole video is stored.
    Complete,
    /// The URL has expired; a fresh one may work.
    Expired,
    /// The transfer failed, and another request may resume it.
    Interrupted(Error),
}

impl Transfer {
    pub(super) async fn run(mut self) -> Result<PathBuf, Error> {
        let began = clock::now();
        self.host.log().download_begun(&self.host.id, self.writer.stored());
        self.host.resume(self.writer.stored());
        let received = self.receive().await;
        let Self { host, writer, .. } = self;
        let bytes = writer.stored();
        let ended = match received {
            Ok(()) => writer.finish().await.map_err(|error| error.with_generation_id(&host.id)),
            Err(error) => Err(error),
        };
        host.log().download_ended(&host.id, &ended, bytes, clock::now().saturating_sub(began));
        ended
    }

    /// Requests the video until all of it is stored.
    async fn receive(&mut self) -> Result<(), Error> {
        loop {
            match self.fetch().await.map_err(|error| self.host.identify(error))? {
                Fetched::Complete => return Ok(()),
                Fetched::Expired => self.host.renew().await?,
                Fetched::Interrupted(error) => {
                    let error = self.host.identify(error);
                    self.host.pause_after(error, self.writer.stored()).await?;
                }
            }
        }
    }

    /// Requests what is missing and stores what arrives. If nothing is missing, the end of the file
    /// is requested, to compare it.
    ///
    /// # Errors
    /// Failures that another request would not change: the disk, or a host that does not serve the
    /// file.
    async fn fetch(&mut self) -> Result<Fetched, Error> {
        let from = self.writer.resume_from();
        match self.host.request(self.writer.part(), from).await? {
            Reply::Body { response, start, .. } if start > 0 && start < self.writer.stored() => {
                self.compare(*response, start).await
            }
            Reply::Body { response, start, end, part, to_end } => {
                self.writer.begin(start, part).await?;
                self.store(*response, end, to_end).await
            }
            Reply::Complete => Ok(Fetched::Complete),
            Reply::Changed(status) => self.restart(status).await,
            Reply::Expired => Ok(Fetched::Expired),
            Reply::Interrupted(error) => Ok(Fetched::Interrupted(error)),
        }
    }

    /// Stores the body of a response, which ends before the byte `end`. `to_end` says whether it
    /// reaches the end of the file.
    async fn store(
        &mut self,
        mut response: HttpResponse,
        end: Option<u64>,
        to_end: bool,
    ) -> Result<Fetched, Error> {
        let status = response.status;
        loop {
            let chunk = match self.host.next_chunk(&mut response).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return self.interrupted(error).await,
            };
            let room = end.unwrap_or(self.host.max_bytes).saturating_sub(self.writer.stored());
            let fitting =
                usize::try_from(room).map_or(&*chunk, |room| chunk.get(..room).unwrap_or(&chunk));
            self.writer.write(fitting).await?;
            if let Some(on_progress) = &mut self.on_progress {
                on_progress(self.writer.progress());
            }
            if fitting.len() < chunk.len() {
                // What was announced is kept.
                let interrupted = self.interrupted(self.unusable(MORE_OR_LESS, status)).await?;
                return if end.is_some() { Ok(interrupted) } else { Err(self.host.too_large()) };
            }
        }
        let what = match self.writer.part().length {
            Some(length) if length != self.writer.stored() => MORE_OR_LESS,
            None if self.writer.stored() == 0 => "the server sent an empty video",
            None if !to_end => "the server sent part of the video without saying how long it is",
            length => match self.writer.examine(self.host.format).await? {
                Content::Whole => return Ok(Fetched::Complete),
                // Where this is all that there is, the response to the next request says so.
                Content::Cut if length.is_none() => "the video was cut off in the middle",
                Content::Cut | Content::Other => {
                    self.writer.restart().await?;
                    OTHER
                }
            },
        };
        self.interrupted(self.unusable(what, status)).await
    }

    /// Compares the end of a part that seems complete with what the host sends.
    async fn compare(&mut self, mut response: HttpResponse, from: u64) -> Result<Fetched, Error> {
        let status = response.status;
        let stored = self.writer.tail(from).await?;
        let mut rest = &*stored;
        loop {
            match self.host.next_chunk(&mut response).await {
                Ok(Some(chunk)) => match rest.strip_prefix(&*chunk) {
                    Some(after) => rest = after,
                    None => return self.restart(status).await,
                },
                Ok(None) if rest.is_empty() => return Ok(Fetched::Complete),
                Ok(None) => return Ok(Fetched::Interrupted(self.unusable(MORE_OR_LESS, status))),
                Err(error) => return Ok(Fetched::Interrupted(error)),
            }
        }
    }

    /// Keeps what is stored for the next attempt.
    async fn interrupted(&mut self, error: Error) -> Result<Fetched, Error> {
        self.writer.save().await?;
        Ok(Fetched::Interrupted(error))
    }

    async fn restart(&mut self, status: StatusCode) -> Result<Fetched, Error> {
        self.writer.restart().await?;
        let what = "the video has changed since a part of it was received";
        Ok(Fetched::Interrupted(self.unusable(what, status)))
    }

    fn unusable(&self, what: &str, status: StatusCode) -> Error {
        self.host.unusable(what, status, self.writer.stored())
    }
}
