//! The page of a report.

use std::fmt::{self, Display, Formatter, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use rust_decimal::prelude::ToPrimitive;

use super::plot;
use crate::batch::BatchSummary;
use crate::batch::item::{BatchItem, ItemStatus};
use crate::batch::progress::Progress;

/// How many items, and how many videos, a report shows. Browsers become slow with more.
const MAX_ITEMS: usize = 1000;
const MAX_VIDEOS: usize = 100;

const STYLE: &str = include_str!("report.css");

/// A text from outside: what has a meaning in HTML is replaced, and so are control characters.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            control if control.is_control() => f.write_char(char::REPLACEMENT_CHARACTER),
            other => f.write_char(other),
        })
    }
}

/// The page about the items of a journal. `link` makes the relative URL of a video.
pub(super) fn page(
    journal: &str,
    items: &[BatchItem],
    link: impl Fn(&Path) -> Option<String>,
) -> String {
    let mut progress = Progress::default();
    items.iter().for_each(|item| progress.on_item(item));
    let summary = progress.summary(Duration::ZERO);
    let parts = [
        figures(&summary, items.len()),
        plots(items),
        failures(items, &summary),
        videos(items, &link),
        table(items, &link),
    ];
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; media-src 'self' file:; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{0}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{0}</h1>
{1}
</body>
</html>
"#,
        Text(journal),
        parts.concat()
    )
}

fn figures(summary: &BatchSummary, total: usize) -> String {
    let BatchSummary { counts, cost_usd, failed_but_charged, unpriced, .. } = summary;
    let seconds = |latency: Option<Duration>| {
        latency.map_or("–".to_owned(), |latency| format!("{:.1} s", latency.as_secs_f64()))
    };
    let figures = [
        ("requests", total.to_string()),
        ("completed", counts.completed.to_string()),
        ("failed", counts.failed.to_string()),
        ("uncertain", counts.uncertain.to_string()),
        ("pending", counts.pending.to_string()),
        ("downloaded", counts.downloaded.to_string()),
        ("cost", format!("${cost_usd}")),
        ("of it for failures", format!("${failed_but_charged}")),
        ("without a cost", unpriced.to_string()),
        ("median latency", seconds(summary.latency_median)),
        ("95 % take less than", seconds(summary.latency_95)),
    ];
    let figures =
        figures.map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
    format!("<dl>{}</dl>\n", figures.concat())
}

fn plots(items: &[BatchItem]) -> String {
    let started = items.iter().filter_map(created_at).min();
    let ended = |item: &BatchItem| {
        let since = created_at(item)?.duration_since(started?).ok()?;
        Some(since.saturating_add(item.latency.unwrap_or_default()).as_secs_f64())
    };
    let ends = |status| {
        let of_status = items.iter().filter(move |item| item.status == status);
        of_status.filter_map(|item| Some((ended(item)?, 1.0))).collect::<Vec<_>>()
    };
    let costs = items.iter().filter_map(|item| Some((ended(item)?, item.cost_usd?.to_f64()?)));
    let completed = items.iter().filter(|item| item.status == ItemStatus::Completed);
    let latencies: Vec<_> =
        completed.filter_map(|item| Some(item.latency?.as_secs_f64())).collect();
    let progress =
        [("completed", ends(ItemStatus::Completed)), ("failed", ends(ItemStatus::Failed))];
    let figure = |title: &str, plot: String| {
        format!("<figure><figcaption>{title}</figcaption>{plot}</figure>")
    };
    let plots = [
        figure("Completed and failed over time", plot::sums(&progress, " s", "")),
        figure("Cost over time", plot::sums(&[("cost", costs.collect())], " s", "$")),
        figure("Latencies of completed generations", plot::histogram(&latencies, " s")),
    ];
    format!("<section class=\"plots\">{}</section>\n", plots.concat())
}

fn created_at(item: &BatchItem) -> Option<SystemTime> {
    item.generation.as_ref()?.created_at
}

fn failures(items: &[BatchItem], summary: &BatchSummary) -> String {
    let bad: Vec<_> = items
        .iter()
        .filter(|item| item.error.is_some() || item.status == ItemStatus::Uncertain)
        .collect();
    if bad.is_empty() {
        return "<h2>Failures</h2><p>None.</p>\n".to_owned();
    }
    // The categories say more about failed generations than the kind of their error.
    let kinds = summary.errors.iter().filter(|(kind, _)| **kind != "generation_failed");
    let counts = summary.failures.iter().chain(kinds);
    let counts: Vec<_> = counts.map(|(name, count)| format!("{count} {name}")).collect();
    let rows = bad.iter().take(MAX_ITEMS).map(|item| {
        let kind = item.error.as_ref().map_or("", |error| error.kind().as_str());
        let category = item.category.map_or("", |category| category.as_str());
        let message = item.error.as_ref().map_or("", |error| error.message());
        let service = item.error.as_ref().and_then(|error| error.service_message());
        let id = item.generation_id.as_deref().unwrap_or_default();
        format!(
            "<tr><td>{}</td><td>{}</td><td>{kind}</td><td>{category}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
            Text(&item.key),
            item.status,
            Text(id),
            Text(message),
            Text(service.unwrap_or_default()),
        )
    });
    format!(
        "<h2>Failures</h2><p>{}</p>\n<table><tr><th>key</th><th>status</th><th>error</th><th>category</th><th>generation</th><th>message</th><th>the service's words</th></tr>\n{}</table>\n{}",
        counts.join(", "),
        rows.collect::<String>(),
        more(bad.len(), MAX_ITEMS)
    )
}

fn videos(items: &[BatchItem], link: &impl Fn(&Path) -> Option<String>) -> String {
    let is_video = |path: &&Path| path.extension().is_some_and(|it| it.eq_ignore_ascii_case("mp4"));
    let found = items.iter().filter_map(|item| {
        let path = item.path.as_deref().filter(is_video)?;
        Some((&item.key, link(path)?))
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        return String::new();
    }
    let shown = found.iter().take(MAX_VIDEOS).map(|(key, url)| {
        format!(
            "<figure><video src=\"{}\" controls muted preload=\"metadata\"></video><figcaption>{}</figcaption></figure>\n",
            Text(url),
            Text(key),
        )
    });
    format!(
        "<h2>Videos</h2>\n<section class=\"videos\">{}</section>{}\n",
        shown.collect::<String>(),
        more(found.len(), MAX_VIDEOS)
    )
}

fn table(items: &[BatchItem], link: &impl Fn(&Path) -> Option<String>) -> String {
    let rows = items.iter().take(MAX_ITEMS).map(|item| {
        let cost = item.cost_usd.map(|cost| format!("${cost}")).unwrap_or_default();
        let latency = item.latency.map(|it| format!("{:.1} s", it.as_secs_f64()));
        let file = item.path.as_deref().and_then(link).map(|url| {
            let name = item.path.as_deref().and_then(Path::file_name).unwrap_or_default();
            format!("<a href=\"{}\">{}</a>", Text(&url), Text(&name.to_string_lossy()))
        });
        format!(
            "<tr><td>{}</td><td class=\"{1}\">{1}</td><td>{2}</td><td>{3}</td><td>{cost}</td><td>{4}</td><td>{5}</td></tr>\n",
            Text(&item.key),
            item.status,
            Text(item.generation_id.as_deref().unwrap_or_default()),
            item.attempts,
            latency.unwrap_or_default(),
            file.unwrap_or_default(),
        )
    });
    format!(
        "<h2>Requests</h2>\n<table><tr><th>key</th><th>status</th><th>generation</th><th>attempts</th><th>cost</th><th>latency</th><th>file</th></tr>\n{}</table>{}",
        rows.collect::<String>(),
        more(items.len(), MAX_ITEMS)
    )
}

/// What is left out of a list.
fn more(total: usize, shown: usize) -> String {
    match total.saturating_sub(shown) {
        0 => String::new(),
        more => format!("<p>… and {more} more.</p>\n"),
    }
}
