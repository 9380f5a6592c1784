//! What should be, member by member, and whether it is.

use std::hash::{DefaultHasher, Hash, Hasher};

use heartbeat_registry::Outcome;
use heartbeat_registry::contract::{Event, EventBody, HealthState, MemberStats, Policy};

use super::agenda::{Agenda, Task};

/// How far the virtual clock may go on while the process is stopped: to the wake it had planned, and the slack.
const OVERRUN: u64 = 252_000;
/// The processing time of the published bound, and the rounding of what is told in whole milliseconds.
const TOLERANCE: u64 = 2_000;
/// A task is late by up to a slot of the agenda.
const SLOT: u64 = 10_000;

pub(super) struct Books {
    members: Vec<Member>,
    counts: [u64; HealthState::ALL.len()],
    max_members: u64,
    /// How long the registry was stopped so far, and how often.
    stopped: u64,
    stops: u64,
    pub(super) events: u64,
    pub(super) failed: u64,
    pub(super) digest: u64,
}

#[derive(Clone, Copy)]
struct Member {
    state: Option<HealthState>,
    heard: u64,
    stopped: u64,
    stops: u64,
    interval_ms: u32,
    left: bool,
    run: u32,
}

impl Books {
    pub(super) fn new(members: usize, max_members: u64) -> Self {
        let nobody = Member { state: None, heard: 0, stopped: 0, stops: 0, interval_ms: 0, left: false, run: 0 };
        let counts = [0; HealthState::ALL.len()];
        let members = vec![nobody; members];
        Self { members, counts, max_members, stopped: 0, stops: 0, events: 0, failed: 0, digest: 0 }
    }

    pub(super) fn stopped(&mut self, time: u64) {
        self.stopped += time;
        self.stops += 1;
    }

    pub(super) fn is_known(&self, place: u32) -> bool {
        self.members[place as usize].left || self.members[place as usize].heard > 0
    }

    /// How long after its last beat a member is failed, in microseconds.
    pub(super) fn bound(&self, place: u32) -> u64 {
        Edges::of(self.members[place as usize].interval_ms).failed
    }

    /// A beat was not refused. The log has not been read since: what is known is what was known before.
    pub(super) fn took(
        &mut self,
        place: u32,
        outcome: Outcome,
        run: u32,
        leaves: bool,
        interval: u64,
        now: u64,
    ) -> Result<(), String> {
        let (stopped, stops) = (self.stopped, self.stops);
        let member = &mut self.members[place as usize];
        let expected = match (member.state, leaves) {
            (_, true) => Outcome::Left,
            (None, false) => Outcome::Registered,
            (Some(_), false) => Outcome::Fresh,
        };
        if outcome != expected {
            return Err(format!("I3: the beat of {place} is {outcome:?} where {expected:?} was expected"));
        }
        if member.state.is_none() && leaves {
            member.heard = 0;
            return Ok(());
        }
        let interval_ms = u32::try_from(interval / 1_000).expect("intervals are at most a minute");
        *member = Member { heard: now.max(1), stopped, stops, interval_ms, left: leaves, run, ..*member };
        Ok(())
    }

    /// A beat was refused for want of room.
    pub(super) fn refused(&mut self, place: u32) -> Result<(), String> {
        let alive = self.counts[0] + self.counts[1] + self.counts[2];
        if alive < self.max_members || self.members[place as usize].state.is_some() {
            return Err(format!("I7: {place} finds no room, though of {} only {alive} are alive", self.max_members));
        }
        self.members[place as usize].heard = 0;
        Ok(())
    }

    /// It should be failed by now, unless it was heard since or the registry was stopped.
    pub(super) fn verdict_is_due(&self, place: u32, heard: u64, now: u64, agenda: &mut Agenda) -> Result<(), String> {
        let member = &self.members[place as usize];
        if member.heard != heard.max(1) || member.left {
            return Ok(());
        }
        let least = (now - member.heard) - (self.stopped - member.stopped);
        let bound = self.bound(place) + TOLERANCE;
        if least <= bound {
            agenda.at(now + bound - least + SLOT, place, Task::Verdict(heard));
            return Ok(());
        }
        match member.state {
            Some(state) if state.is_online() => {
                Err(format!("I1: {place} is {state} at an age of {least} us, beyond {bound} us"))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn logged(&mut self, event: &Event, now: u64) -> Result<(), String> {
        self.events += 1;
        if event.n != self.events {
            return Err(format!("I4: event {} comes where {} was expected", event.n, self.events));
        }
        let mut hasher = DefaultHasher::new();
        (self.digest, event.n, event.at.as_nanosecond(), format!("{:?}", event.body)).hash(&mut hasher);
        self.digest = hasher.finish();
        let place = event.member.as_ref().and_then(|id| id.as_str().parse::<usize>().ok());
        let Some(place) = place else { return Ok(()) };
        match &event.body {
            EventBody::Registered {} => self.enter(place, None, Some(HealthState::Healthy)),
            EventBody::Forgotten { .. } => {
                let state = self.members[place].state;
                if state.is_some_and(HealthState::is_online) {
                    return Err(format!("I7: {place} is forgotten, though {state:?}"));
                }
                self.enter(place, state, None)?;
                self.members[place].heard = 0;
                self.members[place].left = false;
                Ok(())
            }
            EventBody::Transition { from, to, age_ms, credited_ms, .. } => {
                self.enter(place, Some(*from), Some(*to))?;
                if *to == HealthState::Failed || (*to > *from && *to != HealthState::Left) {
                    self.demoted(place, (*from, *to), age_ms * 1_000, credited_ms * 1_000, now)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn enter(&mut self, place: usize, from: Option<HealthState>, to: Option<HealthState>) -> Result<(), String> {
        let before = std::mem::replace(&mut self.members[place].state, to);
        if before != from {
            return Err(format!("I4: {place} goes from {from:?} to {to:?}, but was {before:?}"));
        }
        if let Some(before) = before {
            self.counts[before as usize] -= 1;
        }
        if let Some(to) = to {
            self.counts[to as usize] += 1;
        }
        Ok(())
    }

    fn demoted(
        &mut self,
        place: usize,
        (from, to): (HealthState, HealthState),
        age: u64,
        credited: u64,
        now: u64,
    ) -> Result<(), String> {
        let member = self.members[place];
        let (stopped, stops) = (self.stopped - member.stopped, self.stops - member.stops);
        let told = format!("{place} goes from {from} to {to} at an age of {age} us, {credited} us of them credited");
        if (now - member.heard).abs_diff(age) > TOLERANCE {
            return Err(format!("I2: {told}, but was heard {} us ago", now - member.heard));
        }
        if credited > stopped + TOLERANCE || credited + TOLERANCE + stops * OVERRUN < stopped {
            return Err(format!("I2: {told}, but the registry was stopped for {stopped} us since"));
        }
        let (edges, judged) = (Edges::of(member.interval_ms), age - credited.min(age));
        let earliest = match to {
            HealthState::Degraded => edges.degraded,
            HealthState::Critical => edges.critical,
            _ => edges.failed,
        };
        if judged + TOLERANCE < earliest {
            return Err(format!("I2: {told}, though a beat within {earliest} us is in time"));
        }
        if to == HealthState::Failed {
            self.failed += 1;
            if member.left || from == HealthState::Left {
                return Err(format!("I6: {told}, after the goodbye of its run {}", member.run));
            }
            if judged > edges.failed + TOLERANCE {
                return Err(format!("I1: {told}, later than {} us", edges.failed));
            }
        }
        Ok(())
    }

    pub(super) fn counted(&self, stats: &MemberStats) -> Result<(), String> {
        let told = [stats.healthy, stats.degraded, stats.critical, stats.failed, stats.left];
        if told != self.counts || stats.total != told.iter().sum::<u64>() {
            return Err(format!("I5: {stats:?}, but by the log {:?}", self.counts));
        }
        if stats.total > self.max_members {
            return Err(format!("I7: {} members, where {} fit", stats.total, self.max_members));
        }
        Ok(())
    }
}

/// The ages at which a member changes its state, in microseconds.
struct Edges {
    degraded: u64,
    critical: u64,
    failed: u64,
}

impl Edges {
    fn of(interval_ms: u32) -> Self {
        let policy = Policy::default().at(std::time::Duration::from_millis(interval_ms.into()));
        let [degraded, critical, failed] =
            [policy.degraded_after(), policy.critical_after(), policy.failed_after()].map(super::micros);
        Self { degraded, critical, failed }
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_registry::contract::{EventId, MemberId};

    use super::*;
    use HealthState::{Degraded, Failed, Healthy, Left};

    fn books() -> Books {
        let mut books = Books::new(2, 1);
        books.took(0, Outcome::Registered, 1, false, 1_000_000, 0).unwrap();
        books.log(EventBody::Registered {}, 0).unwrap();
        books
    }

    impl Books {
        fn log(&mut self, body: EventBody, now: u64) -> Result<(), String> {
            let n = self.events + 1;
            let (id, at) = (EventId { log: None, n }, jiff::Timestamp::UNIX_EPOCH);
            let member = Some(MemberId::new("0").unwrap());
            self.logged(&Event { id, n, at, kind: None, member, incarnation: None, body }, now)
        }

        fn turn(&mut self, from: HealthState, to: HealthState, age_ms: u64, now: u64) -> Result<(), String> {
            let (credited_ms, last_seen, cause, evidence, group) = (0, None, None, Vec::new(), None);
            self.log(EventBody::Transition { from, to, age_ms, credited_ms, last_seen, cause, evidence, group }, now)
        }
    }

    #[track_caller]
    fn breaks(promise: &str, done: Result<(), String>) {
        let broken = done.expect_err(promise);
        assert!(broken.starts_with(promise), "{broken}");
    }

    #[test]
    fn what_is_not_promised_is_found() {
        books().turn(Healthy, Degraded, 1_250, 1_250_000).unwrap();
        breaks("I2", books().turn(Healthy, Degraded, 1_200, 1_200_000));
        breaks("I2", books().turn(Healthy, Degraded, 1_250, 1_200_000));
        breaks("I4", books().turn(Degraded, Failed, 3_250, 3_250_001));
        breaks("I1", books().turn(Healthy, Failed, 3_300, 3_300_000));
        breaks("I1", books().verdict_is_due(0, 0, 3_270_000, &mut Agenda::default()));
        breaks("I3", books().took(0, Outcome::Duplicate, 1, false, 1_000_000, 1));
        breaks("I5", books().counted(&MemberStats::default()));
        breaks("I7", Books::new(1, 1).refused(0));
        let mut gap = books();
        let id = EventId { log: None, n: 3 };
        let body = EventBody::Superseded { newest_incarnation: 1 };
        let at = jiff::Timestamp::UNIX_EPOCH;
        breaks("I4", gap.logged(&Event { id, n: 3, at, kind: None, member: None, incarnation: None, body }, 1));
        let mut gone = books();
        gone.took(0, Outcome::Left, 1, true, 1_000_000, 1).unwrap();
        gone.turn(Healthy, Left, 0, 1).unwrap();
        breaks("I6", gone.turn(Left, Failed, 3_250, 3_250_001));
        let mut stopped = books();
        stopped.stopped(1_000_000);
        breaks("I2", stopped.turn(Healthy, Degraded, 1_250, 1_250_000));
        breaks("I7", books().log(EventBody::Forgotten { reason: heartbeat_registry::contract::ForgetReason::Room }, 1));
    }
}
