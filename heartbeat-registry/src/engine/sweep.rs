//! Judging whoever is due, and planning when to do so again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Engine;
use crate::core::{Notices, Now, Table, micros};
use crate::lock::lock;

/// The longest that the driver sleeps while anyone is monitored, so that every stall is seen.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_millis(250);

impl Engine {
    /// Judges whoever is due, and plans the next wake: the monotonic time of it, or `None` while nobody is monitored.
    pub(crate) fn sweep(&self) -> Option<Duration> {
        let (now, credited) = self.wake();
        let is_blind = self.look_at_blindness(credited, &now);
        // First, so that members whose hold ends now are let go in their order.
        self.end_protections(&now);
        let (mut next, mut beats) = (u64::MAX, 0);
        let mut notices = Notices::default();
        for shard in &self.shards {
            let mut table = lock(shard);
            next = self.sweep_shard(&mut table, &now, &mut notices).min(next);
            beats += table.tally().fresh;
        }
        next = self.conclude(notices, &now).min(next);
        next = self.hosts().next_end().unwrap_or(u64::MAX).min(next);
        self.gauges.swept(now.mono, beats);
        let mut virtual_clock = lock(&self.virtual_clock);
        // One that was blind goes on looking, to tell when that is over.
        if self.members.load(Ordering::Acquire) == 0 && !is_blind {
            virtual_clock.rest(self.mono());
        } else {
            let mono = self.mono();
            virtual_clock.plan(mono, mono + micros(LONGEST_SLEEP));
            virtual_clock.bring_forward(next, mono);
        }
        virtual_clock.planned().map(Duration::from_micros)
    }

    /// Credits how late the driver is. Returns all that is credited, too.
    fn wake(&self) -> (Now, u64) {
        let mut virtual_clock = lock(&self.virtual_clock);
        let mono = self.mono();
        let at = virtual_clock.wake(mono);
        (Now { at, mono, wall: self.clock.wall() }, virtual_clock.credited())
    }

    /// Judges the due of one shard and tells what happened; returns when to come again. A panic is counted, what happened
    /// before it is told, and the deadlines are set up anew from the members.
    fn sweep_shard(&self, table: &mut Table, now: &Now, notices: &mut Notices) -> u64 {
        let mut facts = Vec::new();
        let swept = catch_unwind(AssertUnwindSafe(|| table.sweep(now, &mut facts, notices)));
        self.tell(facts, now);
        match swept {
            Ok(next) => next.unwrap_or(u64::MAX),
            Err(_) => {
                self.gauges.panicked();
                tracing::error!("judging a member panicked; its shard is judged anew");
                table.rebuild_deadlines(now);
                now.at + micros(LONGEST_SLEEP)
            }
        }
    }

    /// Sets up all deadlines anew: after a panic, members that were noticed may have none.
    pub(crate) fn judge_everyone_anew(&self) {
        let now = self.now();
        self.shards.iter().for_each(|shard| lock(shard).rebuild_deadlines(&now));
    }

    /// When the driver is to wake, by the monotonic clock.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        lock(&self.virtual_clock).planned().map(Duration::from_micros)
    }

    /// Makes sure that the driver wakes by a virtual time, and soon if it rests.
    pub(super) fn expect_by(&self, due: u64) {
        let mut virtual_clock = lock(&self.virtual_clock);
        let mono = self.mono();
        let soon = match virtual_clock.planned() {
            Some(_) => due,
            None => {
                self.ingest.wanted.notify_one();
                virtual_clock.at(mono) + micros(LONGEST_SLEEP)
            }
        };
        if virtual_clock.bring_forward(due.min(soon), mono) {
            self.nudge.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::{EventBody, HealthState, MemberId, Policy, WorkerHeartbeat};

    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::config::FleetConfig;

    #[test]
    fn after_a_panic_everyone_is_still_judged_and_nothing_that_happened_is_lost() {
        let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
        let config = FleetConfig { policy: Policy::every(Duration::from_secs(1)), ..FleetConfig::default() };
        let fleet = crate::fleet::Fleet::new(config, clock.clone()).unwrap();
        let workers = crate::registry::WorkerRegistry::new(&fleet);
        for n in 0..200 {
            workers.record(WorkerHeartbeat::new(MemberId::new(format!("w{n}")).unwrap())).unwrap();
        }
        for table in fleet.engine.shards() {
            lock(table).panic_once();
        }
        while clock.monotonic() < Duration::from_secs(5) {
            clock.advance_to(fleet.next_wake().unwrap());
            fleet.sweep();
        }
        assert_eq!(workers.stats().failed, 200);
        assert!(fleet.stats().driver.panics > 0);
        let events = fleet.events(None, usize::MAX).events;
        let failures =
            events.iter().filter(|event| matches!(event.body, EventBody::Transition { to: HealthState::Failed, .. }));
        assert_eq!(failures.count(), 200);
    }
}
