//! The simulated figures of the documents: their table and their plot.

mod plot;

use std::fmt::Write as _;
use std::path::Path;

use crate::steps::Steps;

const SIMULATION: &str = "cargo test -p pipevideo --release --lib -- --ignored --nocapture";
/// What is between these lines of the document is written by this command.
const BEGIN: &str = "<!-- begin: cargo xtask simulate -->\n";
const END: &str = "<!-- end: cargo xtask simulate -->\n";

/// A row of the simulation's output.
pub(crate) struct Row {
    /// What is not as usual: the durations, or some trouble.
    what: String,
    load: String,
    who: String,
    lag: f64,
    /// The standard error of the lag.
    error: f64,
    polls: f64,
    bound: Option<f64>,
}

/// Runs the simulation, checks its bounds, and writes the figures into the documents.
pub(crate) fn run(steps: &mut Steps) {
    steps.run("decisions", &format!("{SIMULATION} the_time_of_a_decision"));
    steps.run("bounds", &format!("{SIMULATION} simulation::table::bounds"));
    let docs = steps.root().join("docs");
    steps.check("figures", &format!("{SIMULATION} simulation::table::figures"), |output| {
        write(&docs, &output.lines().filter_map(row).collect::<Vec<_>>()).err()
    });
}

fn row(line: &str) -> Option<Row> {
    let columns: Vec<_> = line.split('\t').collect();
    let [what, load, who, lag, error, polls, _, bound] = columns[..] else { return None };
    let number = |text: &str| text.parse::<f64>().ok();
    Some(Row {
        what: what.to_owned(),
        load: load.to_owned(),
        who: who.to_owned(),
        lag: number(lag)?,
        error: number(error)?,
        polls: number(polls)?,
        bound: number(bound),
    })
}

fn write(docs: &Path, rows: &[Row]) -> Result<(), String> {
    let document = docs.join("benchmarks.md");
    let text = std::fs::read_to_string(&document).map_err(|error| error.to_string())?;
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| rest.split_once(END).map(|(_, after)| (before, after)));
    let (before, after) = parts.ok_or("docs/benchmarks.md lacks the lines around the figures")?;
    let text = format!("{before}{BEGIN}{}{END}{after}", tables(rows));
    let written = std::fs::write(&document, text);
    let plotted = std::fs::write(docs.join("polling.svg"), plot::svg(rows));
    written.and(plotted).map_err(|error| error.to_string())
}

/// The loads of one kind of durations, in the order of the output.
fn loads<'a>(rows: &'a [Row], what: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.what == what && row.who == "Learned").collect()
}

fn find<'a>(rows: &'a [Row], like: &Row, who: &str) -> Option<&'a Row> {
    rows.iter().find(|row| row.what == like.what && row.load == like.load && row.who == who)
}

fn lag(row: Option<&Row>) -> String {
    row.map_or("–".to_owned(), |row| format!("{:.2}", row.lag))
}

fn tables(rows: &[Row]) -> String {
    format!(
        "{}\n![The lag against the polls of a generation](polling.svg)\n\nOther durations, this library and \
         evenly in turn:\n\n{}\nA first guess (`polling.typical`) that is wrong, with nothing learned \
         before:\n\n{}\nTrouble, this library and evenly in turn:\n\n{}",
        beside_the_bound(rows),
        other_durations(rows),
        wrong_guesses(rows),
        troubles(rows)
    )
}

fn beside_the_bound(rows: &[Row]) -> String {
    let mut text =
        "| load | bound | this library | of the bound | evenly in turn | in turn | polls each | \
                    evenly in turn |\n|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for ours in loads(rows, "Sigma(0.5)") {
        let (evenly, in_turn) = (find(rows, ours, "Evenly"), find(rows, ours, "InTurn"));
        let bound = ours.bound.unwrap_or(f64::NAN);
        let _ = writeln!(
            text,
            "| {} | {bound:.2} | {:.2} ± {:.2} | {:.2} | {} | {} | {:.1} | {:.1} |",
            spelled(&ours.load),
            ours.lag,
            ours.error,
            ours.lag / bound,
            lag(evenly),
            lag(in_turn),
            ours.polls,
            evenly.map_or(f64::NAN, |row| row.polls),
        );
    }
    text
}

fn other_durations(rows: &[Row]) -> String {
    let mut text =
        "| load | sigma 0.3 | sigma 0.8 | three routes |\n|---|---|---|---|\n".to_owned();
    for like in loads(rows, "Sigma(0.5)") {
        let pair = |what: &str| {
            let of = |who: &str| {
                rows.iter().find(|row| row.what == what && row.load == like.load && row.who == who)
            };
            format!("{}, {}", lag(of("Learned")), lag(of("Evenly")))
        };
        let kinds = ["Sigma(0.3)", "Sigma(0.8)", "Mixture"].map(pair).join(" | ");
        let _ = writeln!(text, "| {} | {kinds} |", spelled(&like.load));
    }
    text
}

fn wrong_guesses(rows: &[Row]) -> String {
    let mut text = "| load | 45 s | 90 s | 180 s |\n|---|---|---|---|\n".to_owned();
    for first in rows.iter().filter(|row| row.what == "guess" && row.who == "Guess(45.0)") {
        let guesses = ["Guess(45.0)", "Guess(90.0)", "Guess(180.0)"];
        let lags = guesses.map(|who| lag(find(rows, first, who))).join(" | ");
        let _ = writeln!(text, "| {} | {lags} |", spelled(&first.load));
    }
    text
}

fn troubles(rows: &[Row]) -> String {
    let mut text =
        "| what | load | this library | evenly in turn |\n|---|---|---|---|\n".to_owned();
    for (what, spelling) in [
        ("Refusal", "a 429 after a minute"),
        ("Doubled", "durations double in the middle"),
        ("Network", "responses take 50 to 500 ms, 2 % of the polls fail"),
    ] {
        for ours in loads(rows, what) {
            let evenly = lag(find(rows, ours, "Evenly"));
            let load = spelled(&ours.load);
            let _ = writeln!(
                text,
                "| {spelling} | {load} | {:.2} ± {:.2} | {evenly} |",
                ours.lag, ours.error
            );
        }
    }
    text
}

/// `AtOnce(20)` as "20 at once".
fn spelled(load: &str) -> String {
    let count = load.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_end_matches(')');
    let rest = if load.starts_with("PerMinute") { "a minute" } else { "at once" };
    format!("{count} {rest}")
}
