//! What a call reports while it runs. The program takes the reports one by one; nothing here calls it.

use std::sync::Mutex;

use bindings_common::lock;
use bindings_macros::barrier;
use pipevideo::{Progress, Update};
use tokio::sync::{mpsc, watch};

use crate::errors::Failure;

/// The changes of a generation that a call has seen, each of them once.
#[derive(uniffi::Object)]
pub(crate) struct Updates {
    sender: Mutex<Option<mpsc::UnboundedSender<Update>>>,
    receiver: tokio::sync::Mutex<mpsc::UnboundedReceiver<Update>>,
}

#[barrier(default)]
#[uniffi::export]
impl Updates {
    #[uniffi::constructor]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns the next change, or `None` once the call has ended and all were taken.
    pub(crate) async fn next(&self) -> Result<Option<Update>, Failure> {
        Ok(self.receiver.lock().await.recv().await)
    }

    /// The call has ended.
    pub(crate) fn close(&self) {
        lock(&self.sender).take();
    }
}

impl Default for Updates {
    fn default() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender: Mutex::new(Some(sender)), receiver: receiver.into() }
    }
}

impl Updates {
    pub(crate) fn add(&self, update: &Update) {
        if let Some(sender) = &*lock(&self.sender) {
            // The receiver is in this object too, so it is there.
            let _ = sender.send(update.clone());
        }
    }
}

/// How far a download is.
#[derive(Clone, Copy, uniffi::Record)]
pub(crate) struct DownloadReport {
    downloaded: u64,
    total: Option<u64>,
}

/// The progress of a download. A report that is not taken is replaced by the next one: a large video
/// has more of them than a slow program could take.
#[derive(uniffi::Object)]
pub(crate) struct DownloadReports {
    sender: Mutex<Option<watch::Sender<Option<DownloadReport>>>>,
    receiver: tokio::sync::Mutex<watch::Receiver<Option<DownloadReport>>>,
}

#[barrier(default)]
#[uniffi::export]
impl DownloadReports {
    #[uniffi::constructor]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Returns the latest report once there is a new one, or `None` once the call has ended.
    pub(crate) async fn next(&self) -> Result<Option<DownloadReport>, Failure> {
        let mut receiver = self.receiver.lock().await;
        let changed = receiver.changed().await;
        Ok(changed.ok().and_then(|()| *receiver.borrow_and_update()))
    }

    /// The call has ended.
    pub(crate) fn close(&self) {
        lock(&self.sender).take();
    }
}

impl Default for DownloadReports {
    fn default() -> Self {
        let (sender, receiver) = watch::channel(None);
        Self { sender: Mutex::new(Some(sender)), receiver: receiver.into() }
    }
}

impl DownloadReports {
    pub(crate) fn set(&self, progress: Progress) {
        if let Some(sender) = &*lock(&self.sender) {
            let report = DownloadReport { downloaded: progress.downloaded, total: progress.total };
            sender.send_replace(Some(report));
        }
    }
}
