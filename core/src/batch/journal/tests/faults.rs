//! Torn, damaged and foreign files, and the lock.

use super::*;

fn fails(result: Result<(Journal, Replay), Error>, text: &str) {
    let error = result.err().expect("the journal is refused");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.message().contains(text), "{error}");
}

/// The file is refused with this text, and not changed.
async fn is_refused(contents: impl AsRef<[u8]>, text: &str) {
    let folder = Folder::with(&contents);
    fails(folder.open().await, text);
    assert_eq!(folder.contents(), contents.as_ref());
}

/// The facts that a journal of `several` has up to a length.
fn whole_facts(lines: &[Vec<u8>], length: usize) -> usize {
    let mut end = header().len();
    let ends = lines.iter().map(|line| {
        end += line.len();
        end
    });
    ends.take_while(|end| *end <= length).count()
}

fn lines() -> Vec<Vec<u8>> {
    let lines = several().into_iter();
    lines.map(|(key, fact)| Record { key: key.into(), fact }.encode()).collect()
}

#[test]
fn a_journal_that_is_cut_at_any_byte_reads_as_its_whole_lines() {
    let (whole, lines) = (journal(several()), lines());
    for length in 0..whole.len() {
        let cut = scan(&whole[..length]).unwrap();
        let facts = whole_facts(&lines, length);
        assert_eq!(cut.replay, replay(several().into_iter().take(facts)), "{length}");
        let good = header().len() + lines[..facts].iter().map(Vec::len).sum::<usize>();
        let expected = if length < header().len() { 0 } else { good };
        assert_eq!(cut.length, expected as u64, "{length}");
    }
}

#[tokio::test]
async fn a_journal_that_was_cut_is_repaired_and_continued() {
    let (whole, lines) = (journal(several()), lines());
    let first_end = header().len();
    let near_ends = [0, 1, first_end - 1, first_end, first_end + 1, whole.len() - 1];
    // Each opening syncs several times, so only some of the cuts are made on the disk.
    for length in (0..whole.len()).step_by(41).chain(near_ends) {
        for tail in [&b""[..], &[0; 300]] {
            let folder = Folder::with([&whole[..length], tail].concat());
            let (journal, _) = folder.open().await.unwrap();
            journal.record("z", created("gen_z")).await.unwrap();
            journal.close().await.unwrap();
            let read = scan(&folder.contents()[..]).unwrap();
            assert_eq!(read.length as usize, folder.contents().len());
            let facts = several().into_iter().take(whole_facts(&lines, length));
            assert_eq!(
                without_spans(read.replay),
                without_spans(replay(facts.chain([("z", created("gen_z"))]))),
                "{length}"
            );
        }
    }
}

/// A new header may be longer or shorter than that of these tests: it has another time.
fn without_spans(replay: Replay) -> Vec<(Option<Box<str>>, Vec<String>, u32)> {
    let entries = replay.into_ordered().into_iter();
    entries.map(|entry| (entry.key, entry.ids, entry.attempt)).collect()
}

#[test]
fn several_torn_lines_at_the_end_are_skipped() {
    let whole = journal(several());
    for tail in ["\0\0\0", "{\"fact\"", "\n\n", "{\"fact\"\n{\"key\"\n\0\0", "}\n"] {
        let read = scan(&[&whole[..], tail.as_bytes()].concat()[..]).unwrap();
        assert_eq!(read, scan(&whole[..]).unwrap(), "{tail:?}");
    }
}

#[tokio::test]
async fn a_damaged_line_before_a_good_one_is_never_repaired() {
    for bad in
        ["\0\0\n", "{\"fact\":\"created\",\n", "\n", "{\"fact\":\"created\",\"key\":\"a\"}\n"]
    {
        let mut contents = journal([("a", sending(1))]);
        contents.extend(bad.as_bytes());
        contents.extend(Record { key: "a".into(), fact: Fact::Uncertain }.encode());
        is_refused(contents, "is damaged in line 3").await;
    }
    // JSON of another shape is no torn line: a torn one has no end.
    let contents = [&header()[..], b"{\"fact\":\"created\",\"key\":\"a\"}\n"].concat();
    is_refused(contents, "is damaged in line 2").await;
}

#[tokio::test]
async fn a_fact_of_a_newer_version_is_refused_and_an_unknown_field_ignored() {
    let newer = "{\"fact\":\"paused\",\"key\":\"a\",\"bytes\":\"text\"}\n";
    let contents = [&header()[..], newer.as_bytes()].concat();
    is_refused(contents, "was written by a newer version").await;

    let line = "{\"key\":\"a\",\"colour\":[1],\"id\":\"gen_a\",\"fact\":\"created\"}\n";
    let read = scan(&[&header()[..], line.as_bytes()].concat()[..]).unwrap();
    assert_eq!(read.replay.clone().take("a").unwrap().id(), Some("gen_a"));
}

#[tokio::test]
async fn what_is_no_journal_of_this_batch_is_refused_and_not_changed() {
    for contents in [
        "{}\n",
        "hello",
        "hello\n",
        "\n",
        "[1,2]\n",
        "{\"pipevideo_journal\":1}\n",
        "{\"pipevideo_journal\":2,\"base",
        "{\"pipevideo_journal\":1,\"base_url\":3}\n",
    ] {
        is_refused(contents, "is not a journal of a batch").await;
    }
    let long = [br#"{"pipevideo_journal":1,"base_url":""#.to_vec(), vec![b'x'; 2 << 20]].concat();
    is_refused(long, "is not a journal of a batch").await;
    is_refused("{\"pipevideo_journal\":2,\"x\":1}\n", "has version 2 of the format").await;

    let folder = Folder::with(journal(several()));
    let open = |base_url: &'static str, first: &'static str| {
        let path = folder.path();
        async move { Journal::open(&path, base_url, first, &Log::default()).await }
    };
    fails(open("https://other.example", "a").await, "was made with another base URL");
    fails(open(BASE_URL, "x").await, "is that of another batch");
    assert_eq!(folder.contents(), journal(several()));
    open(BASE_URL, "d").await.expect("requests may have been put before the first one");
}

#[tokio::test]
async fn a_torn_journal_of_another_batch_is_not_changed() {
    let contents = [&journal(several())[..], b"{\"fact\""].concat();
    let folder = Folder::with(&contents);
    fails(
        Journal::open(&folder.path(), BASE_URL, "x", &Log::default()).await,
        "is that of another batch",
    );
    assert_eq!(folder.contents(), contents);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_journal_is_refused() {
    let folder = Folder::new();
    let open =
        |path: PathBuf| async move { Journal::open(&path, BASE_URL, "a", &Log::default()).await };
    fails(open(folder.0.path().to_owned()).await, "cannot be opened");
    fails(open(folder.0.path().join("missing/run.jsonl")).await, "Check that its folder exists");
    #[cfg(unix)]
    fails(open("/dev/null".into()).await, "is not a regular file");
}

#[tokio::test(start_paused = true)]
async fn a_journal_is_open_once() {
    let folder = Folder::new();
    let (journal, _) = folder.open().await.unwrap();
    fails(folder.open().await, "is using the journal");
    journal.record("a", sending(1)).await.unwrap();
    drop(journal);
    let (_journal, mut replay) = folder.open().await.expect("it is free after a drop");
    assert!(replay.take("a").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_closed_journal_has_all_lines_and_is_free() {
    let folder = Folder::new();
    let (journal, _) = folder.open().await.unwrap();
    journal.note("a", Fact::Uncertain);
    journal.close().await.unwrap();
    assert!(String::from_utf8(folder.contents()).unwrap().contains("uncertain"));
    let first = JournalFile::lock(&folder.path(), &Log::default()).await.expect("it is free");
    first.unlock();
    // There it is free once it is closed.
    #[cfg(windows)]
    drop(first);
    assert!(JournalFile::lock(&folder.path(), &Log::default()).await.is_ok());
}

#[tokio::test]
async fn a_torn_line_is_removed_by_its_file() {
    let folder = Folder::with("a line\nand a h");
    let file = JournalFile::lock(&folder.path(), &Log::default()).await.unwrap();
    file.truncate(7).unwrap();
    assert_eq!(folder.contents(), b"a line\n");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_synced_is_tolerated_and_one_that_is_missing_is_not() {
    use crate::batch::journal::file::sync_folder;
    use std::path::Path;
    assert!(sync_folder(Path::new("run.jsonl"), &Log::default()).is_ok(), "the current folder");
    assert!(sync_folder(Path::new("/missing/run.jsonl"), &Log::default()).is_err());
    // It has no files on a disk.
    #[cfg(target_os = "linux")]
    assert!(sync_folder(Path::new("/proc/run.jsonl"), &Log::default()).is_ok());
}

/// Windows does not let another program change it.
#[cfg(not(windows))]
#[tokio::test]
async fn a_journal_that_another_program_changed_is_an_error() {
    let folder = Folder::with(journal([("a", completed("gen_a"))]));
    let (journal, mut replay) = folder.open().await.unwrap();
    let State::Finished { span, .. } = replay.take("a").unwrap().state else { panic!() };
    fs::write(folder.path(), header()).unwrap();
    let error = journal.load(span).await.unwrap_err();
    assert!(error.message().contains("was changed while it was in use"), "{error}");
}

/// Reads parts, with the end of the file between them: it grows while it is read.
struct Growing<'a>(std::vec::IntoIter<&'a [u8]>);

impl std::io::Read for Growing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let part = self.0.next().unwrap_or_default();
        buffer[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

#[test]
fn a_journal_that_grows_while_it_is_read_is_not_damaged() {
    let journal = journal(several());
    for cut in header().len()..journal.len() {
        let (start, rest) = journal.split_at(cut);
        let parts = vec![start, &[], rest];
        let grown = scan(std::io::BufReader::new(Growing(parts.into_iter())));
        let whole = start.iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
        assert_eq!(grown.unwrap(), scan(&journal[..whole]).unwrap(), "{cut}");
    }
}
