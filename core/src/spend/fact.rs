//! What is known about one create or one generation, and how two states of it are joined.
//!
//! A fact only ever moves forward, so that joining what two processes know gives the same result in
//! any order, and joining the same fact again changes nothing.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::amounts::{Amount, Reserved, Totals};
use super::prices::PricedRoute;

/// Identifies a create: by the number of its process, and its number there.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub(crate) struct EntryNumber(pub(super) u64, pub(super) u64);

/// What a fact is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    Create(EntryNumber),
    /// With its id.
    Generation(String),
}

/// What is known about a create or a generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Fact {
    #[serde(rename = "c")]
    Create(Create),
    #[serde(rename = "g")]
    Generation(Generated),
}

/// A create, until it is known what it has made. The later variants replace the earlier ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Create {
    /// It was reserved at this time, in seconds since 1970.
    #[serde(rename = "f")]
    InFlight(Entry, u64),
    /// Its outcome is unknown.
    #[serde(rename = "u")]
    Uncertain(Entry),
    /// It was not processed, or its generation counts in its place.
    #[serde(rename = "x")]
    Resolved {
        /// The generation, if the create was uncertain and this generation a candidate, and what the
        /// create counted as. It matters until it is stored.
        #[serde(skip)]
        candidate: Option<(String, Entry)>,
    },
}

/// A generation. The default is a candidate: an uncertain create may have made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Generated {
    /// What it counts as until its cost is known; `None` if it is not counted, since no process has
    /// created it or seen it before its end.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub(super) entry: Option<Entry>,
    #[serde(rename = "e", default, skip_serializing_if = "End::is_open")]
    pub(super) end: End,
}

/// How a generation has ended. The later variants replace the earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum End {
    /// It has not.
    #[default]
    No,
    /// It may have been charged, and the service did not say how much.
    #[serde(rename = "u")]
    Unpriced,
    /// It was not charged.
    #[serde(rename = "n")]
    Free,
    /// It was charged this, and whether it failed.
    #[serde(rename = "p")]
    Charged(Decimal, bool),
}

/// What is estimated, and at how much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    #[serde(flatten)]
    pub(super) route: PricedRoute,
    #[serde(flatten)]
    pub(super) reserved: Reserved,
}

impl End {
    fn is_open(&self) -> bool {
        *self == Self::No
    }
}

impl Entry {
    /// The one with an estimate, or else the newer one.
    fn join(self, newer: Self) -> Self {
        if self.reserved.is_estimate && !newer.reserved.is_estimate { self } else { newer }
    }
}

impl Create {
    fn rank(&self) -> u8 {
        match self {
            Self::InFlight(..) => 0,
            Self::Uncertain(_) => 1,
            Self::Resolved { .. } => 2,
        }
    }

    fn join(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::InFlight(entry, at), Self::InFlight(newer, _)) => {
                Self::InFlight(entry.join(newer), at)
            }
            (Self::Uncertain(entry), Self::Uncertain(newer)) => Self::Uncertain(entry.join(newer)),
            (known, newer) if newer.rank() > known.rank() => newer,
            (known, _) => known,
        }
    }
}

impl Generated {
    fn join(self, newer: Self) -> Self {
        let entry = match (self.entry, newer.entry) {
            (Some(known), Some(newer)) => Some(known.join(newer)),
            (known, newer) => newer.or(known),
        };
        Self { entry, end: self.end.max(newer.end) }.compact()
    }

    /// Drops what does not matter any longer after the end.
    pub(super) fn compact(mut self) -> Self {
        if let Some(entry) = &mut self.entry {
            match self.end {
                End::No => {}
                End::Unpriced => entry.route = PricedRoute::default(),
                End::Free | End::Charged(..) => *entry = Entry::default(),
            }
        }
        self
    }
}

impl Fact {
    /// What this fact and a newer one say together.
    pub(super) fn join(self, newer: Self) -> Self {
        match (self, newer) {
            (Self::Create(known), Self::Create(newer)) => Self::Create(known.join(newer)),
            (Self::Generation(known), Self::Generation(newer)) => {
                Self::Generation(known.join(newer))
            }
            // No key is of both.
            (known, _) => known,
        }
    }

    /// What it counts as, while it is open: in flight, or a create with an unknown outcome.
    pub(super) fn entry(&self) -> Option<&Entry> {
        match self {
            Self::Create(Create::InFlight(entry, _) | Create::Uncertain(entry)) => Some(entry),
            Self::Generation(Generated { entry, end: End::No }) => entry.as_ref(),
            _ => None,
        }
    }

    pub(super) fn entry_mut(&mut self) -> Option<&mut Entry> {
        match self {
            Self::Create(Create::InFlight(entry, _) | Create::Uncertain(entry)) => Some(entry),
            Self::Generation(Generated { entry, end: End::No }) => entry.as_mut(),
            _ => None,
        }
    }

    /// What it adds to the amounts of a ledger.
    pub(super) fn totals(&self) -> Totals {
        let in_flight =
            |entry: &Entry| Totals { in_flight: Amount::of(entry.reserved), ..Totals::default() };
        let uncertain =
            |entry: &Entry| Totals { uncertain: Amount::of(entry.reserved), ..Totals::default() };
        match self {
            Self::Create(Create::InFlight(entry, _)) => in_flight(entry),
            Self::Create(Create::Uncertain(entry)) => uncertain(entry),
            Self::Generation(Generated { entry: Some(entry), end }) => match end {
                End::No => in_flight(entry),
                End::Unpriced => uncertain(entry),
                End::Free => Totals::default(),
                End::Charged(cost, is_failed) => Totals::charged(*cost, *is_failed),
            },
            Self::Create(Create::Resolved { .. }) | Self::Generation(_) => Totals::default(),
        }
    }
}
