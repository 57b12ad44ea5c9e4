//! The command that runs a batch.

use pipevideo::{BatchItem, BatchRequest, BatchSummary, Error, StopReason};
use serde_json::json;

use super::shown;
use crate::arguments::BatchRun;
use crate::exit;
use crate::failure::{Failure, usage};
use crate::interrupts::Ended;
use crate::json;
use crate::output::{Output, note, printable};
use crate::progress::Bar;
use crate::session::Session;

pub(super) async fn run(
    session: &mut Session,
    requests: Vec<BatchRequest>,
    arguments: BatchRun,
) -> Result<u8, Failure> {
    if requests.is_empty() {
        return usage(format!("{} has no requests.", arguments.requests.display()));
    }
    let bar = Bar::batch(requests.len() as u64);
    let events = bar.clone();
    let mut batch = session
        .client
        .batch(requests)
        .journal(&arguments.journal)
        .spend_limit(arguments.spend_limit)
        .on_event(move |event| events.on_event(event));
    if let Some(folder) = arguments.download_to {
        batch = batch.download_to(folder);
    }
    if let Some(count) = arguments.max_in_flight {
        batch = batch.max_in_flight(count);
    }
    if let Some(deadline) = arguments.deadline {
        batch = batch.deadline(deadline);
    }
    let mut run = batch.run();
    let handle = run.handle();
    let output = session.output;
    let items = async {
        while let Some(item) = run.next().await {
            let item = item?;
            bar.suspend(|| print(output, &item))?;
        }
        Ok::<_, Failure>(())
    };
    let stop = || {
        bar.suspend(|| {
            note(
                "Stopping: creates that are being sent get their response and its place in the \
                 journal. Ctrl-C again ends at once.",
            );
        });
        handle.stop();
    };
    let ended = session.interrupts.guard(items, stop).await;
    let again = format!(
        "interrupted. Run the same command again to continue: {} has what was done.",
        arguments.journal.display()
    );
    let interrupted = match ended {
        Ended::Completed(result) => result.map(|()| false)?,
        Ended::Interrupted(result) => result.map(|()| true)?,
        Ended::Dropped => return Err(Failure::Interrupted(again)),
    };
    drop(bar);
    let summary = handle.summary();
    if output.json {
        output.result(&json!({ "summary": json::summary(&summary) }), String::new)?;
    }
    note(&summary_text(&summary));
    if interrupted { Err(Failure::Interrupted(again)) } else { Ok(code(&summary)) }
}

fn print(output: Output, item: &BatchItem) -> std::io::Result<()> {
    output.result(&json::item(item), || {
        let mut cells = vec![printable(&item.key), item.status.to_string()];
        cells.extend(item.generation_id.as_deref().map(printable));
        cells.extend(item.path.as_deref().map(shown));
        cells.extend(item.cost_usd.map(|cost| format!("{cost} USD")));
        cells.extend(item.error.as_ref().map(Error::to_string));
        cells.join("  ")
    })
}

fn summary_text(summary: &BatchSummary) -> String {
    let counts = &summary.counts;
    let mut text = format!(
        "{} completed, {} failed, {} uncertain, {} pending; {} USD",
        counts.completed, counts.failed, counts.uncertain, counts.pending, summary.cost_usd
    );
    if let Some(reason) = summary.stopped_by {
        text += &format!("; stopped by {reason}");
    }
    text
}

/// The exit code of a run: what needs a person first.
fn code(summary: &BatchSummary) -> u8 {
    let counts = &summary.counts;
    let failed_downloads = summary.errors.values().sum::<u64>() > 0;
    if counts.uncertain > 0 {
        exit::UNCERTAIN
    } else if matches!(
        summary.stopped_by,
        Some(StopReason::SpendLimit | StopReason::InsufficientCredits)
    ) {
        exit::MONEY
    } else if counts.failed + counts.pending > 0 || failed_downloads {
        exit::INCOMPLETE
    } else {
        0
    }
}
