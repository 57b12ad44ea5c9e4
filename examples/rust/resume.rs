//! A generation that is created in one process and downloaded in another, which needs only its id.
//!
//! ```sh
//! cargo run --example resume -- start "A cat walking on a beach at sunset"
//! cargo run --example resume -- finish gen_…
//! ```
//!
//! Both need the same service. Without a key for the real one, start the emulator in another
//! terminal, and set these two where the example runs:
//!
//! ```sh
//! cargo run -p pipevideo-emulator -- --port 4010 --speed 12
//! export PIPEVIDEO_BASE_URL=http://127.0.0.1:4010 PIPEVIDEO_API_KEY=pv_emulator_0123456789abcdef
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pipevideo::{Client, ErrorKind, GenerationRequest};

#[derive(Parser)]
enum Command {
    /// Creates a generation, prints its id and ends
    Start {
        /// What the video shows
        prompt: String,
    },
    /// Waits for a generation and saves its video
    Finish {
        /// The generation's id
        id: String,
        /// The path of the video
        #[arg(long, value_name = "PATH", default_value = "generation.mp4")]
        out: PathBuf,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(error) = run(Command::parse()).await else { return ExitCode::SUCCESS };
    eprintln!("error: {error}");
    if error.kind() == ErrorKind::Configuration {
        eprintln!(
            "Without a key: start `cargo run -p pipevideo-emulator -- --speed 12` in another \
             terminal, and set PIPEVIDEO_BASE_URL and PIPEVIDEO_API_KEY to what it prints."
        );
    }
    ExitCode::FAILURE
}

async fn run(command: Command) -> pipevideo::Result<()> {
    let client = Client::from_env()?;
    match command {
        Command::Start { prompt } => {
            let request = GenerationRequest::new("moonshotai/kimi-k2.5", prompt);
            let generation = client.responses().create(request).await?;
            println!("{}", generation.id);
        }
        Command::Finish { id, out } => {
            // If this was stopped during the download before, the download resumes.
            let generation = client.responses().wait(id).await?;
            let path = client.responses().download(&generation, out).await?;
            println!("{}", path.display());
        }
    }
    Ok(())
}
