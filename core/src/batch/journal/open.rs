//! An open journal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::{self, JournalFile, blocking, unreadable};
use super::record::{Fact, Record};
use super::replay::{Failure, Replay, Span};
use super::writer::Writer;
use crate::client::events::Log;
use crate::error::Error;
use crate::model::{FailureCategory, Generation};

/// The journal of a run, which no other run can open meanwhile.
///
/// One that is dropped still writes the lines that it has accepted, on the runtime that it was
/// opened on.
pub(crate) struct Journal {
    path: PathBuf,
    file: Arc<JournalFile>,
    writer: Writer,
}

/// A finished generation, as the journal has it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finished {
    pub(crate) key: String,
    pub(crate) generation: Generation,
    /// Why it failed. The snapshot may lack the message that says it.
    pub(crate) category: Option<FailureCategory>,
}

impl Journal {
    /// Opens the journal of a batch, or creates it, and returns what it says.
    ///
    /// `first` is the key of the batch's first request.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the file is not a journal of
    /// this batch and service, cannot be used, or is in use.
    pub(crate) async fn open(
        path: &Path,
        base_url: &str,
        first: &str,
        log: &Log,
    ) -> Result<(Self, Replay), Error> {
        let (file, replay, length) = file::open(path, base_url, first, log).await?;
        let writer = Writer::new(file.clone(), path, length, log);
        Ok((Self { path: path.to_owned(), file, writer }, replay))
    }

    /// Appends a fact, and returns once it is on the disk. A call that is dropped after its first
    /// poll has appended it too.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the disk has failed for half
    /// a minute; then all later calls fail at once.
    pub(crate) async fn record(&self, key: &str, fact: Fact) -> Result<(), Error> {
        let line = Record { key: key.to_owned(), fact }.encode();
        self.writer.record(&line).await
    }

    /// Appends a fact that may be lost if the process is killed.
    pub(crate) fn note(&self, key: &str, fact: Fact) {
        let line = Record { key: key.to_owned(), fact }.encode();
        self.writer.note(&line);
    }

    /// The snapshot in the line at `span`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the file cannot be read, or
    /// was changed by another program.
    pub(crate) async fn load(&self, span: Span) -> Result<Finished, Error> {
        let (path, file) = (self.path.clone(), self.file.clone());
        blocking(move || {
            let line = file.line(span).map_err(|error| unreadable(&path, error))?;
            Finished::read(&line, &path)
        })
        .await
    }

    /// Returns once all lines are on the disk and the next run can open the journal.
    ///
    /// # Errors
    /// As for [`record`](Self::record).
    pub(crate) async fn close(self) -> Result<(), Error> {
        self.writer.flush().await?;
        self.file.unlock();
        Ok(())
    }
}

impl Finished {
    pub(super) fn read(line: &[u8], path: &Path) -> Result<Self, Error> {
        match Record::decode(line) {
            Ok(Record { key, fact: Fact::Finished { generation, category } }) => {
                Ok(Self { key, generation: *generation, category })
            }
            _ => Err(Failure::Changed.into_error(path)),
        }
    }
}
