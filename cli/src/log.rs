//! The log, which `PIPEVIDEO_LOG` asks for, on standard error.

use std::io;

use tracing::{Dispatch, level_filters::LevelFilter};

use crate::failure::Failure;

const VARIABLE: &str = "PIPEVIDEO_LOG";

/// The subscriber to the events of a client; `None` if they are not asked for.
pub(crate) fn subscriber() -> Result<Option<Dispatch>, Failure> {
    let level = match std::env::var(VARIABLE).as_deref().unwrap_or_default() {
        "" | "off" => return Ok(None),
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        _ => return Err(Failure::Usage(format!("{VARIABLE} must be warn, info, debug or off."))),
    };
    let subscriber = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    Ok(Some(Dispatch::new(subscriber.finish())))
}

/// Whether there may be lines of the log, which would be written into a bar.
pub(crate) fn is_on() -> bool {
    !matches!(subscriber(), Ok(None))
}
