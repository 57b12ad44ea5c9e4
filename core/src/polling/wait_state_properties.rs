//! What holds over any sequence of events. The look that is under way is kept here, outside the
//! machine, and the service may answer with anything: old news, the same again, a failure.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const ID: &str = "gen_1";
/// As the planner has it: looks are no closer than this.
const INTERVAL: Duration = Duration::from_secs(1);

/// How the service answers one look.
#[derive(Clone, Debug)]
enum Answer {
    /// The generation as it is.
    Now,
    /// As it was when it had this rank, if it has come so far: a lagging replica.
    Was(usize),
    /// A status that is not known.
    Unknown(u32),
    Missing,
    Passing(Option<u64>),
    ForGood,
}

#[derive(Clone, Debug)]
struct Script {
    /// How each look is answered, how long that takes (in milliseconds), and the entropy drawn.
    answers: Vec<(Answer, u64, f64)>,
    /// When it gets to work and when it ends, in milliseconds.
    began: u64,
    ended: u64,
    fails: bool,
    webhooks: Vec<u64>,
    deadline: u64,
    grace: u64,
    /// Whether the create's answer is known.
    created: bool,
    /// Whether there is budget for a last look.
    last_look: bool,
}

fn script() -> impl Strategy<Value = Script> {
    let answer = prop_oneof![
        6 => Just(Answer::Now),
        3 => (0..3usize).prop_map(Answer::Was),
        2 => (0..3u32).prop_map(Answer::Unknown),
        1 => Just(Answer::Missing),
        3 => prop::option::of(0..20u64).prop_map(Answer::Passing),
    ];
    // Failures for good are few, or no sequence would get far.
    let answer = prop_oneof![60 => answer, 1 => Just(Answer::ForGood)];
    let answers = prop::collection::vec((answer, 0..4000u64, 0.0..1.0), 1..80);
    let webhooks = prop::collection::vec(0..90_000u64, 0..4);
    (answers, 0..60_000u64, 0..90_000u64, any::<bool>(), webhooks).prop_flat_map(
        |(answers, began, ended, fails, webhooks)| {
            (0..60_000u64, 0..8000u64, any::<bool>(), any::<bool>()).prop_map(
                move |(deadline, grace, created, last_look)| Script {
                    answers: answers.clone(),
                    began,
                    ended: began.max(ended),
                    fails,
                    webhooks: webhooks.clone(),
                    deadline,
                    grace,
                    created,
                    last_look,
                },
            )
        },
    )
}

impl Script {
    fn rank_at(&self, now: Duration) -> usize {
        let now = now.as_millis() as u64;
        usize::from(now >= self.began) + usize::from(now >= self.ended)
    }

    fn snapshot(&self, rank: usize) -> Snapshot {
        let last = if self.fails { "failed" } else { "completed" };
        snapshot(["queued", "in_progress", last][rank.min(2)], 0)
    }
}

fn snapshot(status: &str, version: u32) -> Snapshot {
    let json = json!({"id": ID, "status": status, "version": version});
    let text = json.to_string().into();
    Snapshot::new(serde_json::from_value(json).unwrap(), text)
}

/// What came of a wait.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    /// Every event with what it led to.
    trace: Vec<String>,
    shown: Vec<String>,
    looks: u32,
    ended_at: Duration,
    /// When the look that was answered last was sent.
    last_sent: Duration,
    last_latency: Duration,
}

/// Runs a wait to its end; with `doubled`, the machine hears everything twice.
fn run(script: &Script, doubled: bool) -> Result<Outcome, TestCaseError> {
    let ms = Duration::from_millis;
    let created = script.created.then(|| script.snapshot(0));
    let deadline = ms(script.deadline);
    let mut machine = Lifecycle::new(deadline, ms(script.grace), created);
    let mut out = Outcome::default();
    let mut webhooks: Vec<_> = script.webhooks.iter().map(|at| ms(*at)).collect();
    webhooks.sort();
    webhooks.reverse();
    let mut timer = Some(Duration::ZERO);
    let mut deadline_met = false;
    // Outside the machine: when the answer that is owed comes, and what it is.
    let mut owed: Option<(Duration, Answer, f64)> = None;
    loop {
        let answer_at = owed.as_ref().map(|(at, ..)| *at);
        let deadline_at = (!deadline_met).then_some(deadline);
        let next = [answer_at, timer, webhooks.last().copied(), deadline_at];
        let Some(now) = next.into_iter().flatten().min() else {
            return Err(TestCaseError::fail(format!("the wait is stuck: {:?}", out.trace)));
        };
        let (event, ask) = if answer_at == Some(now) {
            let Some((_, answer, entropy)) = owed.take() else { continue };
            hear(&mut machine, script, &mut out, now, &answer, entropy, doubled)
        } else if webhooks.last() == Some(&now) {
            webhooks.pop();
            let ask = machine.webhook();
            if doubled {
                prop_assert_eq!(words(&machine.webhook()), words(&ask));
            }
            ("webhook".to_owned(), ask)
        } else if timer == Some(now) || (deadline_at == Some(now) && script.last_look) {
            deadline_met |= now >= deadline;
            timer = None;
            if owed.is_some() {
                // The deadline: the look under way is the last one.
                continue;
            }
            machine.look();
            if doubled {
                machine.look();
            }
            let nth = out.looks as usize % script.answers.len();
            let (answer, latency, entropy) = script.answers[nth].clone();
            out.looks += 1;
            (out.last_sent, out.last_latency) = (now, ms(latency));
            owed = Some((now + ms(latency), answer, entropy));
            continue;
        } else {
            deadline_met = true;
            if owed.is_some() {
                continue;
            }
            ("deadline".to_owned(), machine.expire(ID))
        };
        out.trace.push(format!("{now:?} {event} -> {}", words(&ask)));
        let wake = match &ask {
            Ask::Nothing => continue,
            Ask::Now => now,
            Ask::Later => now + INTERVAL,
            Ask::NotBefore(at) => (*at).max(now + INTERVAL),
            Ask::End(end) => {
                if let Ok(generation) = end {
                    prop_assert!(generation.is_final());
                    prop_assert_eq!(out.shown.last(), Some(&generation.status.to_string()));
                }
                out.ended_at = now;
                absorbs(&mut machine)?;
                return Ok(out);
            }
        };
        prop_assert!(
            owed.is_none(),
            "a look is asked for while another is under way: {:?}",
            out.trace
        );
        prop_assert!(now < deadline, "a look is asked for after the deadline: {:?}", out.trace);
        timer = Some(wake);
    }
}

/// The answer to a look arrives.
fn hear(
    machine: &mut Lifecycle,
    script: &Script,
    out: &mut Outcome,
    now: Duration,
    answer: &Answer,
    entropy: f64,
    doubled: bool,
) -> (String, Ask) {
    let error = |kind| Error::new(kind, "");
    let said = match answer {
        Answer::Now => Ok(script.snapshot(script.rank_at(now))),
        Answer::Was(rank) => Ok(script.snapshot((*rank).min(script.rank_at(now)))),
        Answer::Unknown(version) => Ok(snapshot("polishing", *version)),
        Answer::Missing => Err(error(ErrorKind::NotFound)),
        Answer::Passing(asked) => {
            Err(error(ErrorKind::Server).with_retry_after(asked.map(Duration::from_secs)))
        }
        Answer::ForGood => Err(error(ErrorKind::Authentication)),
    };
    match said {
        Ok(generation) => {
            let (news, ask) = machine.snapshot(now, &generation);
            if news {
                out.shown.push(generation.generation.status.to_string());
            }
            if doubled {
                let (news, ask) = machine.snapshot(now, &generation);
                assert!(!news, "a doubled answer is news");
                assert!(!matches!(ask, Ask::End(_)), "it ends twice");
            }
            (format!("{} {news}", generation.generation.status), ask)
        }
        Err(error) => {
            let ask = machine.failure(now, ID, &error, entropy);
            if doubled {
                let ask = machine.failure(now, ID, &error, entropy);
                assert!(!matches!(ask, Ask::End(_)), "it ends twice");
            }
            (error.kind().to_string(), ask)
        }
    }
}

/// Once it is over, nothing more comes of anything.
fn absorbs(machine: &mut Lifecycle) -> Result<(), TestCaseError> {
    for now in [Duration::ZERO, Duration::from_secs(1000)] {
        for status in ["queued", "in_progress", "completed", "failed", "polishing"] {
            machine.look();
            let (news, ask) = machine.snapshot(now, &snapshot(status, 9));
            prop_assert!(!news && matches!(ask, Ask::Nothing));
        }
        for kind in [ErrorKind::Server, ErrorKind::Authentication] {
            let ask = machine.failure(now, ID, &Error::new(kind, ""), 0.5);
            prop_assert!(matches!(ask, Ask::Nothing));
        }
        prop_assert!(matches!(machine.webhook(), Ask::Nothing));
        prop_assert!(matches!(machine.expire(ID), Ask::Nothing));
    }
    Ok(())
}

fn words(ask: &Ask) -> String {
    match ask {
        Ask::End(Ok(generation)) => format!("end {}", generation.status),
        Ask::End(Err(error)) => format!("end {} {:?}", error.kind(), error.polls()),
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// It ends once, in time, after a bounded number of looks; what it shows only goes forward.
    #[test]
    fn a_wait_ends_once_and_in_time_and_never_shows_a_step_back(script in script()) {
        let out = run(&script, false)?;
        let deadline = Duration::from_millis(script.deadline);
        prop_assert!(out.ended_at <= deadline.max(out.last_sent + out.last_latency), "{out:?}");
        prop_assert!(out.last_sent <= deadline, "{out:?}");
        let most = script.deadline / 1000 + 2 + script.webhooks.len() as u64;
        prop_assert!(u64::from(out.looks) <= most, "{out:?}");

        let mut rank = 0;
        for status in &out.shown {
            prop_assert!(rank < 2, "something is shown after the end: {out:?}");
            let next = match status.as_str() {
                "queued" => 0,
                "in_progress" => 1,
                "completed" | "failed" => 2,
                _ => rank,
            };
            prop_assert!(next >= rank, "{out:?}");
            rank = next;
        }
    }

    #[test]
    fn the_same_events_lead_to_the_same_and_doubled_ones_change_nothing(script in script()) {
        let once = run(&script, false)?;
        prop_assert_eq!(&run(&script, false)?, &once);
        prop_assert_eq!(&run(&script, true)?, &once);
    }
}
