//! The members: what each of them does next, drawn from the seed.

use heartbeat_registry::contract::{BeatInfo, MemberId, WorkerHeartbeat};
use heartbeat_registry::{Outcome, RecordError, WorkerRegistry};

use super::agenda::{Agenda, Task};
use super::books::Books;

const SECOND: u64 = 1_000_000;
/// Which intervals are declared, in seconds, and by how many of 1,000 members.
const INTERVALS: [(u64, u32); 4] = [(60, 960), (30, 34), (10, 5), (1, 1)];
/// Of how many beats one is followed by a crash, a goodbye, a pause, or comes again.
const CRASH: u32 = 1_000;
const GOODBYE: u32 = 4_000;
const PAUSE: u32 = 1_000;
const AGAIN: u32 = 1_000;

pub(super) struct Crowd {
    pub(super) members: Vec<Member>,
    pub(super) beats: u64,
    rng: fastrand::Rng,
}

pub(super) struct Member {
    id: MemberId,
    /// In microseconds.
    interval: u64,
    /// Counts its runs, from 1.
    run: u32,
    seq: u64,
}

impl Crowd {
    pub(super) fn begin(members: u32, seed: u64, agenda: &mut Agenda) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut crowd = Vec::new();
        for n in 0..members {
            let mut share = rng.u32(0..1_000);
            let interval = INTERVALS.iter().find(|(_, of)| {
                let is_it = share < *of;
                share = share.saturating_sub(*of);
                is_it
            });
            let interval = interval.map_or(60, |(seconds, _)| *seconds) * SECOND;
            let id = MemberId::new(format!("{n}")).expect("digits make an id");
            crowd.push(Member { id, interval, run: 0, seq: 0 });
            agenda.at(rng.u64(0..60 * SECOND), n, Task::Start);
        }
        agenda.at(600 * SECOND, 0, Task::Stall);
        Self { members: crowd, beats: 0, rng }
    }

    /// For how long the registry is stopped, and after what time it is again.
    pub(super) fn draw_stall(&mut self) -> (u64, u64) {
        (self.rng.u64(SECOND / 2..120 * SECOND), self.rng.u64(300 * SECOND..3_600 * SECOND))
    }

    /// Does what was due at one time, at another, and returns the number of the newest event.
    pub(super) fn act(
        &mut self,
        (place, task): (u32, Task),
        due: u64,
        now: u64,
        workers: &WorkerRegistry,
        agenda: &mut Agenda,
        books: &mut Books,
    ) -> Result<Option<u64>, String> {
        let member = &mut self.members[place as usize];
        match task {
            Task::Start => (member.run, member.seq) = (member.run + 1, 0),
            Task::Beat(run) if run == member.run => {}
            _ => return Ok(None),
        }
        let (run, mut interval) = (member.run, member.interval);
        let says_goodbye = self.rng.u32(0..GOODBYE) == 0;
        let beat = member.beat(says_goodbye);
        member.seq += 1;
        self.beats += 1;
        let again = (self.rng.u32(0..AGAIN) == 0).then(|| beat.clone());
        let mut last_event = None;
        match workers.record(beat) {
            Ok(recorded) => {
                last_event = Some(recorded.last_event);
                interval = super::micros(recorded.next_in);
                books.took(place, recorded.outcome, run, says_goodbye, interval, now)?;
            }
            // There is no room; it tries again with its next beat.
            Err(RecordError::TooManyMembers { .. }) => books.refused(place)?,
            Err(error) => return Err(format!("a proper beat of {place} is refused: {error}")),
        }
        if let Some(again) = again
            && books.is_known(place)
        {
            match workers.record(again) {
                Ok(recorded) if recorded.outcome == Outcome::Duplicate => {}
                other => return Err(format!("I3: a beat of {place} that comes again is {other:?}")),
            }
        }
        let later = self.rng.u64(10 * SECOND..3_600 * SECOND);
        if says_goodbye {
            agenda.at(now + later, place, Task::Start);
        } else if self.rng.u32(0..CRASH) == 0 {
            agenda.at(now + later, place, Task::Start);
            agenda.at(now + books.bound(place), place, Task::Verdict(now));
        } else if self.rng.u32(0..PAUSE) == 0 {
            agenda.at(now + later, place, Task::Beat(run));
            agenda.at(now + books.bound(place), place, Task::Verdict(now));
        } else {
            // It keeps to its slots, also when the registry was stopped.
            let missed = (now - due) / interval;
            agenda.at(due + (missed + 1) * interval, place, Task::Beat(run));
        }
        Ok(last_event)
    }
}

impl Member {
    fn beat(&self, says_goodbye: bool) -> WorkerHeartbeat {
        let mut beat = WorkerHeartbeat::new(self.id.clone());
        beat.beat = Some(BeatInfo {
            incarnation: Some(self.run.into()),
            seq: Some(self.seq),
            interval_ms: Some(self.interval / 1_000),
            leaving: says_goodbye.then(|| "done".to_owned()),
            ..BeatInfo::default()
        });
        beat
    }
}
