//! Members past their suspect edge, for whoever looks into why they are silent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use heartbeat_contract::{Kind, MemberId, ProbeStats, ProcessExit};
use tokio::sync::Notify;

use super::Engine;
use crate::core::{Finding, Found, KindIndex, Noticed, Now, Source};
use crate::lock::lock;

/// How many wait at most; beyond it the longest waiting is dropped, since its deadline is nearest or past.
const CAPACITY: usize = 1_024;

/// A bounded queue. Nobody's verdict ever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    queue: Mutex<VecDeque<Noticed>>,
    news: Notify,
    /// How many take them.
    takers: AtomicUsize,
    dropped: AtomicU64,
    probed: AtomicU64,
}

impl Suspects {
    pub(super) fn add(&self, suspects: Vec<Noticed>) {
        if suspects.is_empty() || self.takers.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        for suspect in suspects {
            if queue.len() == CAPACITY {
                queue.pop_front();
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            queue.push_back(suspect);
        }
        self.news.notify_one();
    }

    /// Begins or ceases to take them.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) fn want(&self, is_wanted: bool) {
        if is_wanted {
            self.takers.fetch_add(1, Ordering::AcqRel);
        } else if self.takers.fetch_sub(1, Ordering::AcqRel) == 1 {
            lock(&self.queue).clear();
        }
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// None is lost if the future is dropped.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) async fn next(&self) -> Noticed {
        loop {
            let next = lock(&self.queue).pop_front();
            if let Some(next) = next {
                return next;
            }
            self.news.notified().await;
        }
    }

    /// Counts one that was looked into.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) fn probed(&self) {
        self.probed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> ProbeStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProbeStats { done: read(&self.probed), dropped: read(&self.dropped) }
    }
}

impl Engine {
    /// A hive reports that processes of workers on its host ended.
    pub(super) fn ended(&self, hive: &MemberId, exits: &[ProcessExit], now: &Now) {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let Some(workers) = kinds.all().find_map(|(index, kind)| (*kind == Kind::WORKER).then_some(index)) else {
            return;
        };
        drop(kinds);
        for exit in exits {
            let finding = Finding { found: Found::Gone, at: now.at, words: format!("hive {hive} reports: {exit}") };
            let ended = exit.age_ms.map(|age| now.at.saturating_sub(age.saturating_mul(1000)));
            let source = Source::Hive { hive, incarnation: exit.incarnation, ended };
            self.found(workers, &exit.worker_id, source, finding);
        }
    }

    /// Something was found out about a member.
    pub(crate) fn found(&self, kind: KindIndex, id: &MemberId, source: Source<'_>, finding: Finding) {
        let key = self.key(kind, id);
        let mut table = self.table(key);
        let Some(slot) = table.find(key) else { return };
        let now = self.now();
        let mut facts = Vec::new();
        let due = table.found(slot, source, finding, &now, &mut facts);
        self.tell(facts, &now);
        drop(table);
        self.expect_by(due);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heartbeat_contract::{BeatInfo, Cause, HealthState, Policy, WorkerHeartbeat};

    use super::*;
    use crate::clock::ManualClock;
    use crate::config::FleetConfig;
    use crate::fleet::Fleet;
    use crate::registry::WorkerRegistry;

    const SECOND: u64 = 1_000_000;

    fn id(name: &str) -> MemberId {
        MemberId::new(name).unwrap()
    }

    /// A fleet whose suspects are wanted. Everyone beats each second, and fails after 3.25 s.
    struct World {
        clock: ManualClock,
        fleet: Fleet,
        workers: WorkerRegistry,
    }

    impl World {
        fn new() -> Self {
            let clock = ManualClock::new("2026-01-02T03:00:00Z".parse().unwrap());
            let config = FleetConfig { policy: Policy::every(Duration::from_secs(1)), ..FleetConfig::default() };
            let fleet = Fleet::new(config, clock.clone()).unwrap();
            let workers = WorkerRegistry::new(&fleet);
            fleet.engine.suspects.want(true);
            Self { clock, fleet, workers }
        }

        fn beat(&self, name: &str, seq: u64, change: impl FnOnce(&mut BeatInfo)) {
            let mut info = BeatInfo { incarnation: Some(5), seq: Some(seq), ..BeatInfo::default() };
            change(&mut info);
            let beat = WorkerHeartbeat { beat: Some(info), ..WorkerHeartbeat::new(id(name)) };
            self.workers.record(beat).unwrap();
        }

        /// Lets time go by up to so many microseconds from the beginning.
        fn pass_to(&self, micros: u64) {
            let until = Duration::from_micros(micros);
            while let Some(wake) = self.fleet.next_wake().filter(|wake| *wake <= until) {
                self.clock.advance_to(wake);
                self.fleet.sweep();
            }
            self.clock.advance_to(until);
        }

        /// Who became suspect since the last call: when each was heard, and when it is to fail.
        fn suspects(&self) -> Vec<(String, u64, u64)> {
            let taken: Vec<Noticed> = lock(&self.fleet.engine.suspects.queue).drain(..).collect();
            taken.into_iter().map(|one| (one.member.1.to_string(), one.heard, one.fails)).collect()
        }

        fn found(&self, source: Source<'_>, found: Found) {
            let now = self.fleet.engine.now();
            let finding = Finding { found, at: now.at, words: format!("{found:?}") };
            let workers = self.fleet.engine.kinds.read().unwrap().all().next().unwrap().0;
            self.fleet.engine.found(workers, &id("a"), source, finding);
        }

        fn cause(&self) -> Option<Cause> {
            self.workers.view(&id("a")).unwrap().cause
        }

        fn state(&self) -> HealthState {
            self.workers.health(&id("a")).unwrap()
        }
    }

    #[test]
    fn each_silence_is_noticed_once_at_the_suspect_edge() {
        let world = World::new();
        world.pass_to(SECOND);
        world.beat("a", 0, |_| ());
        world.pass_to(SECOND + 2_249_999);
        assert_eq!(world.suspects(), [], "degraded is not suspect");
        world.pass_to(SECOND + 2_250_000);
        assert_eq!(world.suspects(), [("a".to_owned(), SECOND, SECOND + 3_250_001)]);
        world.pass_to(10 * SECOND);
        assert_eq!(world.suspects(), []);
        world.beat("a", 1, |_| ());
        world.pass_to(13 * SECOND);
        assert_eq!(world.suspects(), [("a".to_owned(), 10 * SECOND, 13_250_001)]);
    }

    #[test]
    fn who_left_or_never_beat_is_no_suspect() {
        let world = World::new();
        world.workers.start_monitoring(&id("never"), Policy::every(Duration::from_secs(1))).unwrap();
        world.beat("left", 0, |_| ());
        world.beat("left", 1, |info| info.leaving = Some("done".to_owned()));
        world.pass_to(1_000 * SECOND);
        assert_eq!(world.suspects(), []);
    }

    #[test]
    fn a_member_that_answers_is_held_before_failed_for_one_interval() {
        let world = World::new();
        world.pass_to(SECOND);
        world.beat("a", 0, |_| ());
        world.pass_to(SECOND + 2_250_000);
        world.found(Source::Probe { heard: SECOND }, Found::Answers);
        world.pass_to(SECOND + 4_250_000);
        assert_eq!((world.state(), world.cause()), (HealthState::Critical, Some(Cause::Network)));
        world.pass_to(SECOND + 4_250_001);
        assert_eq!((world.state(), world.cause()), (HealthState::Failed, Some(Cause::Network)));
    }

    #[test]
    fn what_a_probe_found_is_about_the_silence_it_was_made_in() {
        let world = World::new();
        world.pass_to(SECOND);
        world.beat("a", 0, |_| ());
        world.pass_to(2 * SECOND);
        world.beat("a", 1, |_| ());
        world.pass_to(4 * SECOND + SECOND / 4);
        world.found(Source::Probe { heard: SECOND }, Found::Gone);
        assert_eq!(world.cause(), Some(Cause::Silent));
        world.found(Source::Probe { heard: 2 * SECOND }, Found::Hangs);
        assert_eq!(world.cause(), Some(Cause::Hung));
        world.found(Source::Probe { heard: 2 * SECOND }, Found::Gone);
        assert_eq!(world.cause(), Some(Cause::Hung), "one probe is enough");
        let hive = &id("h");
        world.found(Source::Hive { hive, incarnation: None, ended: None }, Found::Gone);
        assert_eq!(world.cause(), Some(Cause::Hung), "it does not live there");
    }

    #[test]
    fn a_hive_is_believed_of_the_run_that_ended_and_says_more_than_a_probe() {
        let (own, other) = (&id("h"), &id("other"));
        let gone = Some(Cause::ProcessDead);
        for (hive, incarnation, ended, cause) in [
            (own, None, None, gone),
            (own, Some(5), None, gone),
            (own, Some(4), None, Some(Cause::Hung)),
            (other, None, None, Some(Cause::Hung)),
            // Its last beat, at one second, may have been under way for an interval.
            (own, None, Some(0), gone),
            (own, None, Some(2 * SECOND), gone),
        ] {
            let world = World::new();
            world.pass_to(SECOND);
            world.beat("a", 0, |info| info.hive_id = Some(own.clone()));
            world.pass_to(3_250_000);
            world.found(Source::Probe { heard: SECOND }, Found::Hangs);
            world.found(Source::Hive { hive, incarnation, ended }, Found::Gone);
            assert_eq!(world.cause(), cause, "{hive}, {incarnation:?}, {ended:?}");
        }
        let world = World::new();
        world.pass_to(SECOND + 1);
        world.beat("a", 0, |info| info.hive_id = Some(own.clone()));
        world.pass_to(3_250_001);
        world.found(Source::Hive { hive: own, incarnation: None, ended: Some(0) }, Found::Gone);
        assert_eq!(world.cause(), Some(Cause::Silent), "it has beaten since");
    }
}
