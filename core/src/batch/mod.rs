//! Many requests in one run, which another run continues if its process is killed.
//!
//! `run` takes the requests, works on them, and passes on the items; `journal` is the file. What is
//! beside them is pure.

mod adoption;
#[cfg(feature = "client")]
mod builder;
mod files;
mod item;
pub(crate) mod journal;
mod progress;
#[cfg(feature = "client")]
mod read;
#[cfg(feature = "client")]
mod report;
mod request;
#[cfg(feature = "client")]
mod run;

#[cfg(feature = "client")]
pub use builder::Batch;
pub use item::{BatchItem, ItemStatus};
pub use progress::{BatchCounts, BatchEvent, BatchEventKind, BatchSummary, StopReason};
#[cfg(feature = "client")]
pub use read::read_journal;
#[cfg(feature = "client")]
pub use report::write_report;
pub use request::BatchRequest;
#[cfg(feature = "client")]
pub use run::{BatchHandle, BatchOutput, BatchRun};
