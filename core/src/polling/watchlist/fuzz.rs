//! The properties of a watchlist, in worlds that the bytes of a fuzz target describe.

use super::properties::{
    DOUBTFUL, GENERATIONS, Response, TRANSIENT, World, doubled_events_change_nothing,
    waits_end_once_and_in_time,
};
use crate::error::ErrorKind;

/// Checks the world that these bytes describe.
pub(crate) fn check(data: &[u8]) {
    let world = Bytes(data).world();
    let checked = waits_end_once_and_in_time(&world);
    let checked = checked.and_then(|()| doubled_events_change_nothing(&world));
    checked.unwrap_or_else(|error| panic!("{error}: {world:?}"));
}

/// What is left of the input. After its end come zeros.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn world(&mut self) -> World {
        World {
            limit: self.flag().then(|| 2 + self.below(38) as u32),
            generations: (0..GENERATIONS).map(|_| self.generation()).collect(),
            waits: (0..=self.below(11)).map(|_| self.wait()).collect(),
            webhooks: (0..self.below(8)).map(|_| (self.below(90_000), self.index())).collect(),
            responses: (0..=self.below(79)).map(|_| self.response()).collect(),
        }
    }

    fn generation(&mut self) -> (u64, u64, bool) {
        let began = self.below(60_000);
        (began, began.max(self.below(90_000)), self.flag())
    }

    fn wait(&mut self) -> (u64, usize, u64, Option<u64>, bool) {
        let (begins, generation, deadline) = (self.below(40_000), self.index(), self.below(60_000));
        let dropped = (self.byte() < 50).then(|| self.below(60_000));
        (begins, generation, deadline, dropped, self.flag())
    }

    fn response(&mut self) -> (Response, u64, f64) {
        let status = |bytes: &mut Self, all: &[u16]| all[bytes.below(all.len() as u64) as usize];
        let response = match self.byte() % 8 {
            0 => Response::Earlier(self.below(3) as usize),
            1 => Response::UnknownStatus(self.below(3) as u32),
            2 => Response::Failure(ErrorKind::Connection),
            3 => {
                let pause = self.flag().then(|| self.below(40));
                Response::Status(status(self, TRANSIENT), pause)
            }
            4 => Response::Status(status(self, DOUBTFUL), None),
            _ => Response::Current,
        };
        (response, self.below(4_000), f64::from(self.byte()) / 256.0)
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn below(&mut self, bound: u64) -> u64 {
        (u64::from(u16::from_be_bytes([self.byte(), self.byte()])) * bound) >> 16
    }

    fn index(&mut self) -> usize {
        self.below(GENERATIONS as u64) as usize
    }
}
