//! The generations that an uncertain create may have made.

use std::ops::Deref;
use std::time::SystemTime;

use rust_decimal::Decimal;

use super::account::RecentRequest;
use super::generation::Status;

/// The generations that an uncertain create may have made, the most likely one first: a list with
/// what it says about its own completeness.
///
/// Made by [`reconcile`](crate::Responses::reconcile).
///
/// ```no_run
/// # async fn example(client: pipevideo::Client, error: pipevideo::Error) -> pipevideo::Result<()> {
/// let candidates = client.responses().reconcile(&error).await?;
/// for candidate in &candidates {
///     println!("perhaps {} ({:?} s after it)", candidate.id, candidate.seconds_after_create);
/// }
/// if candidates.is_empty() && !candidates.covers_create {
///     println!("the list of recent requests is too short to tell: check the dashboard");
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Candidates {
    /// The candidates.
    pub found: Vec<Candidate>,
    /// When the oldest request was created that the service listed, by this machine's clock. `None`
    /// if the list was empty or had no times.
    pub reaches_back_to: Option<SystemTime>,
    /// Whether the service's list certainly reaches back to the create: it lists older requests too,
    /// or all requests of the account. If not, an empty list says nothing.
    pub covers_create: bool,
}

impl Deref for Candidates {
    type Target = [Candidate];

    fn deref(&self) -> &[Candidate] {
        &self.found
    }
}

impl IntoIterator for Candidates {
    type Item = Candidate;
    type IntoIter = std::vec::IntoIter<Candidate>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.into_iter()
    }
}

impl<'a> IntoIterator for &'a Candidates {
    type Item = &'a Candidate;
    type IntoIter = std::slice::Iter<'a, Candidate>;

    fn into_iter(self) -> Self::IntoIter {
        self.found.iter()
    }
}

/// A generation that an uncertain create may have made, with the reasons for and against: the fields
/// of a [`RecentRequest`], and the last three.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[non_exhaustive]
pub struct Candidate {
    /// The generation's id, for `retrieve`, `wait` and `download`.
    pub id: String,
    /// Its status.
    pub status: Option<Status>,
    /// The orchestration model.
    pub model_name: Option<String>,
    /// The engine.
    pub engine: Option<String>,
    /// Its cost, in cents.
    pub cost_cents: Option<Decimal>,
    /// The time from its creation to its completion, in milliseconds.
    pub latency_ms: Option<u64>,
    /// When the service accepted it, by the service's clock.
    pub created_at: Option<SystemTime>,
    /// When it ended, by the service's clock.
    pub completed_at: Option<SystemTime>,
    /// Whether it has the model of the create, in whatever spelling; `None` if its model is unknown.
    pub same_model: Option<bool>,
    /// How many seconds after the create was sent it was created, with the difference between the
    /// clocks taken out; negative if before.
    pub seconds_after_create: Option<f64>,
    /// Whether this process knew it before the create was sent, by a wait for it for instance, so
    /// that it is very likely another one.
    pub known_before: bool,
}

impl From<RecentRequest> for Candidate {
    fn from(request: RecentRequest) -> Self {
        Self {
            id: request.id,
            status: request.status,
            model_name: request.model_name,
            engine: request.engine,
            cost_cents: request.cost_cents,
            latency_ms: request.latency_ms,
            created_at: request.created_at,
            completed_at: request.completed_at,
            same_model: None,
            seconds_after_create: None,
            known_before: false,
        }
    }
}
