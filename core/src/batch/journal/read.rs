//! Reads the results in a journal, also while a run writes it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use super::file::{read_line, unreadable};
use super::open::Finished;
use super::replay::{Entry, State, scan};
use crate::error::Error;

/// What a journal says about one request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) key: String,
    pub(crate) entry: Entry,
    /// The snapshot, if the generation has finished.
    pub(crate) finished: Option<Finished>,
}

/// Reads the requests of a journal in the order in which they first appear in it. Blocks.
///
/// The file is neither locked nor changed, and a torn end is skipped.
///
/// # Errors
/// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if the file cannot be read or is
/// not a journal.
pub(crate) fn read(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Item, Error>> + use<>, Error> {
    let file = File::open(path).map_err(|error| unreadable(path, error))?;
    let scan = scan(BufReader::new(&file)).map_err(|failure| failure.into_error(path))?;
    let path = path.to_owned();
    Ok(scan.replay.into_ordered().into_iter().map(move |mut entry| {
        let finished = match entry.state {
            State::Finished { span, .. } => {
                let line = read_line(&file, span).map_err(|error| unreadable(&path, error))?;
                Some(Finished::read(&line, &path)?)
            }
            _ => None,
        };
        let key = match &finished {
            Some(finished) => finished.key.clone(),
            None => entry.key.take().unwrap_or_default().into(),
        };
        Ok(Item { key, entry, finished })
    }))
}
