//! Reports of journals that a batch writes.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::json;

use super::*;
use crate::batch::ItemStatus;
use crate::batch::journal::{Fact, Journal};
use crate::client::events::Log;

const HOSTILE: &str = "<script>alert(1)</script>\"'&\u{0}";

fn completed(key: &str, created_at: u64, latency_ms: u64) -> BatchItem {
    let mut item = BatchItem::new(key.to_owned(), ItemStatus::Pending);
    let generation = json!({
        "id": format!("gen_{key}"), "status": "completed", "created_at": created_at,
        "latency_ms": latency_ms, "usage": {"cost_usd": 0.25},
    });
    item.set_ended(serde_json::from_value(generation).unwrap(), None);
    item.path = Some(PathBuf::from(format!("videos/{key}.mp4")));
    item
}

fn page(items: &[BatchItem]) -> String {
    html::page("run.jsonl", items, |path| {
        path::relative(Path::new("/run"), &Path::new("/run").join(path))
    })
}

#[test]
fn a_report_has_figures_plots_and_videos() {
    let items = [completed("a", 1_700_000_000, 4_000), completed("b", 1_700_000_006, 2_000)];
    let page = page(&items);
    for part in [
        "<dt>completed</dt><dd>2</dd>",
        "<dt>cost</dt><dd>$0.5</dd>",
        "<dt>median latency</dt><dd>2.0 s</dd>",
        // The second one ended 8 s after the first one was created.
        ">8 s</text>",
        r#"<video src="videos/a.mp4""#,
        "<a href=\"videos/b.mp4\">b.mp4</a>",
        "<h2>Failures</h2><p>None.</p>",
    ] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert_eq!(page.matches("<svg").count(), 3);
    for part in ["http:", "https:", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(part), "{part}: a report needs nothing from outside");
    }
}

#[test]
fn everything_from_outside_is_escaped() {
    let failed = json!({
        "id": HOSTILE, "status": "failed", "created_at": 1_700_000_000,
        "error": {"code": HOSTILE, "message": HOSTILE},
    });
    let mut item = completed(HOSTILE, 1_700_000_000, 1);
    item.set_ended(serde_json::from_value(failed).unwrap(), None);
    item.generation_id = Some(HOSTILE.to_owned());
    let page = html::page(HOSTILE, &[item], |path| Some(path.to_string_lossy().into_owned()));
    assert!(!page.contains("<script") && !page.contains("\"'") && !page.contains('\0'));
    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\u{fffd}";
    // The title twice; the key and the id of the failure and of the request; the service's message.
    assert!(page.matches(shown).count() >= 7, "{page}");
}

#[test]
fn long_lists_are_cut() {
    let items: Vec<_> = (0..1100).map(|n| completed(&n.to_string(), 1_700_000_000, n)).collect();
    let page = page(&items);
    assert_eq!(page.matches("<video").count(), 100);
    assert!(page.contains("… and 1000 more.") && page.contains("… and 100 more."));
    assert!(page.contains("<dd>1100</dd>"));
}

#[tokio::test]
async fn a_report_is_made_of_a_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, report) = (folder.path().join("run.jsonl"), folder.path().join("report.html"));
    let (open, _) =
        Journal::open(&journal, "https://api.pipevideo.co", "a", &Log::default()).await.unwrap();
    open.record("a", Fact::sending(b"{}", "m", 1, SystemTime::UNIX_EPOCH, false)).await.unwrap();
    write_report(&journal, &report).unwrap();
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("<dt>uncertain</dt><dd>1</dd>") && page.contains("<title>run.jsonl<"));

    let missing = write_report(folder.path().join("none"), &report).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::Configuration);
    let nowhere = write_report(&journal, folder.path().join("none/report.html")).unwrap_err();
    assert!(nowhere.message().contains("cannot be written"), "{nowhere}");
}
