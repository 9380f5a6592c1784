//! A fleet whose time is arithmetic.

use std::time::Duration;

use heartbeat_registry::contract::{
    BeatInfo, Event, EventBody, EventId, HealthState, HealthStatus, MemberId, Policy, WorkerHeartbeat,
};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock, RecordError, Recorded, WorkerRegistry};

pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) fleet: Fleet,
    pub(crate) workers: WorkerRegistry,
    read: u64,
}

/// The wall clock at the beginning of every world.
pub(crate) fn dawn() -> jiff::Timestamp {
    "2026-01-02T03:00:00Z".parse().unwrap()
}

pub(crate) fn id(name: &str) -> MemberId {
    MemberId::new(name).unwrap()
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A beat without order.
pub(crate) fn plain(name: &str) -> WorkerHeartbeat {
    WorkerHeartbeat::new(id(name))
}

/// A beat of a run, without an interval of its own.
pub(crate) fn beat(name: &str, incarnation: u64, seq: u64) -> WorkerHeartbeat {
    with(plain(name), |info| {
        info.incarnation = Some(incarnation);
        info.seq = Some(seq);
    })
}

pub(crate) fn with(mut beat: WorkerHeartbeat, change: impl FnOnce(&mut BeatInfo)) -> WorkerHeartbeat {
    change(beat.beat.get_or_insert_default());
    beat
}

pub(crate) fn every(beat: WorkerHeartbeat, interval: Duration) -> WorkerHeartbeat {
    with(beat, |info| info.interval_ms = Some(interval.as_millis().try_into().unwrap()))
}

pub(crate) fn goodbye(beat: WorkerHeartbeat) -> WorkerHeartbeat {
    with(beat, |info| info.leaving = Some("shutdown".to_owned()))
}

pub(crate) fn feeling(beat: WorkerHeartbeat, health: HealthStatus) -> WorkerHeartbeat {
    WorkerHeartbeat { health_status: Some(health), ..beat }
}

impl World {
    /// Everyone beats every second unless they say otherwise: degraded after 1.25 s, critical after 2.25 s, failed after
    /// 3.25 s.
    pub(crate) fn new() -> Self {
        Self::with(FleetConfig { policy: Policy::every(secs(1)), ..FleetConfig::default() })
    }

    pub(crate) fn with(config: FleetConfig) -> Self {
        let clock = ManualClock::new(dawn());
        let fleet = Fleet::new(FleetConfig { seed: Some(7), ..config }, clock.clone()).unwrap();
        let workers = WorkerRegistry::new(&fleet);
        Self { clock, fleet, workers, read: 0 }
    }

    pub(crate) fn record(&self, beat: WorkerHeartbeat) -> Result<Recorded, RecordError> {
        self.workers.record(beat)
    }

    #[track_caller]
    pub(crate) fn accept(&self, beat: WorkerHeartbeat) -> Recorded {
        self.record(beat).unwrap()
    }

    /// Lets time pass, with a driver that always wakes in time.
    pub(crate) fn pass(&self, time: Duration) {
        use heartbeat_registry::Clock;
        let until = self.clock.monotonic() + time;
        while let Some(wake) = self.fleet.next_wake().filter(|wake| *wake <= until) {
            self.clock.advance_to(wake);
            self.fleet.sweep();
            let next = self.fleet.next_wake();
            assert!(next.is_none_or(|next| next > self.clock.monotonic()), "the sweep at {wake:?} left something due");
        }
        self.clock.advance_to(until);
    }

    /// Lets time pass, with the whole process stopped.
    pub(crate) fn stall(&self, time: Duration) {
        self.clock.advance(time);
        self.fleet.sweep();
    }

    pub(crate) fn state(&self, name: &str) -> HealthState {
        self.workers.health(&id(name)).unwrap()
    }

    /// The events since the last call.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        let page = self.fleet.events(Some(&EventId { log: None, n: self.read }), usize::MAX);
        assert!(!page.reset);
        self.read = page.next - 1;
        page.events
    }

    /// The transitions since the last call, as `from -> to`.
    pub(crate) fn transitions(&mut self) -> Vec<String> {
        let arrow = |event: Event| match event.body {
            EventBody::Transition { from, to, .. } => Some(format!("{from} -> {to}")),
            _ => None,
        };
        self.events().into_iter().filter_map(arrow).collect()
    }
}
