//! The lines, and what they say together.

use super::*;

fn line(fact: Fact) -> String {
    String::from_utf8(Record { key: "a".into(), fact }.encode()).unwrap()
}

#[test]
fn the_lines_are_these() {
    let hash = Hash::of(br#"{"model":"m"}"#);
    let error = Error::new(ErrorKind::RateLimited, "too many.").with_status(429);
    let video = Hash::of(b"video");
    let kept = Fact::sending(b"{\n\"input\":\"A cat\\n\"}", "m", 1, at(1), true);
    let kept_hash = Hash::of(b"{\n\"input\":\"A cat\\n\"}");
    for (fact, expected) in [
        (
            sending(2),
            format!(
                r#"{{"fact":"sending","key":"a","request":"{hash}","model":"m","attempt":2,"at":1764293432.125}}"#
            ),
        ),
        (
            kept,
            format!(
                r#"{{"fact":"sending","key":"a","request":"{kept_hash}","model":"m","attempt":1,"at":0.001,"body":{{ "input":"A cat\n"}}}}"#
            ),
        ),
        (Fact::NotCreated { error: None }, r#"{"fact":"not_created","key":"a"}"#.into()),
        (
            Fact::given_up(&error),
            r#"{"fact":"not_created","key":"a","error":{"kind":"rate_limited","message":"too many.","status":429}}"#.into(),
        ),
        (created("gen_a"), r#"{"fact":"created","key":"a","id":"gen_a"}"#.into()),
        (
            completed("gen_a"),
            r#"{"fact":"finished","key":"a","generation":{"id":"gen_a","status":"completed","usage":{"cost_usd":0.0421}}}"#.into(),
        ),
        (
            failed("gen_a", "\"0.10\""),
            r#"{"fact":"finished","key":"a","generation":{"id":"gen_a","status":"failed","usage":{"cost_usd":"0.10"},"error":{"code":"E42"}},"category":"provider"}"#.into(),
        ),
        (
            downloaded(),
            format!(
                r#"{{"fact":"downloaded","key":"a","path":"videos/a.mp4","bytes":5,"sha256":"{video}"}}"#
            ),
        ),
        (Fact::Uncertain, r#"{"fact":"uncertain","key":"a"}"#.into()),
    ] {
        let written = line(fact.clone());
        assert_eq!(written, expected + "\n");
        let read = Record::decode(written.as_bytes()).unwrap();
        assert_eq!(read, Record { key: "a".into(), fact });
    }
    assert_eq!(
        String::from_utf8(header()).unwrap(),
        "{\"pipevideo_journal\":1,\"base_url\":\"https://api.pipevideo.co\",\"first\":\"a\",\
         \"created_at\":1764293432}\n"
    );
}

#[test]
fn lines_that_say_too_little_are_rejected() {
    for line in [
        r#"{"fact":"created","key":"a"}"#,
        r#"{"fact":"created","id":"gen_a"}"#,
        r#"{"fact":"finished","key":"a","generation":{"id":"g","status":"queued"}}"#,
        r#"{"fact":"downloaded","key":"a","path":"p","bytes":-1,"sha256":""}"#,
        r#"{"fact":"not_created","key":"a","error":{"kind":"new_kind","message":""}}"#,
        r#"{"fact":7,"key":"a"}"#,
        "7",
    ] {
        assert!(Record::decode(format!("{line}\n").as_bytes()).is_err(), "{line}");
    }
    for (field, value) in [
        ("at", "-1"),
        ("at", "1e300"),
        ("at", "\"now\""),
        ("attempt", "-1"),
        ("attempt", "4294967296"),
        ("request", "\"00\""),
        ("request", &format!("\"{}\"", "é".repeat(32))),
        ("request", &format!("\"{}\"", "0g".repeat(32))),
    ] {
        let mut line: Value = serde_json::from_str(&line(sending(1))).unwrap();
        line[field] = serde_json::from_str(value).unwrap();
        assert!(Record::decode(format!("{line}\n").as_bytes()).is_err(), "{line}");
    }
}

#[test]
fn the_category_of_a_failure_outlives_its_message() {
    use FailureCategory::*;
    for (error, category) in [
        (json!({"message": "insufficient balance"}), InsufficientCredits),
        (json!({"message": "the render stopped"}), Provider),
        (json!({"message": "engine not available"}), Unavailable),
        (json!({"message": "the prompt was refused"}), InvalidPrompt),
        (json!({"code": "E42"}), Other),
        (Value::Null, Other),
    ] {
        let last = generation(json!({"id": "g", "status": "failed", "error": error}));
        let line = line(Fact::finished(last, false));
        let Fact::Finished { category: read, .. } = Record::decode(line.as_bytes()).unwrap().fact
        else {
            panic!("{line}")
        };
        assert_eq!(read, Some(category));
        let newer = line.replace(category.as_str(), "newer_category");
        let Fact::Finished { category, .. } = Record::decode(newer.as_bytes()).unwrap().fact else {
            panic!("{newer}")
        };
        assert_eq!(category, Some(Other));
    }
    let done = generation(json!({"id": "g", "status": "completed"}));
    assert!(matches!(Fact::finished(done, false), Fact::Finished { category: None, .. }));
}

#[test]
fn later_facts_do_not_hide_a_generation() {
    use State::{Created, NotCreated, Sending};
    let not_created = || Fact::NotCreated { error: None };
    let sent = || Sending { is_given_up: false };
    for (facts, state, id, cost) in [
        (vec![sending(1)], sent(), None, "0"),
        (vec![sending(1), Fact::Uncertain], Sending { is_given_up: true }, None, "0"),
        (vec![sending(1), Fact::Uncertain, sending(2)], sent(), None, "0"),
        (vec![sending(1), not_created()], NotCreated(None), None, "0"),
        (vec![sending(1), not_created(), sending(1)], sent(), None, "0"),
        (vec![sending(1), created("x"), not_created()], Created, Some("x"), "0"),
        (vec![created("x"), Fact::Uncertain], Created, Some("x"), "0"),
        (vec![not_created(), created("x")], Created, Some("x"), "0"),
        (vec![failed("x", "0.5"), sending(2)], sent(), None, "0.5"),
        (vec![failed("x", "0.5"), sending(2), created("y")], Created, Some("y"), "0.5"),
        (vec![failed("x", "0.5"), created("y")], Created, Some("y"), "0.5"),
    ] {
        let shown = format!("{facts:?}");
        let mut replay = replay(facts.into_iter().map(|fact| ("a", fact)));
        let entry = replay.take("a").unwrap();
        assert_eq!(entry.state, state, "{shown}");
        assert_eq!((entry.id(), entry.earlier_cost.to_string().as_str()), (id, cost), "{shown}");
    }
    for facts in [
        vec![created("x"), failed("x", "0.5")],
        vec![failed("x", "0.5"), created("x"), not_created(), Fact::Uncertain],
        vec![failed("x", "0.5"), failed("x", "0.5")],
        vec![created("x"), failed("x", "0.5"), sending(2), created("x"), failed("x", "0.5")],
    ] {
        let entry = replay(facts.into_iter().map(|fact| ("a", fact))).take("a").unwrap();
        assert!(matches!(entry.state, State::Finished { is_failed: true, .. }), "{entry:?}");
        assert_eq!((entry.id(), entry.ids.len(), entry.key.is_none()), (Some("x"), 1, true));
    }
}

#[test]
fn every_order_of_facts_is_read() {
    let facts = [
        sending(1),
        Fact::NotCreated { error: None },
        created("x"),
        failed("x", "0.5"),
        sending(2),
        completed("y"),
        downloaded(),
    ];
    let mut order: Vec<_> = (0..facts.len()).collect();
    permute(&mut order, 0, &mut |order| {
        let mut replay = replay(order.iter().map(|n| ("a", facts[*n].clone())));
        assert!(replay.claims("x") && replay.claims("y"));
        let entry = replay.take("a").unwrap();
        let mut ids = entry.ids.clone();
        ids.sort();
        assert_eq!(ids, ["x", "y"], "{order:?}");
        let last = |n: usize| order.iter().position(|at| *at == n);
        if entry.state == State::NotCreated(None) {
            let sent = last(0).max(last(4));
            assert!(last(1) > sent && last(3) < sent && last(5) < sent, "{order:?}");
        }
    });
}

fn permute(order: &mut [usize], from: usize, visit: &mut impl FnMut(&[usize])) {
    if from == order.len() {
        return visit(order);
    }
    for other in from..order.len() {
        order.swap(from, other);
        permute(order, from + 1, visit);
        order.swap(from, other);
    }
}

#[test]
fn a_sum_of_costs_does_not_overflow() {
    let most = "79228162514264337593543950335";
    let facts = [failed("x", most), sending(2), failed("y", most), sending(3)];
    let entry = replay(facts.map(|fact| ("a", fact))).take("a").unwrap();
    assert_eq!(entry.earlier_cost.to_string(), most);
}

#[test]
fn a_second_generation_adds_the_cost_of_the_first_and_the_same_one_does_not() {
    for (second, cost) in [("x", "0"), ("y", "0.5")] {
        let facts = [failed("x", "0.5"), failed(second, "0.5")];
        let entry = replay(facts.map(|fact| ("a", fact))).take("a").unwrap();
        assert_eq!(entry.earlier_cost.to_string(), cost, "{second}");
    }
}

#[test]
fn attempts_are_the_creates_that_may_have_made_a_generation() {
    for (last, attempts) in [(Fact::NotCreated { error: None }, 2), (Fact::Uncertain, 3)] {
        let entry = replay([("a", sending(3)), ("a", last)]).take("a").unwrap();
        assert_eq!(entry.attempts(), attempts);
    }
}

#[test]
fn the_generations_of_all_entries_are_claimed() {
    let mut replay = replay([("a", created("x")), ("b", completed("y")), ("c", sending(1))]);
    assert_eq!(["x", "y", "z"].map(|id| replay.claims(id)), [true, true, false]);
    replay.adopt("c", "z");
    assert!(replay.claims("z"));
    let mut left = replay.take_created();
    left.sort_by_key(|entry| entry.position);
    assert_eq!(left.iter().map(Entry::id).collect::<Vec<_>>(), [Some("x"), Some("z")]);
    assert_eq!(replay.entries().map(Entry::id).collect::<Vec<_>>(), [Some("y")]);
}

#[test]
fn json_that_is_no_fact_is_not_taken_for_a_torn_line() {
    let decode = |line: &str| Record::decode(line.as_bytes()).map(|record| record.key);
    for line in ["{}\n", "[]\n", "{\"fact\":\"created\"}\n"] {
        assert_eq!(decode(line), Err(BadLine::Invalid), "{line}");
    }
    assert_eq!(decode("{\"fact\":\"cre\n"), Err(BadLine::Torn));
    assert_eq!(decode("{\"fact\":\"repaid\"}\n"), Err(BadLine::Newer));
}

#[test]
fn requests_are_compared_and_not_shown() {
    let sent = |body: &str| match Fact::sending(body.as_bytes(), "m", 1, at(0), true) {
        Fact::Sending { body: Some(body), .. } => body,
        fact => panic!("{fact:?}"),
    };
    assert_eq!(sent("[1]"), sent("[1]"));
    assert_ne!(sent("[1]"), sent("[2]"));
    assert_eq!(format!("{:?}", sent("[1]")), "<3 bytes>");
    let hash = Hash::of(b"video");
    assert_eq!(format!("{hash:?}"), hash.to_string());
}
