//! The requests of a batch, from a CSV or JSON Lines file.
//!
//! All of them are read before anything is sent, so that a mistake in the last row is found before the
//! first is paid.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use pipevideo::{BatchRequest, GenerationRequest};
use serde_json::{Map, Value};

use crate::failure::{Failure, usage};

/// Reads the requests. The model is that of rows without one.
pub(super) fn read(path: &Path, model: Option<&str>) -> Result<Vec<BatchRequest>, Failure> {
    let rows = match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => csv_rows(path)?,
        Some("jsonl" | "ndjson") => json_rows(path)?,
        _ => {
            return usage(format!(
                "{} is neither a .csv nor a .jsonl file. Name it so that its format is known.",
                path.display()
            ));
        }
    };
    let rows = rows.into_iter().map(|(line, row)| {
        request(row, model)
            .map_err(|why| Failure::Usage(format!("{}, line {line}: {why}", path.display())))
    });
    rows.collect()
}

/// A row with the number of its line.
type Row = (u64, Map<String, Value>);

fn csv_rows(path: &Path) -> Result<Vec<Row>, Failure> {
    let invalid = |error: csv::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_path(path).map_err(invalid)?;
    let names = reader.headers().map_err(invalid)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(invalid)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells = names.iter().zip(&record).filter(|(_, cell)| !cell.is_empty());
        let row = cells.map(|(name, cell)| (name.to_owned(), csv_value(name, cell)));
        rows.push((line, row.collect()));
    }
    Ok(rows)
}

/// What a cell stands for: all are texts, except for these.
fn csv_value(name: &str, cell: &str) -> Value {
    let parsed = match name {
        "width" | "height" => cell.trim().parse().map(Value::Number).ok(),
        "expand_prompt" => cell.trim().to_ascii_lowercase().parse().map(Value::Bool).ok(),
        "provider" => Some(cell.split(',').map(str::trim).collect()),
        _ => None,
    };
    parsed.unwrap_or_else(|| cell.into())
}

fn json_rows(path: &Path) -> Result<Vec<Row>, Failure> {
    let unreadable = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let mut rows = Vec::new();
    for (line, text) in (1..).zip(BufReader::new(File::open(path).map_err(unreadable)?).lines()) {
        let text = text.map_err(unreadable)?;
        if text.trim().is_empty() {
            continue;
        }
        // The error does not quote the line, which has a prompt.
        match serde_json::from_str(&text) {
            Ok(Value::Object(row)) => rows.push((line, row)),
            _ => return usage(format!("{}, line {line}: this is no JSON object.", path.display())),
        }
    }
    Ok(rows)
}

fn request(mut row: Map<String, Value>, model: Option<&str>) -> Result<BatchRequest, String> {
    let key = match row.remove("key") {
        None | Some(Value::Null) => None,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err("the key must be a text.".to_owned()),
    };
    let extra = match row.remove("extra_body") {
        None => Map::new(),
        Some(Value::Object(fields)) => fields,
        Some(_) => return Err("extra_body must be an object.".to_owned()),
    };
    if let (None, Some(model)) = (row.get("model"), model) {
        row.insert("model".to_owned(), model.into());
    }
    for (name, advice) in [
        ("model", "Add a column, or pass --model; `pipevideo engines` lists the models."),
        ("input", "It is the prompt."),
    ] {
        if !row.contains_key(name) {
            return Err(format!("it has no {name}. {advice}"));
        }
    }
    let mut request: GenerationRequest =
        serde_json::from_value(Value::Object(row)).map_err(|error| format!("{error}."))?;
    // A misspelled argument would be dropped by the service, and the video paid for without it.
    if let Some(name) = request.extra_body.keys().next() {
        return Err(format!(
            "{name} is not an argument of create. Correct it, or pass it in extra_body (JSON Lines)."
        ));
    }
    request.extra_body = extra;
    let request = BatchRequest::new(request);
    Ok(match key {
        Some(key) => request.key(key),
        None => request,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn problem(row: Value) -> String {
        let Value::Object(row) = row else { panic!("a row is an object") };
        request(row, None).err().unwrap_or_default()
    }

    #[test]
    fn a_misspelled_argument_is_an_error() {
        let row = |name: &str| json!({"model": "m", "input": "A cat", name: "9:16"});
        assert_eq!(problem(row("aspect_ratio")), "");
        assert!(problem(row("aspect")).starts_with("aspect is not an argument"));
        assert!(problem(json!({"model": "m", "prompt": "A cat"})).contains("no input"));
        assert!(problem(json!({"input": "A cat"})).contains("--model"));
    }

    #[test]
    fn cells_have_the_types_of_their_columns() {
        assert_eq!(csv_value("width", "1920"), json!(1920));
        assert_eq!(csv_value("expand_prompt", "TRUE"), json!(true));
        assert_eq!(csv_value("provider", "framerate, other"), json!(["framerate", "other"]));
        assert_eq!(csv_value("input", "12"), json!("12"));
        let row = json!({"model": "m", "input": "A cat", "width": csv_value("width", "wide")});
        assert!(problem(row).contains("invalid type"));
    }
}
