//! What holds for every file that is read as a journal.

use super::record::{Fact, Record};
use super::replay::{State, scan};

/// The good lines of any file read the same without what follows them and when they are written
/// again, and each snapshot is where the replay says.
pub(crate) fn check(file: &[u8]) {
    let Ok(read) = scan(file) else { return };
    let length = usize::try_from(read.length).expect("it is a part of the file");
    let good = &file[..length];
    assert_eq!(scan(good).expect("the good lines are a journal"), read);
    let mut records = good.split_inclusive(|byte| *byte == b'\n').skip(1).map(|line| {
        let record = Record::decode(line).expect("the good lines have facts");
        (record.key.clone(), record.encode())
    });
    for (key, line) in records.by_ref() {
        // A value that JSON has and this library has not, such as 1e999, is written as null, which has
        // another place in the line once it is read.
        let written = Record::decode(&line).expect("a line that was written is read");
        assert_eq!(written.key, key);
        let line = written.encode();
        let again = Record::decode(&line).expect("a line that was written is read");
        assert_eq!((again.key.clone(), again.encode()), (key, line));
    }
    for entry in read.replay.into_ordered() {
        assert_eq!(entry.key.is_none(), matches!(entry.state, State::Finished { .. }));
        if let State::Finished { span, .. } = entry.state {
            let start = usize::try_from(span.offset).expect("it is a part of the file");
            let line = &good[start..][..usize::try_from(span.length).expect("as above")];
            let record = Record::decode(line).expect("the line has a fact");
            let Fact::Finished { generation, .. } = record.fact else { panic!("another fact") };
            assert_eq!(entry.ids.last(), Some(&generation.id));
        }
    }
}
