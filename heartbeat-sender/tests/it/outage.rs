//! What an outage costs, and what follows it: by a paused clock, with the real loop.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heartbeat_contract::{Ack, WorkerHeartbeat};
use heartbeat_sender::{SendError, Transport, WorkerHeartbeatConfig, heartbeat_task, run};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::member::{S, granting, now, wall_clock, worker};

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

/// Knows how many bytes each thread holds.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        hold(layout.size().cast_signed());
        // SAFETY: the caller keeps what `GlobalAlloc` asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-layout.size().cast_signed());
        // SAFETY: the caller keeps what `GlobalAlloc` asks.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn hold(bytes: isize) {
    LIVE.with(|live| live.set(live.get() + bytes));
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A registry that is there or not.
#[derive(Clone)]
struct Registry(Arc<Seen>);

struct Seen {
    is_up: AtomicBool,
    asked: AtomicU64,
    took: AtomicU64,
    depth: AtomicU32,
}

impl Registry {
    fn up() -> Self {
        let (asked, took, depth) = Default::default();
        Self(Arc::new(Seen { is_up: AtomicBool::new(true), asked, took, depth }))
    }
}

impl Transport<WorkerHeartbeat> for Registry {
    async fn send(&self, beat: WorkerHeartbeat) -> Result<Ack, SendError> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        if !self.0.is_up.load(Ordering::Relaxed) {
            return Err(SendError::connect("the registry", "it is down"));
        }
        self.0.took.fetch_add(1, Ordering::Relaxed);
        self.0.depth.store(beat.queue_depth.unwrap_or_default(), Ordering::Relaxed);
        Ok(granting(30 * S))
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_without_registry_leaves_memory_flat_and_ends_with_one_beat_of_the_newest_state_within_an_interval() {
    let registry = Registry::up();
    let (handle, task) = heartbeat_task(worker()).unwrap();
    let beating = tokio::spawn(run(task, registry.clone(), wall_clock, std::future::pending()));
    tokio::time::sleep(100 * S).await;
    let Seen { is_up, asked, took, depth } = &*registry.0;

    is_up.store(false, Ordering::Relaxed);
    let asked_before = asked.load(Ordering::Relaxed);
    let mut held = Vec::with_capacity(24);
    for minute in 1..=24 * 60 {
        handle.update(|worker| worker.queue_depth = Some(minute));
        tokio::time::sleep(60 * S).await;
        if minute % 60 == 0 {
            held.push(LIVE.with(Cell::get));
        }
    }
    assert!(held.iter().all(|bytes| *bytes == held[0]), "bytes held after each hour: {held:?}");
    assert_eq!(asked.load(Ordering::Relaxed) - asked_before, 24 * 120 + 2, "once per slot, and twice at the first");
    assert_eq!(handle.counters().consecutive_failures, 24 * 120);

    is_up.store(true, Ordering::Relaxed);
    let took_before = took.load(Ordering::Relaxed);
    tokio::time::sleep(30 * S).await;
    assert_eq!(took.load(Ordering::Relaxed) - took_before, 1);
    assert_eq!(depth.load(Ordering::Relaxed), 24 * 60);
    beating.abort();
}

/// One of the registries of a fleet: who asked it when.
#[derive(Clone)]
struct Busy {
    is_up: Arc<AtomicBool>,
    began: Instant,
    /// How often it was asked in each half of a second since it began.
    asked: Arc<Mutex<Vec<u32>>>,
    fallbacks: Vec<Self>,
}

const FLEET: u32 = 10_000;
const INTERVAL: u32 = 30;

impl Busy {
    fn up() -> Self {
        Self { is_up: Arc::new(AtomicBool::new(true)), began: now(), asked: Arc::default(), fallbacks: Vec::new() }
    }

    fn half_seconds(&self) -> usize {
        usize::try_from((now() - self.began).as_millis() / 500).unwrap()
    }

    /// Goes away for a while.
    async fn is_away_for(&self, duration: Duration) {
        self.is_up.store(false, Ordering::Relaxed);
        tokio::time::sleep(duration).await;
        self.is_up.store(true, Ordering::Relaxed);
    }

    /// The most that it was asked in any second since then.
    fn peak_since(&self, half_second: usize) -> u32 {
        let asked = self.asked.lock().unwrap();
        let seconds = asked.get(half_second..).unwrap_or_default().windows(2);
        seconds.map(|halves| halves.iter().sum()).max().unwrap_or(0)
    }
}

impl Transport<WorkerHeartbeat> for Busy {
    async fn send(&self, _: WorkerHeartbeat) -> Result<Ack, SendError> {
        let at = self.half_seconds();
        {
            let mut asked = self.asked.lock().unwrap();
            let length = asked.len().max(at + 1);
            asked.resize(length, 0);
            asked[at] += 1;
        }
        match self.is_up.load(Ordering::Relaxed) {
            true => Ok(granting(INTERVAL * S)),
            false => Err(SendError::connect("the registry", "it is down")),
        }
    }

    fn fallbacks(&self) -> &[Self] {
        &self.fallbacks
    }
}

/// Starts a fleet at once, and waits until it is steady.
async fn fleet(registry: &Busy) -> JoinSet<()> {
    let mut fleet = JoinSet::new();
    for member in 0..FLEET {
        let (_, task) = heartbeat_task(WorkerHeartbeatConfig::in_process(format!("worker-{member}"))).unwrap();
        let beats = run(task, registry.clone(), wall_clock, std::future::pending());
        fleet.spawn(async move { drop(beats.await) });
    }
    tokio::time::sleep(2 * S).await;
    fleet
}

/// In any second. That of a fleet that is spread evenly, which is the same as a thirtieth of it.
const TWICE_THE_STEADY_RATE: u32 = 2 * FLEET / INTERVAL;

#[tokio::test(start_paused = true)]
async fn ten_thousand_senders_that_lost_their_registry_return_at_twice_their_steady_rate_at_most() {
    let registry = Busy::up();
    let _fleet = fleet(&registry).await;
    let steady = registry.half_seconds();
    tokio::time::sleep(INTERVAL * S).await;
    assert!(registry.peak_since(steady) <= TWICE_THE_STEADY_RATE, "a fleet that was started at once");
    // Some of them, most of them, each of them has missed a beat; the last but one is when the most are about to retry.
    for outage in [S, 5 * S, 29 * S, 90 * S] {
        registry.is_away_for(outage).await;
        let returned = registry.half_seconds();
        tokio::time::sleep((INTERVAL + 5) * S).await;
        let peak = registry.peak_since(returned);
        assert!(peak <= TWICE_THE_STEADY_RATE, "{peak} a second after an outage of {outage:?}");
        assert!(peak > FLEET / INTERVAL, "they have returned");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_senders_fail_over_and_return_at_twice_their_steady_rate_at_most() {
    let second = Busy::up();
    let first = Busy { fallbacks: vec![second.clone()], ..Busy::up() };
    let _fleet = fleet(&first).await;
    first.is_away_for(100 * S).await;
    let returned = first.half_seconds();
    tokio::time::sleep(120 * S).await;
    let peaks = [second.peak_since(0), first.peak_since(returned)];
    assert!(peaks.iter().all(|peak| (1..=TWICE_THE_STEADY_RATE).contains(peak)), "{peaks:?} a second");
    let moved = second.half_seconds();
    tokio::time::sleep(INTERVAL * S).await;
    assert_eq!(second.peak_since(moved), 0, "all are back at the registry that they prefer");
}
