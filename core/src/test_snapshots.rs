//! Snapshots of texts that must not change by accident.

/// Compares a text with the snapshot of this name in `core/tests/snapshots`.
///
/// After an intended change: `INSTA_UPDATE=always cargo test -p pipevideo --all-features`, then
/// review the difference.
pub(crate) fn check(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => "../tests/snapshots",
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name, text);
    });
}
