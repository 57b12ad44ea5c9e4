//! What a command writes: results to standard output, everything else to standard error.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::SystemTime;

use pipevideo::{Error, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};

use crate::error_json;
use crate::exit;
use crate::failure::Failure;

/// How a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// Whether results are JSON.
    pub(crate) json: bool,
}

impl Output {
    /// Writes a result to standard output.
    ///
    /// # Errors
    /// The stream cannot be written. A reader that has closed it has what it wanted, and is no error.
    pub(crate) fn result(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> io::Result<()> {
        let mut text = if self.json { serde_json::to_string(value)? } else { text() };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }

    /// Reports a failure, and returns its exit code.
    pub(crate) fn failure(self, failure: &Failure) -> u8 {
        let (code, text, fields) = match failure {
            Failure::Library(error) => {
                (exit::code(error.kind()), text(error), error_json::of(error))
            }
            Failure::WithAdvice(error, advice) => {
                let text = format!("{}\n{advice}", text(error));
                (exit::code(error.kind()), text, error_json::of(error))
            }
            Failure::Usage(message) => {
                (exit::USAGE, message.clone(), own("invalid_request", message))
            }
            Failure::Io(error) => {
                let message = format!("cannot read or write: {error}");
                (exit::INTERNAL, message.clone(), own("internal", &message))
            }
            Failure::Interrupted(message) => {
                (exit::INTERRUPTED, message.clone(), own("interrupted", message))
            }
        };
        note(&text);
        if self.json {
            // The code says so as well.
            let _ = self.result(&json!({ "error": fields }), String::new);
        }
        code
    }
}

/// Writes a message to standard error. If it cannot be written, there is no other place for it.
pub(crate) fn note(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

/// The message of an error, with what the service says.
fn text(error: &Error) -> String {
    let mut text = format!("error: {}", error.message());
    let generation = error.generation().filter(|_| error.kind() == ErrorKind::GenerationFailed);
    let reason = generation.and_then(|generation| generation.error.as_ref()?.message.as_deref());
    if let Some(words) = error.service_message().or(reason) {
        let _ = write!(text, "\nThe service says: {}", printable(words));
    }
    if let Some(id) = error.request_id() {
        let _ = write!(text, "\nThe id of the request, for support: {}", printable(id));
    }
    text
}

fn own(kind: &str, message: &str) -> Value {
    Value::Object(error_json::of_kind(kind, message))
}

/// Text of the service without control characters, which would change the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A table for people: columns are as wide as their widest cell.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<_> = rows.iter().map(|row| row.each_ref().map(|cell| printable(cell))).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let mut out = String::new();
    for row in [head.map(str::to_owned)].iter().chain(&rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let _ = write!(line, "{cell:<width$}  ", width = width(column));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out
}

/// A cell that may be unknown.
pub(crate) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// How long ago a time was, in its largest unit.
pub(crate) fn ago(time: SystemTime) -> String {
    let seconds = time.elapsed().unwrap_or_default().as_secs();
    let (count, unit) = match seconds {
        0..60 => (seconds, "s"),
        60..3600 => (seconds / 60, "min"),
        3600..86400 => (seconds / 3600, "h"),
        _ => (seconds / 86400, "d"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_aligned_columns_and_no_control_characters() {
        let rows = [["gen_1", "\u{1b}[31mred"], ["gen_123", "-"]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["ID", "STATUS"], &rows),
            "ID       STATUS\ngen_1     [31mred\ngen_123  -\n"
        );
    }
}
