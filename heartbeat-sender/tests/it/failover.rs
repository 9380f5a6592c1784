//! Which of several registries beats go to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartbeat_contract::{Ack, Problem, ProblemType, WorkerHeartbeat};
use heartbeat_sender::{HeartbeatHandle, Outcome, SendError, Transport, WorkerHeartbeatConfig, heartbeat_task, run};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::member::{S, expect_at, granting, now, stale, wall_clock, worker};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mood {
    Takes,
    IsDown,
    Hangs,
    Refuses(ProblemType),
    /// Knows a newer run.
    Disowns(u64),
}

/// Where beats went: to which registry, with which number, and when.
type Went = (usize, u64, Instant);

/// One registry of several, and what all of them saw.
struct Place {
    name: usize,
    moods: Arc<Mutex<Vec<Mood>>>,
    went: Arc<Mutex<Vec<Went>>>,
    fallbacks: Vec<Self>,
}

impl Transport<WorkerHeartbeat> for Place {
    async fn send(&self, beat: WorkerHeartbeat) -> Result<Ack, SendError> {
        let seq = beat.beat.unwrap().seq.unwrap();
        self.went.lock().unwrap().push((self.name, seq, now()));
        let mood = self.moods.lock().unwrap()[self.name];
        match mood {
            Mood::Takes => Ok(granting(30 * S)),
            Mood::IsDown => Err(SendError::connect("a registry", "it is down")),
            Mood::Hangs => std::future::pending().await,
            Mood::Refuses(problem) => Err(SendError::refused(Problem::new(problem, ""))),
            Mood::Disowns(newest) => Err(SendError::refused(stale(newest))),
        }
    }

    fn fallbacks(&self) -> &[Self] {
        &self.fallbacks
    }
}

/// A worker with several registries, all of which take beats at first.
struct World {
    moods: Arc<Mutex<Vec<Mood>>>,
    went: Arc<Mutex<Vec<Went>>>,
    handle: HeartbeatHandle<WorkerHeartbeat>,
    run: JoinHandle<Outcome>,
    /// When the beat for slot 0 went out, to the first registry.
    slot: Instant,
}

impl World {
    /// Two beats have been taken by the first registry: the second, for slot 0, just now.
    async fn with(registries: usize) -> Self {
        Self::of(worker(), registries).await
    }

    async fn of(config: WorkerHeartbeatConfig, registries: usize) -> Self {
        let moods = Arc::new(Mutex::new(vec![Mood::Takes; registries]));
        let went: Arc<Mutex<Vec<Went>>> = Arc::default();
        let place = |name, fallbacks| Place { name, moods: Arc::clone(&moods), went: Arc::clone(&went), fallbacks };
        let first = place(0, (1..registries).map(|name| place(name, Vec::new())).collect());
        let (handle, task) = heartbeat_task(config).unwrap();
        let run = tokio::spawn(run(task, first, wall_clock, std::future::pending()));
        loop {
            tokio::time::sleep(S / 100).await;
            let so_far = went.lock().unwrap().clone();
            if let [_, (0, 1, slot)] = so_far[..] {
                went.lock().unwrap().clear();
                return Self { moods, went, handle, run, slot };
            }
        }
    }

    fn set(&self, registry: usize, mood: Mood) {
        self.moods.lock().unwrap()[registry] = mood;
    }

    /// Where beats went since this was last asked.
    fn went(&self) -> Vec<Went> {
        std::mem::take(&mut *self.went.lock().unwrap())
    }

    async fn went_in(&self, duration: Duration) -> Vec<(usize, u64)> {
        tokio::time::sleep(duration).await;
        self.went().into_iter().map(|(registry, seq, _)| (registry, seq)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_beat_that_one_registry_misses_goes_to_the_next_at_once_and_so_do_those_that_follow() {
    let world = World::with(3).await;
    world.set(0, Mood::IsDown);
    world.set(1, Mood::IsDown);
    tokio::time::sleep(31 * S).await;
    let went = world.went();
    let [(0, 2, first), (1, 2, second), (2, 2, third)] = went[..] else { panic!("{went:?}") };
    assert_eq!((first, second), (third, third));
    expect_at(first, world.slot + 30 * S);
    assert!(matches!(world.handle.outcomes().latest(), Outcome::Acknowledged { seq: 2, .. }), "no beat has failed");
    assert_eq!(world.went_in(30 * S).await, [(2, 3)], "and stay there");
    world.set(2, Mood::IsDown);
    world.set(0, Mood::Takes);
    assert_eq!(world.went_in(30 * S).await, [(2, 4), (0, 4)], "until that one fails");
    let counters = world.handle.counters();
    assert_eq!((counters.failovers, counters.failed.connect, counters.acknowledged), (2, 3, 5));
}

#[tokio::test(start_paused = true)]
async fn beats_return_to_the_preferred_registry_about_a_minute_after_it_was_lost_once_it_takes_one() {
    let world = World::with(2).await;
    world.set(0, Mood::IsDown);
    assert_eq!(world.went_in(31 * S).await, [(0, 2), (1, 2)]);
    // The next slots are 30 s and 60 s later, of which the latter may be the one; the one after it must be.
    let tried = world.went_in(90 * S).await;
    let beats: Vec<_> = tried.iter().filter(|(registry, _)| *registry == 1).collect();
    assert_eq!(beats, [&(1, 3), &(1, 4), &(1, 5)], "each beat goes where the last one was taken");
    let trials: Vec<_> = tried.iter().filter(|(registry, _)| *registry == 0).collect();
    assert!(matches!(trials[..], [(0, 4 | 5)]), "and one of them is also tried there: {tried:?}");
    world.set(0, Mood::Takes);
    let returned = world.went_in(120 * S).await;
    assert!(returned.contains(&(1, 6)) && returned.ends_with(&[(0, 8), (0, 9)]), "{returned:?}");
}

#[tokio::test(start_paused = true)]
async fn trying_a_preferred_registry_that_hangs_delays_neither_a_beat_nor_news() {
    let world = World::with(2).await;
    world.set(0, Mood::Hangs);
    tokio::time::sleep(600 * S).await;
    let taken: Vec<_> = world.went().into_iter().filter(|(registry, ..)| *registry == 1).collect();
    for (slot, (_, seq, at)) in (1..).zip(&taken) {
        assert_eq!(*seq, u64::from(slot) + 1);
        let waited = if slot == 1 { 5 * S } else { Duration::ZERO };
        expect_at(*at, world.slot + 30 * S * slot + waited);
    }
    assert_eq!(taken.len(), 20);

    loop {
        tokio::time::sleep(S / 10).await;
        if let [.., (0, _, _)] = world.went()[..] {
            break;
        }
    }
    world.handle.beat_now();
    let asked = now();
    tokio::time::sleep(S / 10).await;
    let went = world.went();
    assert!(matches!(went[..], [(1, _, at), ..] if at == asked), "{went:?}");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_hangs_for_a_whole_interval_is_not_the_next_ones_first() {
    let mut config = worker();
    config.request_timeout = Some(config.interval);
    let world = World::of(config, 2).await;
    world.set(0, Mood::Hangs);
    assert_eq!(world.went_in(31 * S).await, [(0, 2)]);
    assert_eq!(world.went_in(30 * S).await, [(1, 3)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_beat_is_not_told_to_every_registry() {
    let world = World::with(2).await;
    world.set(0, Mood::Refuses(ProblemType::InvalidPayload));
    assert_eq!(world.went_in(31 * S).await, [(0, 2)]);
    world.set(0, Mood::Refuses(ProblemType::Forbidden));
    assert_eq!(world.went_in(30 * S).await, [(0, 3), (1, 3)], "but another one may know us");
}

#[tokio::test(start_paused = true)]
async fn without_any_registry_each_slot_tries_each_of_them_once() {
    let world = World::with(2).await;
    world.set(0, Mood::IsDown);
    world.set(1, Mood::IsDown);
    let first = world.went_in(32 * S).await;
    assert_eq!(first, [(0, 2), (1, 2), (0, 2), (1, 2), (0, 2), (1, 2)], "and twice more at first");
    assert_eq!(world.went_in(30 * S).await, [(0, 3), (1, 3)]);
    assert_eq!(world.handle.counters().retries, 2);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_goes_to_whichever_registry_takes_it() {
    let world = World::with(2).await;
    world.set(0, Mood::IsDown);
    let end = world.handle.clone().shutdown().await;
    assert!(matches!(end, Outcome::Left { acknowledged: true, .. }), "{end:?}");
    assert!(matches!(world.went()[..], [(0, 2, _), (1, 2, _)]));
}

#[tokio::test(start_paused = true)]
async fn a_run_accepted_anywhere_is_superseded_wherever_a_newer_one_is_known() {
    let world = World::with(2).await;
    world.set(0, Mood::IsDown);
    let newest = crate::member::STARTED + 7;
    world.set(1, Mood::Disowns(newest));
    tokio::time::sleep(31 * S).await;
    assert!(matches!(world.run.await.unwrap(), Outcome::Superseded { newest: known } if known == newest));
}
