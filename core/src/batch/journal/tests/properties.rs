//! Random facts, and random bytes.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::record::CreateError;
use super::super::replay::Span;
use super::*;

fn fact() -> impl Strategy<Value = Fact> {
    let id = prop_oneof!["gen_[a-c]", "\\PC{1,5}"].boxed();
    let hash = any::<[u8; 32]>().prop_map(Hash).boxed();
    let body =
        prop_oneof![Just("{}".to_owned()), "\\PC{0,5}".prop_map(|text| json!([text]).to_string())];
    prop_oneof![
        (body, "m[12]", 1_u32.., 0..1_u64 << 42, any::<bool>()).prop_map(
            |(body, model, attempt, millis, keep)| {
                Fact::sending(body.as_bytes(), &model, attempt, at(millis), keep)
            }
        ),
        Just(Fact::NotCreated { error: None }),
        (0..ErrorKind::ALL.len(), "\\PC{0,5}", proptest::option::of(any::<u16>())).prop_map(
            |(kind, message, status)| Fact::NotCreated {
                error: Some(CreateError { kind: ErrorKind::ALL[kind], message, status })
            }
        ),
        id.clone().prop_map(|id| Fact::Created { id }),
        (id, any::<bool>(), 0..1_u64 << 60, any::<bool>()).prop_map(|(id, fails, cost, keep)| {
            let status = if fails { "failed" } else { "completed" };
            let cost = rust_decimal::Decimal::new(cost as i64, 9).to_string();
            let json =
                json!({"id": id, "status": status, "usage": {"cost_usd": cost}, "x": {"y": 1}});
            Fact::finished(generation(json), keep)
        }),
        ("\\PC{0,8}", any::<u64>(), hash)
            .prop_map(|(path, bytes, sha256)| Fact::Downloaded(Download { path, bytes, sha256 })),
        Just(Fact::Uncertain),
    ]
}

proptest! {
    #[test]
    fn the_replay_of_a_cut_journal_is_that_of_its_whole_lines(
        facts in vec(("[abc]|\\PC{0,3}", fact()), 0..20),
        cut in any::<proptest::sample::Index>(),
        tail in vec(prop_oneof![Just(0_u8), any::<u8>()], 0..5),
    ) {
        let mut journal = header();
        let mut spans = Vec::new();
        for (key, fact) in &facts {
            let line = Record { key: key.clone(), fact: fact.clone() }.encode();
            spans.push(Span { offset: journal.len() as u64, length: line.len() as u64 });
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            journal.extend(line);
        }
        let start = header().len();
        let length = start + cut.index(journal.len() + 1 - start);
        let whole = spans.iter().take_while(|span| span.offset + span.length <= length as u64).count();
        let mut expected = Replay::default();
        for ((key, fact), span) in facts.into_iter().zip(spans).take(whole) {
            expected.apply(Record { key, fact }, span);
        }
        // A tail that ends the line's JSON, or is a line of JSON itself, would not be torn.
        let tail: Vec<_> = tail.into_iter().filter(|byte| !byte.is_ascii_graphic()).collect();
        let is_line = journal[..length].ends_with(b"\n") && tail.contains(&b'\n');
        let is_ended = !journal[..length].ends_with(b"\n") && journal[length..].starts_with(b"\n");
        let tail = if is_line || is_ended { Vec::new() } else { tail };
        let Scan { header: read, replay, length } = scan(&[&journal[..length], &tail].concat()[..])
            .map_err(|failure| TestCaseError::fail(format!("{failure:?}")))?;
        prop_assert_eq!(read.unwrap().encode(), header());
        prop_assert_eq!(replay, expected);
        prop_assert!(length as usize <= journal.len());
    }

    #[test]
    fn no_bytes_make_it_panic(
        whole in any::<bool>(),
        bytes in "(\\{\"(fact|key|id|at|request|pipevideo_journal)\":(\"created\"|\"a\"|1|-1e9)\\}?,?\n?){0,6}",
    ) {
        let start = if whole { header() } else { Vec::new() };
        let _ = scan(&[&start[..], bytes.as_bytes()].concat()[..]);
    }
}
