//! The program `pipevideo-emulator`, which runs until its standard input closes.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use pipevideo_emulator::{Arguments, Emulator, Options};
use serde::Serialize;

/// The line that is printed at the start.
#[derive(Serialize)]
struct Address<'a> {
    base_url: &'a str,
    api_key: &'a str,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse().into_options()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipevideo-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> io::Result<()> {
    let emulator = Emulator::start(options).await?;
    let address = Address { base_url: emulator.base_url(), api_key: emulator.api_key() };
    let line = serde_json::to_string(&address)?;
    writeln!(io::stdout(), "{line}")?;
    io::stdout().flush()?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    emulator.stop().await;
    Ok(())
}
