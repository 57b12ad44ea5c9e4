use super::*;
use crate::error::ErrorKind;
use crate::spend::amounts::{Amount, Totals};
use proptest::prelude::*;
use serde_json::{Value, json};

fn usd(text: &str) -> Decimal {
    Decimal::from_str_exact(text).unwrap()
}

fn request() -> GenerationRequest {
    GenerationRequest::new("m", "A cat")
}

fn generation(id: &str, status: &str, more: Value) -> Generation {
    let mut body = json!({"id": id, "status": status, "model": "m", "engine": "e"});
    body.as_object_mut().unwrap().append(more.as_object().cloned().as_mut().unwrap());
    serde_json::from_value(body).unwrap()
}

fn completed(id: &str, cost: &str) -> Generation {
    generation(id, "completed", json!({"usage": {"cost_usd": cost}}))
}

fn failed(id: &str, code: &str) -> Generation {
    generation(id, "failed", json!({"error": {"code": code}}))
}

/// A ledger with prices that learn, as a client has them.
#[derive(Default)]
struct Accounts {
    ledger: Ledger,
    prices: Prices,
}

impl std::ops::Deref for Accounts {
    type Target = Ledger;

    fn deref(&self) -> &Ledger {
        &self.ledger
    }
}

impl std::ops::DerefMut for Accounts {
    fn deref_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }
}

impl Accounts {
    fn reserve(
        &mut self,
        request: &GenerationRequest,
        limit: Option<Decimal>,
    ) -> Result<EntryNumber, Error> {
        self.ledger.reserve(&self.prices, request, limit)
    }

    fn on_snapshot(&mut self, generation: &Generation) {
        if let Some(route) = self.ledger.on_snapshot(&self.prices, generation) {
            self.prices.learn(route, generation);
            self.ledger.estimate_anew(&self.prices);
        }
    }
}

/// A ledger that has seen one generation, of this cost.
fn seen(cost: &str) -> Accounts {
    let mut ledger = Accounts::default();
    create(&mut ledger, "gen_0");
    ledger.on_snapshot(&completed("gen_0", cost));
    ledger
}

fn create(ledger: &mut Accounts, id: &str) -> EntryNumber {
    let number = ledger.reserve(&request(), None).unwrap();
    ledger.on_created(number, id);
    number
}

#[test]
fn a_generation_is_in_flight_at_its_estimate_and_then_spent_at_its_cost() {
    let mut ledger = seen("0.10");
    create(&mut ledger, "gen_1");
    ledger.on_snapshot(&generation("gen_1", "in_progress", json!({})));
    let spend = ledger.spend(Some(usd("1")));
    assert_eq!((spend.spent, spend.in_flight, spend.in_flight_count), (usd("0.1"), usd("0.1"), 1));
    assert_eq!(spend.remaining, Some(usd("0.8")));
    for _ in 0..2 {
        ledger.on_snapshot(&completed("gen_1", "0.25"));
        // A response that was overtaken.
        ledger.on_snapshot(&generation("gen_1", "in_progress", json!({})));
    }
    let spend = ledger.spend(None);
    assert_eq!((spend.spent, spend.in_flight, spend.in_flight_count), (usd("0.35"), usd("0"), 0));
    assert_eq!(spend.remaining, None);
}

#[test]
fn a_create_that_would_exceed_the_limit_is_refused() {
    let mut ledger = seen("0.10");
    let limit = Some(usd("0.30"));
    let first = ledger.reserve(&request(), limit).unwrap();
    let second = ledger.reserve(&request(), limit).unwrap();
    let error = ledger.reserve(&request(), limit).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SpendLimit);
    assert!(error.message().contains("0.1 are spent, 0.2 in flight"), "{error}");
    ledger.release(first);
    let third = ledger.reserve(&request(), limit).unwrap();
    ledger.on_uncertain(second, None);
    ledger.on_uncertain(second, None);
    assert!(ledger.reserve(&request(), limit).is_err(), "what is uncertain may have been charged");
    let spend = ledger.spend(limit);
    assert_eq!((spend.uncertain, spend.uncertain_count, spend.in_flight_count), (usd("0.1"), 1, 1));
    ledger.release(third);
    assert!(ledger.reserve(&request(), None).is_ok(), "another client has no limit");
}

#[test]
fn a_limit_that_is_reached_admits_nothing_more_whatever_is_known() {
    assert!(Accounts::default().reserve(&request(), Some(Decimal::ZERO)).is_err());
    assert!(seen("0").reserve(&request(), Some(Decimal::ZERO)).is_err());
    assert!(seen("0.10").reserve(&request(), Some(usd("0.20"))).is_ok(), "exactly the limit");
}

#[test]
fn while_no_cost_is_known_one_create_is_admitted_to_find_out() {
    let mut ledger = Accounts::default();
    let limit = Some(usd("1"));
    let first = ledger.reserve(&request(), limit).unwrap();
    let error = ledger.reserve(&request(), limit).unwrap_err();
    assert!(error.message().contains("not known yet"), "{error}");
    assert_eq!(ledger.spend(limit).unknown_count, 1);
    ledger.on_created(first, "gen_1");
    ledger.on_snapshot(&completed("gen_1", "0.4"));
    ledger.reserve(&request(), limit).unwrap();
    assert!(ledger.reserve(&request(), limit).is_err(), "0.4 spent, 0.4 in flight, 0.4 more");
}

#[test]
fn with_rates_several_of_unknown_cost_fit_at_a_generous_one_until_it_is_known() {
    let mut ledger = Accounts::default();
    let rates = json!([{"id": "e", "models": [{"id": "m", "input_rate": 1, "output_rate": 4}]}]);
    ledger.prices.set_rates(&rates.into());
    // 100,000 tokens in each direction are 0.5 USD.
    let limit = Some(usd("1.2"));
    let numbers: Vec<_> = (0..2).map(|_| ledger.reserve(&request(), limit).unwrap()).collect();
    assert!(ledger.reserve(&request(), limit).is_err());
    assert_eq!(ledger.spend(limit).in_flight, usd("1"));
    ledger.on_created(numbers[0], "gen_1");
    ledger.on_snapshot(&completed("gen_1", "0.01"));
    assert_eq!(ledger.spend(limit).in_flight, usd("0.01"), "the other one has an estimate now");
    ledger.release(numbers[1]);
    assert_eq!(ledger.facts.totals().in_flight, Amount::default());
}

#[test]
fn the_low_estimate_is_compared_with_the_maximum_of_the_request() {
    let mut ledger = seen("0.10");
    let error = ledger.reserve(&request().max_cost_usd(usd("0.05")), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SpendLimit);
    assert!(error.message().contains("more than max_cost_usd, 0.05"), "{error}");
    assert!(ledger.reserve(&request().max_cost_usd(usd("0.09")), None).is_ok());
    assert!(
        Accounts::default().reserve(&request().max_cost_usd(usd("0")), None).is_ok(),
        "unknown"
    );
}

#[test]
fn a_failed_generation_counts_by_what_it_may_have_been_charged() {
    let mut ledger = seen("0.10");
    for (id, code) in [("gen_1", "render_failed"), ("gen_2", "invalid_prompt"), ("gen_3", "E1")] {
        create(&mut ledger, id);
        ledger.on_snapshot(&failed(id, code));
    }
    create(&mut ledger, "gen_4");
    ledger.on_snapshot(&generation("gen_4", "failed", json!({"usage": {"cost_usd": 0.02}})));
    let spend = ledger.spend(None);
    assert_eq!((spend.spent, spend.failed_but_charged), (usd("0.12"), usd("0.02")));
    assert_eq!((spend.uncertain, spend.uncertain_count), (usd("0.2"), 2));
    assert_eq!(
        ledger.prices.estimate(&PricedRoute::of(&request()), 1).samples,
        1,
        "completed ones"
    );
}

#[test]
fn a_cost_that_is_reported_after_the_end_is_taken_then() {
    let mut ledger = seen("0.10");
    create(&mut ledger, "gen_1");
    ledger.on_snapshot(&generation("gen_1", "completed", json!({})));
    assert_eq!(ledger.spend(None).uncertain, usd("0.1"));
    for _ in 0..2 {
        ledger.on_snapshot(&completed("gen_1", "0.3"));
    }
    let spend = ledger.spend(None);
    assert_eq!((spend.spent, spend.uncertain, spend.uncertain_count), (usd("0.4"), usd("0"), 0));
}

#[test]
fn a_generation_of_another_process_counts_if_it_is_seen_before_its_end() {
    let mut ledger = Accounts::default();
    ledger.on_snapshot(&completed("gen_old", "7"));
    assert!(ledger.is_empty() && ledger.spend(None).spent.is_zero(), "it was paid before");
    assert_eq!(ledger.prices.estimate(&PricedRoute::of(&request()), 1).cost_usd, Some(usd("7")));
    ledger.on_snapshot(&generation("gen_new", "queued", json!({})));
    assert_eq!(ledger.spend(None).in_flight, usd("7"));
    ledger.on_snapshot(&completed("gen_new", "5"));
    assert_eq!(ledger.spend(None).spent, usd("5"));
}

#[test]
fn an_uncertain_create_with_an_id_is_followed_to_its_end() {
    let mut ledger = seen("0.10");
    let number = ledger.reserve(&request(), None).unwrap();
    ledger.on_uncertain(number, Some("gen_1"));
    ledger.on_snapshot(&completed("gen_1", "0.3"));
    let spend = ledger.spend(None);
    assert_eq!((spend.spent, spend.uncertain_count, spend.in_flight_count), (usd("0.4"), 0, 0));
}

#[test]
fn an_uncertain_create_is_settled_by_the_candidate_that_the_caller_waits_for() {
    for statuses in [&["in_progress", "completed"][..], &["completed"]] {
        let mut ledger = seen("0.10");
        for _ in 0..2 {
            let number = ledger.reserve(&request(), None).unwrap();
            ledger.on_uncertain(number, None);
        }
        ledger.on_candidates(["gen_1", "gen_2"].into_iter());
        for status in statuses {
            let usage = json!({"usage": {"cost_usd": "0.3"}});
            ledger.on_snapshot(&generation("gen_1", status, usage));
        }
        // Of another model, and of another process.
        let mut other = generation("gen_2", "in_progress", json!({}));
        other.model = Some("x".to_owned());
        ledger.on_snapshot(&other);
        ledger.on_snapshot(&generation("gen_3", "in_progress", json!({})));
        let spend = ledger.spend(None);
        assert_eq!((spend.spent, spend.uncertain_count), (usd("0.4"), 1), "{statuses:?}");
        assert_eq!(spend.in_flight_count, 2);
    }
}

#[test]
fn creates_without_an_end_do_not_fill_the_ledger() {
    let mut ledger = seen("0.10");
    for n in 0..MAX_OPEN + 5 {
        create(&mut ledger, &format!("gen_x{n}"));
    }
    assert_eq!(ledger.facts.open().count(), MAX_OPEN);
    let spend = ledger.spend(None);
    assert_eq!((spend.in_flight_count, spend.uncertain_count), (MAX_OPEN as u64, 5));
}

#[derive(Clone, Debug)]
enum Event {
    Reserve,
    Release(usize),
    Created(usize, usize),
    Uncertain(usize),
    Snapshot(usize, usize),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let number = || 0usize..12;
    prop::collection::vec(
        prop_oneof![
            Just(Event::Reserve),
            number().prop_map(Event::Release),
            (number(), 0usize..6).prop_map(|(number, id)| Event::Created(number, id)),
            number().prop_map(Event::Uncertain),
            (0usize..6, 0usize..5).prop_map(|(id, shape)| Event::Snapshot(id, shape)),
        ],
        0..60,
    )
}

proptest! {
    /// The sums are those of the entries, nothing is below zero, and a limit holds for every create
    /// with an estimate.
    #[test]
    fn the_amounts_are_those_of_the_entries(events in events()) {
        let mut ledger = seen("0.10");
        let limit = usd("0.5");
        for event in events {
            match event {
                Event::Reserve => {
                    let before = ledger.facts.totals().committed();
                    let reserved = ledger.reserve(&request(), Some(limit));
                    let cost = ledger.prices.estimate(&PricedRoute::of(&request()), 1).cost_usd.unwrap();
                    prop_assert_eq!(reserved.is_ok(), before < limit && before + cost <= limit);
                }
                Event::Release(number) => ledger.release(EntryNumber(0, number as u64)),
                Event::Created(number, id) => ledger.on_created(EntryNumber(0, number as u64), &format!("gen_{id}")),
                Event::Uncertain(number) => ledger.on_uncertain(EntryNumber(0, number as u64), None),
                Event::Snapshot(id, shape) => {
                    let id = format!("gen_{id}");
                    ledger.on_snapshot(&match shape {
                        0 => generation(&id, "in_progress", json!({})),
                        1 => completed(&id, "0.12"),
                        2 => generation(&id, "completed", json!({})),
                        3 => failed(&id, "render_failed"),
                        _ => generation(&id, "failed", json!({"usage": {"cost_usd": "0.01"}})),
                    });
                }
            }
            let mut sums = Totals::default();
            ledger.facts.iter().for_each(|(_, _, fact)| sums.add(&fact.totals()));
            prop_assert_eq!(*ledger.facts.totals(), sums);
        }
    }
}

/// The service calls the model by another name than the request did.
#[test]
fn a_cost_is_learned_for_the_model_of_the_request() {
    let mut ledger = Accounts::default();
    create(&mut ledger, "gen_1");
    let body = json!({"id": "gen_1", "status": "completed", "model": "x", "engine": "e",
        "usage": {"cost_usd": 1}});
    let generation = serde_json::from_value(body).unwrap();
    let route = ledger.ledger.on_snapshot(&ledger.prices, &generation).unwrap();
    assert_eq!((route.model.as_str(), route.engine.as_deref()), ("m", Some("e")));
}

#[test]
fn whatever_has_no_estimate_gets_one_when_a_cost_is_known() {
    let mut ledger = Accounts::default();
    let number = ledger.reserve(&request(), None).unwrap();
    ledger.on_uncertain(number, None);
    for id in ["gen_1", "gen_2"] {
        ledger.on_snapshot(&generation(id, "in_progress", json!({})));
    }
    ledger.on_snapshot(&completed("gen_1", "0.2"));
    let spend = ledger.spend(None);
    assert_eq!(
        (spend.uncertain, spend.in_flight, spend.unknown_count),
        (usd("0.2"), usd("0.2"), 0)
    );
    // Also if nothing else has no estimate.
    let mut ledger = Accounts::default();
    let number = ledger.reserve(&request(), None).unwrap();
    create(&mut ledger, "gen_1");
    ledger.on_uncertain(number, None);
    ledger.on_snapshot(&completed("gen_1", "0.3"));
    assert_eq!(ledger.spend(None).uncertain, usd("0.3"));
}

#[test]
fn what_a_batch_knows_from_an_earlier_run_counts() {
    let mut ledger = seen("0.1");
    let Accounts { ledger: of_key, prices } = &mut ledger;
    let uncertain = of_key.add_uncertain(prices, PricedRoute::of(&request()));
    of_key.add_ended(Some(usd("0.3")), true);
    of_key.add_ended(None, false);
    let spend = of_key.spend(None);
    assert_eq!((spend.spent, spend.failed_but_charged), (usd("0.4"), usd("0.3")));
    assert_eq!((spend.uncertain, spend.uncertain_count, spend.unknown_count), (usd("0.1"), 2, 1));
    of_key.release(uncertain);
    assert_eq!(of_key.spend(None).uncertain_count, 1);
}
