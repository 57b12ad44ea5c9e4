//! Every function that a binding exports has the panic barrier.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

/// The attributes that export, as they begin in a line without indentation.
const EXPORTING: [&str; 4] = ["#[napi", "#[pyfunction", "#[pymethods", "#[uniffi::export"];

/// The lines that begin an exported function or `impl` block, and whether the barrier is above them.
fn exports(source: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let (mut exporting, mut barrier) = (false, false);
    for line in source.lines() {
        if line.starts_with("#[") {
            exporting |= EXPORTING.iter().any(|attribute| line.starts_with(attribute));
            // Above it, since attributes are expanded in their order.
            barrier |= line.starts_with("#[barrier") && !exporting;
        } else if !line.starts_with("///") && !line.starts_with([' ', ')', ']']) {
            let item = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            if exporting && ["impl", "fn ", "async fn "].iter().any(|start| item.starts_with(start))
            {
                found.push((line.to_owned(), barrier));
            }
            (exporting, barrier) = (false, false);
        }
    }
    found
}

#[test]
fn every_exported_function_has_the_barrier() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for (binding, at_least) in [("python", 15), ("node", 8), ("swift", 15)] {
        let mut count = 0;
        for entry in std::fs::read_dir(root.join(format!("bindings-{binding}/src"))).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_file() {
                continue;
            }
            for (line, barrier) in exports(&std::fs::read_to_string(&path).unwrap()) {
                assert!(barrier, "{} lacks #[barrier]: {line}", path.display());
                count += 1;
            }
        }
        assert!(count >= at_least, "only {count} exports of {binding} were found");
    }
}

#[test]
fn an_export_without_the_barrier_is_found() {
    let source = "#[pyfunction]\n#[pyo3(signature = ())]\nfn a() {\n}\n#[barrier]\n#[napi]\nimpl B {\n\
                  #[napi]\npub struct C;\n#[napi]\n#[barrier]\npub(crate) fn d() {\n";
    let found = exports(source);
    let expected = [("fn a() {", false), ("impl B {", true), ("pub(crate) fn d() {", false)];
    assert!(found.iter().map(|(line, barrier)| (line.as_str(), *barrier)).eq(expected));
}
