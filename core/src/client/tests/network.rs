//! Creates and waits over a network that partitions, delays and loses, to a service that restarts and
//! enforces its rate limit, on simulated time.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::json;

use super::fake::{Fake, Reply};
use super::*;
use crate::client::clock;
use crate::error::{Error, ErrorKind};
use crate::lock::lock;
use crate::model::Generation;

const CALLERS: usize = 30;
const DEADLINE: Duration = Duration::from_secs(300);
/// The service's rate limit.
const LIMIT: (usize, Duration) = (100, Duration::from_secs(60));

/// What the network or the service suffers from for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing reaches the service.
    Partition,
    /// Connections are refused: the service restarts.
    Restart,
    /// Requests reach the service, and no response comes back.
    OneWay,
    /// The service responds with 503.
    Overload,
}

struct Network {
    rng: Rng,
    /// When each fault begins and ends.
    faults: Vec<(Duration, Duration, Fault)>,
    began: Duration,
    /// When the requests of the last window arrived.
    window: VecDeque<Duration>,
    refused: usize,
    /// When each generation ends.
    generations: Vec<Duration>,
}

impl Network {
    /// Faults cover about a third of the first four minutes, and none the fifth.
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let kinds = [Fault::Partition, Fault::Restart, Fault::OneWay, Fault::Overload];
        let faults = (0..4).map(|minute| {
            let begins = Duration::from_millis(minute * 60_000 + rng.u64(..40_000));
            let lasts = Duration::from_millis(rng.u64(1_000..20_000));
            (begins, begins + lasts, kinds[rng.usize(..kinds.len())])
        });
        let faults = faults.collect();
        let (window, generations) = (VecDeque::new(), Vec::new());
        Self { rng, faults, began: clock::now(), window, refused: 0, generations }
    }

    fn reply(&mut self, request: &str) -> Reply {
        let now = clock::now();
        let since = now - self.began;
        let active = |(begins, ends, _): &&_| *begins <= since && since < *ends;
        let fault = self.faults.iter().find(active).map(|(.., fault)| *fault);
        match fault {
            Some(Fault::Partition) => return Reply::Silence,
            Some(Fault::Restart) => return Reply::Refused,
            _ => {}
        }
        while self.window.front().is_some_and(|arrived| *arrived + LIMIT.1 <= now) {
            self.window.pop_front();
        }
        if self.window.len() >= LIMIT.0 {
            self.refused += 1;
            return Reply::Respond(429, "{}".to_owned());
        }
        self.window.push_back(now);
        if fault == Some(Fault::Overload) {
            return Reply::Respond(503, String::new());
        }
        let body = self.process(request, now);
        let latency = Duration::from_millis(self.rng.u64(10..3_000));
        match fault {
            Some(Fault::OneWay) => Reply::Silence,
            _ if self.rng.u8(..100) < 5 => Reply::Lost,
            _ => Reply::Late(latency, 200, body),
        }
    }

    /// The generation that a create makes, or that a poll asks for.
    fn process(&mut self, request: &str, now: Duration) -> String {
        let number = match request.rsplit_once("gen_") {
            Some((_, number)) => number.parse().unwrap(),
            None => {
                self.generations.push(now + Duration::from_secs(self.rng.u64(5..180)));
                self.generations.len() - 1
            }
        };
        let has_ended = self.generations[number] <= now;
        let status = if has_ended { "completed" } else { "in_progress" };
        json!({"id": format!("gen_{number}"), "status": status, "model": "m"}).to_string()
    }
}

#[tokio::test(start_paused = true)]
async fn creates_and_waits_survive_partitions_delays_and_restarts() {
    for seed in 0..40 {
        let network = Arc::new(Mutex::new(Network::new(seed)));
        let fake = {
            let network = network.clone();
            Fake::new(move |request, _| lock(&network).reply(request))
        };
        let client = client(&fake);
        let ends = join_all((0..CALLERS).map(|_| generate(&client))).await;

        let made = lock(&network).generations.len();
        assert!(made <= CALLERS, "seed {seed}: {CALLERS} creates made {made} generations");
        let ids: Vec<_> =
            ends.iter().filter_map(|end| Some(end.as_ref().ok()?.id.clone())).collect();
        assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len(), "seed {seed}");
        for end in &ends {
            let Err(error) = end else { continue };
            // Without faults in the last minute every generation that is known is seen to end.
            assert_eq!(error.kind(), ErrorKind::SubmissionUncertain, "seed {seed}: {error}");
        }
        assert_eq!(lock(&network).refused, 0, "seed {seed}: the limit was passed");
    }
}

/// Creates and waits, and checks when the wait ends.
async fn generate(client: &Client) -> Result<Generation, Error> {
    let created = client.responses().create(request()).await?;
    let began = clock::now();
    let end = client.responses().wait(&created.id).deadline(DEADLINE).await;
    let took = clock::now() - began;
    assert!(took <= DEADLINE + Duration::from_secs(2), "it took {took:?}");
    end
}
