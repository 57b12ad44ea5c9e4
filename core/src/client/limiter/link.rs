//! The limiter and the window that other processes share. The link to Redis drives it.

use super::{Limiter, State};
use crate::client::clock;
use crate::lock::lock;
use crate::polling::budget::shared::{ByClass, Reply, Report};

impl Limiter {
    /// Takes room from a window that other processes share, from now on.
    pub(crate) fn share(&self) {
        lock(&self.state).budget.share();
    }

    /// The shared window cannot be reached: goes on with this process's share.
    pub(crate) fn cut_off(&self) {
        let now = clock::now();
        self.change_room(|state| state.budget.cut_off(now));
    }

    /// Whether this process goes on with its share, since the window cannot be reached.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        lock(&self.state).budget.is_out_of_reach()
    }

    /// Whether other processes are not back in the window after it was lost.
    pub(crate) fn awaits_others(&self) -> bool {
        lock(&self.state).budget.awaits_others()
    }

    /// Whether something cannot wait for the next regular report.
    pub(crate) fn is_report_due(&self) -> bool {
        lock(&self.state).budget.is_report_due(clock::now())
    }

    /// What the shared window does not know yet.
    pub(crate) fn report(&self) -> Report {
        let now = clock::now();
        self.update(now, |state| state.budget.report(now))
    }

    /// The shared window has answered a report.
    pub(crate) fn on_reply(&self, report: &Report, reply: &Reply) {
        let now = clock::now();
        self.change_room(|state| state.budget.on_reply(now, report, reply));
    }

    /// Another process says how many requests the window holds.
    pub(crate) fn on_used(&self, used: ByClass<usize>) {
        lock(&self.state).budget.on_used(used);
    }

    /// Changes what there is room for, and has calls and polls take it.
    fn change_room(&self, change: impl FnOnce(&mut State)) {
        let now = clock::now();
        self.update(now, |state| {
            change(state);
            state.queue.serve(now, &mut state.budget);
        });
        self.changed.notify_waiters();
    }
}
