//! The command that runs an emulator.

use pipevideo_emulator::{Arguments, Emulator};
use serde_json::json;

use crate::exit;
use crate::failure::Failure;
use crate::interrupts::Interrupts;
use crate::output::{Output, note};

/// Runs an emulator until Ctrl-C.
pub(super) async fn run(arguments: Arguments, output: Output) -> Result<u8, Failure> {
    let mut interrupts = Interrupts::new()?;
    let emulator = Emulator::start(arguments.into_options()).await?;
    let (base_url, api_key) = (emulator.base_url(), emulator.api_key());
    output.result(&json!({ "base_url": base_url, "api_key": api_key }), || {
        format!("export PIPEVIDEO_BASE_URL={base_url}\nexport PIPEVIDEO_API_KEY={api_key}")
    })?;
    note("Running until Ctrl-C.");
    interrupts.next().await;
    emulator.stop().await;
    Ok(exit::INTERRUPTED)
}
