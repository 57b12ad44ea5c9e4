//! The report of a batch: one HTML file that a browser shows without a network. Everything but
//! [`write_report`] is pure.

mod html;
mod path;
mod plot;

use std::path::Path;

use super::item::BatchItem;
use super::read::read_journal;
use crate::error::{Error, ErrorKind};

/// Writes a report about a batch, made from its journal: an HTML file with the progress, the costs and the
/// latencies as plots, the failures, and the downloaded videos.
///
/// The file needs no network and has no script. It shows the videos by their paths relative to its own
/// folder, so that both can be moved or published together; a relative path in the journal is
/// resolved in the current directory. It may be written while a run writes the journal. A report
/// has what the journal has: prompts only in messages of the service, and those only if they were kept.
/// It blocks while it reads and writes.
///
/// # Errors
/// [`ErrorKind::Configuration`] if the journal cannot be read or is not one, or if the report cannot be
/// written.
///
/// ```no_run
/// pipevideo::write_report("run.jsonl", "report.html")?;
/// # Ok::<(), pipevideo::Error>(())
/// ```
pub fn write_report(journal: impl AsRef<Path>, report: impl AsRef<Path>) -> Result<(), Error> {
    let (journal, report) = (journal.as_ref(), report.as_ref());
    let items = read_journal(journal)?.collect::<Result<Vec<BatchItem>, Error>>()?;
    let name = journal.file_name().unwrap_or(journal.as_os_str()).to_string_lossy();
    let unwritten = |error: std::io::Error| {
        let message = format!(
            "the report {} cannot be written: {error}. Check that its folder exists and that you may write \
             to it.",
            report.display()
        );
        Error::new(ErrorKind::Configuration, message).with_source(error)
    };
    let place = std::path::absolute(report).map_err(unwritten)?;
    let folder = place.parent().unwrap_or(&place);
    let link = |video: &Path| path::relative(folder, &std::path::absolute(video).ok()?);
    std::fs::write(report, html::page(&name, &items, link)).map_err(unwritten)
}

#[cfg(test)]
mod tests;
