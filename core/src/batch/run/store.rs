//! The video of one request of a batch: downloaded, and hashed.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use super::context::cancelled;
use super::work::Work;
use crate::batch::journal::{self, Fact, Hash};
use crate::batch::progress::BatchEventKind;
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::wire::Format;

impl Work {
    /// Downloads the video, unless an earlier run has.
    pub(super) async fn download(&mut self) {
        let context = self.context.clone();
        let (Some(folder), Some(generation)) =
            (&context.options.download_to, &self.item.generation)
        else {
            return;
        };
        let stored = self.entry.as_mut().and_then(|entry| entry.download.take());
        let stored = stored.filter(|_| self.item.from_journal);
        if let Some(stored) = &stored
            && is_stored(stored).await
        {
            self.item.set_stored(stored);
            return;
        }
        // The name that it had is reserved, for this one too.
        let path = stored.map(|stored| PathBuf::from(stored.path));
        let path = path.filter(|path| path.parent() == Some(folder)).unwrap_or_else(|| {
            let format = Format::of(generation.engine.as_deref());
            lock(&context.names).assign(folder, &self.item.key, format)
        });
        let download = context.client.responses().download(generation, path);
        let stored = async { hashed(download.await?).await };
        let stored = context.cancel.run_until_cancelled(Box::pin(stored)).await;
        match stored.unwrap_or_else(|| Err(cancelled())) {
            Ok(stored) => {
                self.item.set_stored(&stored);
                if let Err(error) = context.record(&self.item.key, Fact::Downloaded(stored)).await {
                    self.item.error = Some(error);
                }
                let id = self.item.generation_id.as_deref();
                context.emit(BatchEventKind::Downloaded, Some(&self.item.key), id);
            }
            Err(error) => self.item.error = Some(error),
        }
    }
}

/// Whether a video is still where the journal says.
async fn is_stored(stored: &journal::Download) -> bool {
    let (path, bytes) = (stored.path.clone(), stored.bytes);
    let has_size = move || std::fs::metadata(path).is_ok_and(|file| file.len() == bytes);
    spawn_blocking(has_size).await.unwrap_or_default()
}

/// The size and the hash of a video.
async fn hashed(path: PathBuf) -> Result<journal::Download, Error> {
    let failed = |error: io::Error, path: &Path| {
        let message = format!("{} was stored and cannot be read: {error}.", path.display());
        Error::new(ErrorKind::Download, message)
            .with_advice("Run the batch again.")
            .with_source(error)
    };
    let hash = move || {
        let (bytes, sha256) = hash_of(&path).map_err(|error| failed(error, &path))?;
        let path = path.to_string_lossy().into_owned();
        Ok(journal::Download { path, bytes, sha256 })
    };
    spawn_blocking(hash).await.unwrap_or_else(|_| Err(cancelled()))
}

fn hash_of(path: &Path) -> io::Result<(u64, Hash)> {
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, Hash(hasher.finalize().into()))),
            read => {
                hasher.update(buffer.get(..read).unwrap_or_default());
                bytes += read as u64;
            }
        }
    }
}
