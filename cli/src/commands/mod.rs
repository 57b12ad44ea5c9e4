//! The commands.

mod account;
mod batch;
mod emulator;
mod generations;
mod request;
mod rows;
mod webhooks;

use clap::CommandFactory;

use crate::arguments::{Arguments, Batch, Command};
use crate::failure::Failure;
use crate::output::Output;
use crate::session::Session;

/// Runs a command, and returns its exit code.
pub(crate) async fn run(arguments: Arguments, output: Output) -> Result<u8, Failure> {
    let Arguments { emulator, command, .. } = arguments;
    let open_with = |spend_limit| Session::open(emulator, spend_limit, output);
    let open = || open_with(None);
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "pipevideo", &mut script);
            let script = String::from_utf8_lossy(&script);
            output.result(&script, || script.to_string())?;
        }
        Command::Emulator(arguments) => return emulator::run(arguments, output).await,
        Command::Webhooks(command) => return webhooks::run(command, output).await,
        // The arguments are read first: a wrong one is reported without a key.
        Command::Generate(arguments) => {
            let limit = arguments.request.spend_limit;
            let request = request::read(arguments.request)?;
            generations::generate(&mut open_with(limit).await?, request, arguments.end).await?;
        }
        Command::Create(arguments) => {
            let limit = arguments.spend_limit;
            let request = request::read(arguments)?;
            generations::create(&mut open_with(limit).await?, request).await?;
        }
        Command::Batch(Batch::Run(arguments)) => {
            let rows = rows::read(&arguments.requests, arguments.model.model.as_deref())?;
            return batch::run(&mut open().await?, rows, arguments).await;
        }
        Command::Batch(Batch::Report { journal, output: report }) => {
            pipevideo::write_report(journal, &report)?;
            output.result(&serde_json::json!({ "path": report }), || shown(&report))?;
        }
        Command::Wait(wait) => generations::wait(&mut open().await?, &wait.id, wait.end).await?,
        Command::Retrieve { id } => generations::retrieve(&mut open().await?, &id).await?,
        Command::Download { id, output } => {
            let session = &mut open().await?;
            let path = generations::download(session, &id, id.as_str(), &output).await?;
            session.output.result(&serde_json::json!({ "path": path }), || shown(&path))?;
        }
        Command::List => account::list(&mut open().await?).await?,
        Command::Engines => account::engines(&mut open().await?).await?,
        Command::Usage => account::usage(&mut open().await?).await?,
        Command::Estimate { model, engine, count } => {
            let request = request::of_route(model, engine)?;
            account::estimate(&mut open().await?, request, count).await?;
        }
        Command::Reconcile { model, sent_at } => {
            let model = request::model(model)?;
            account::reconcile(&mut open().await?, &model, sent_at).await?;
        }
    }
    Ok(0)
}

fn shown(path: &std::path::Path) -> String {
    path.display().to_string()
}
