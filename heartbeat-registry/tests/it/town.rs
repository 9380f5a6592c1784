//! Many hosts in several zones, each with a hive and its workers, whose time is arithmetic.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_registry::contract::{
    Event, EventBody, HealthState, HiveHeartbeat, Policy, ProtectionEnd, WorkerHeartbeat, Zone,
};
use heartbeat_registry::{Clock, FleetConfig, HiveRegistry};

use crate::world::{World, every, id, millis, plain, with};

/// How finely time passes: every beat falls on one of these.
const STEP: Duration = Duration::from_millis(100);

/// A place to live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) zone: u32,
    pub(crate) host: u32,
}

impl Place {
    pub(crate) fn hive(self) -> String {
        format!("hive-{}-{}", self.zone, self.host)
    }

    pub(crate) fn worker(self, n: u32) -> String {
        format!("worker-{}-{}-{n}", self.zone, self.host)
    }
}

pub(crate) struct Town {
    pub(crate) world: World,
    pub(crate) hives: HiveRegistry,
    pub(crate) places: Vec<Place>,
    pub(crate) interval: Duration,
    workers: u32,
}

impl Town {
    /// Five zones of four hosts, each with a hive and two workers; everyone has beaten for a while.
    pub(crate) fn five_zones() -> Self {
        let mut town = Self::new(5, 4, 2, Duration::from_secs(5));
        town.settle();
        town
    }

    /// Everyone beats at the same interval, each with a phase of its own.
    pub(crate) fn new(zones: u32, hosts: u32, workers: u32, interval: Duration) -> Self {
        let world = World::with(FleetConfig { policy: Policy::every(interval), ..FleetConfig::default() });
        let hives = HiveRegistry::new(&world.fleet);
        let places = (0..zones).flat_map(|zone| (0..hosts).map(move |host| Place { zone, host })).collect();
        Self { world, hives, places, interval, workers }
    }

    /// Lets time pass; only those beat that `beats` says: a place, and a worker there or its hive.
    pub(crate) fn pass(&self, time: Duration, beats: impl Fn(Place, Option<u32>) -> bool) {
        let until = self.world.clock.monotonic() + time;
        while self.world.clock.monotonic() < until {
            for (n, place) in self.places.iter().enumerate() {
                for member in std::iter::once(None).chain((0..self.workers).map(Some)) {
                    let phase = n as u32 * 7 + member.map_or(0, |worker| 3 + worker * 11);
                    if self.is_due(phase) && beats(*place, member) {
                        self.beat(*place, member);
                    }
                }
            }
            self.world.pass(STEP);
        }
    }

    /// Everyone beats.
    pub(crate) fn settle(&mut self) {
        self.pass(self.interval * 3, |_, _| true);
        self.world.events();
    }

    fn is_due(&self, phase: u32) -> bool {
        let steps = |time: Duration| u32::try_from(time.as_millis() / STEP.as_millis()).unwrap();
        (steps(self.world.clock.monotonic()) + phase).is_multiple_of(steps(self.interval))
    }

    pub(crate) fn beat(&self, place: Place, worker: Option<u32>) {
        let zone = Zone::new(format!("zone-{}", place.zone)).unwrap();
        match worker {
            None => {
                let mut hive = HiveHeartbeat::new(id(&place.hive()));
                let info = hive.beat.get_or_insert_default();
                info.zone = Some(zone);
                info.interval_ms = Some(self.interval.as_millis().try_into().unwrap());
                self.hives.record(hive).unwrap();
            }
            Some(n) => {
                self.world.accept(self.worker(place, n));
            }
        }
    }

    pub(crate) fn worker(&self, place: Place, n: u32) -> WorkerHeartbeat {
        let beat = every(plain(&place.worker(n)), self.interval);
        with(beat, |info| {
            info.zone = Some(Zone::new(format!("zone-{}", place.zone)).unwrap());
            info.hive_id = Some(id(&place.hive()));
        })
    }

    pub(crate) fn events(&mut self) -> Happened {
        Happened(self.world.events())
    }

    /// The deadline of everyone.
    pub(crate) fn deadline(&self) -> Duration {
        self.interval * 3 + (self.interval / 4).min(millis(5_000))
    }
}

/// What happened, and questions about it.
pub(crate) struct Happened(pub(crate) Vec<Event>);

impl Happened {
    /// Who failed, with the age in virtual milliseconds and the group.
    pub(crate) fn failed(&self) -> BTreeMap<String, (u64, Option<u64>)> {
        let failed = self.0.iter().filter_map(|event| match &event.body {
            EventBody::Transition { to: HealthState::Failed, age_ms, credited_ms, group, .. } => {
                Some((event.member.clone()?.to_string(), (age_ms - credited_ms, *group)))
            }
            _ => None,
        });
        failed.collect()
    }

    /// The zones whose protection began, and those whose ended.
    pub(crate) fn protections(&self) -> (Vec<&str>, Vec<&str>) {
        let of = |which: bool| {
            let zones = self.0.iter().filter_map(move |event| match &event.body {
                EventBody::Protection { zone, active, .. } if *active == which => Some(zone.as_str()),
                _ => None,
            });
            zones.collect()
        };
        (of(true), of(false))
    }

    /// Why protections ended.
    pub(crate) fn ends(&self) -> Vec<ProtectionEnd> {
        let ends = self.0.iter().filter_map(|event| match &event.body {
            EventBody::Protection { ended, .. } => *ended,
            _ => None,
        });
        ends.collect()
    }

    pub(crate) fn hosts_down(&self) -> Vec<&Event> {
        self.0.iter().filter(|event| matches!(event.body, EventBody::HostDown { .. })).collect()
    }
}
