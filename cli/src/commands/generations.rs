//! Commands for one generation: generate, create, wait, retrieve, download.

use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pipevideo::{
    DownloadSource, Error, ErrorKind, Generation, GenerationRequest, Submission, Update,
};

use super::shown;
use crate::arguments::End;
use crate::failure::{Failure, usage};
use crate::interrupts::Ended;
use crate::output::{note, printable};
use crate::progress::Bar;
use crate::session::Session;

pub(super) async fn generate(
    session: &mut Session,
    request: GenerationRequest,
    end: End,
) -> Result<(), Failure> {
    check_output(end.output.as_deref())?;
    let submission = Submission::new();
    let work = session.client.generate(request).submission(&submission).on_update(on_update(true));
    let work = match end.deadline {
        Some(deadline) => work.deadline(deadline),
        None => work,
    };
    let generation = paid(session, &submission, work.into_future(), end.output.as_deref()).await?;
    finish(session, generation, end.output.as_deref()).await
}

pub(super) async fn create(
    session: &mut Session,
    request: GenerationRequest,
) -> Result<(), Failure> {
    let submission = Submission::new();
    let client = session.client.clone();
    let create = client.responses().create_with(request, &submission);
    let generation = paid(session, &submission, create, None).await?;
    session.output.result(&generation, || printable(&generation.id))?;
    Ok(())
}

pub(super) async fn wait(session: &mut Session, id: &str, end: End) -> Result<(), Failure> {
    check_output(end.output.as_deref())?;
    let wait = session.client.responses().wait(id).on_update(on_update(false));
    let wait = match end.deadline {
        Some(deadline) => wait.deadline(deadline),
        None => wait,
    };
    let message = still_running(id, end.output.as_deref());
    let waited = session.interruptible(wait.into_future(), &message).await;
    let generation = waited.map_err(|failure| with_way_on(failure, id, end.output.as_deref()))?;
    finish(session, generation, end.output.as_deref()).await
}

pub(super) async fn retrieve(session: &mut Session, id: &str) -> Result<(), Failure> {
    let client = session.client.clone();
    let generation = session.call(client.responses().retrieve(id)).await?;
    session.output.result(&generation, || {
        let url = generation.output_video_url.as_deref().unwrap_or_default();
        printable(&format!("{} {} {url}", generation.id, generation.status)).trim_end().to_owned()
    })?;
    Ok(())
}

/// Downloads a video, and returns its path.
pub(super) async fn download(
    session: &mut Session,
    id: &str,
    source: impl Into<DownloadSource>,
    path: &Path,
) -> Result<PathBuf, Failure> {
    check_output(Some(path))?;
    let bar = Bar::download();
    let shown_bar = bar.clone();
    let download = session.client.responses().download(source, path);
    let download = download.on_progress(move |progress| shown_bar.on_progress(progress));
    let again = format!(
        "The bytes received so far are kept. To resume: pipevideo download {} -o {}",
        quoted(id),
        quoted(&shown(path))
    );
    let message = format!("interrupted. {again}");
    let downloaded = session.interruptible(download.into_future(), &message).await;
    drop(bar);
    downloaded.map_err(|failure| match failure {
        Failure::Library(error) if error.kind() == ErrorKind::Download => {
            Failure::WithAdvice(error, again)
        }
        other => other,
    })
}

/// Does a work that creates a generation: whatever ends it, what is known about the generation is not
/// lost.
async fn paid(
    session: &mut Session,
    submission: &Submission,
    work: impl Future<Output = Result<Generation, Error>>,
    output: Option<&Path>,
) -> Result<Generation, Failure> {
    let client = session.client.clone();
    let stop = || {
        if submission.generation_id().is_none() {
            note(
                "Waiting for the response to the create, since it has the id of a generation that is \
                 billed. Ctrl-C again ends at once.",
            );
        }
        // Ends a wait at once. A create that is being sent runs on to its response.
        client.close();
    };
    let ended = session.interrupts.guard(work, stop).await;
    let failed = match ended {
        Ended::Completed(Ok(generation)) => return Ok(generation),
        Ended::Completed(Err(error)) => {
            let id = submission.generation_id();
            return Err(match id {
                Some(id) => with_way_on(error.into(), &id, output),
                None => with_advice(error),
            });
        }
        Ended::Interrupted(result) => result.err(),
        Ended::Dropped => submission.cancel(),
    };
    if let Some(id) = submission.generation_id() {
        return Err(Failure::Interrupted(still_running(&id, output)));
    }
    match failed.filter(|error| error.kind() == ErrorKind::SubmissionUncertain) {
        Some(uncertain) => Err(with_advice(uncertain)),
        None => Err(Failure::Interrupted("interrupted. Nothing was created.".to_owned())),
    }
}

/// Shows updates in a bar, and the id at the first one, which comes when the create is answered.
fn on_update(created: bool) -> impl FnMut(&Update) + Send + 'static {
    let bar = Bar::wait();
    let mut is_new = created;
    move |update| {
        if std::mem::take(&mut is_new) {
            bar.suspend(|| note(&format!("Created {}", printable(&update.generation.id))));
        }
        bar.on_update(update);
    }
}

/// Downloads the video if there is a file for it, and prints what was made.
async fn finish(
    session: &mut Session,
    generation: Generation,
    output: Option<&Path>,
) -> Result<(), Failure> {
    let path = match output {
        Some(path) => Some(download(session, &generation.id, &generation, path).await?),
        None => None,
    };
    session.output.result(&generation, || match &path {
        Some(path) => shown(path),
        None => printable(generation.output_video_url.as_deref().unwrap_or(&generation.id)),
    })?;
    Ok(())
}

/// Finds a mistake in the path of a video before anything is paid.
fn check_output(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() {
        return usage(format!("{} is a folder. Name a file in it.", path.display()));
    }
    match folder {
        Some(folder) if !folder.is_dir() => {
            usage(format!("there is no folder {}. Create it first.", folder.display()))
        }
        _ => Ok(()),
    }
}

fn still_running(id: &str, output: Option<&Path>) -> String {
    format!("interrupted. Generation {} is still running. {}", printable(id), way_on(id, output))
}

fn way_on(id: &str, output: Option<&Path>) -> String {
    let output = output.map(|path| format!(" -o {}", quoted(&shown(path)))).unwrap_or_default();
    format!("To continue: pipevideo wait {}{output}", quoted(id))
}

/// Says how a wait is continued, unless the generation has ended.
fn with_way_on(failure: Failure, id: &str, output: Option<&Path>) -> Failure {
    match failure {
        Failure::Library(error)
            if !matches!(error.kind(), ErrorKind::GenerationFailed | ErrorKind::NotFound) =>
        {
            Failure::WithAdvice(error, way_on(id, output))
        }
        other => other,
    }
}

/// Says what can be done after an uncertain create.
fn with_advice(error: Error) -> Failure {
    if error.kind() != ErrorKind::SubmissionUncertain {
        return error.into();
    }
    let advice = match (error.generation_id(), error.model(), error.sent_at()) {
        (Some(id), ..) => way_on(id, None),
        (None, Some(model), Some(sent_at)) => {
            let sent_at = sent_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!(
                "To see what it may have made: pipevideo reconcile --model {} --sent-at {:.3}",
                quoted(model),
                sent_at.as_secs_f64()
            )
        }
        _ => "To see what it may have made: pipevideo list".to_owned(),
    };
    Failure::WithAdvice(error, advice)
}

/// Text as a word of a shell.
fn quoted(text: &str) -> String {
    let text = printable(text);
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_quoted_for_a_shell_if_it_has_to_be() {
        assert_eq!(quoted("videos/cat-1.mp4"), "videos/cat-1.mp4");
        assert_eq!(quoted("my cat's.mp4"), r"'my cat'\''s.mp4'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
    }
}
