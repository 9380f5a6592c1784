//! What is known of one member, in two halves: what each beat and sweep touches, and the rest.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{
    BeatInfo, Exit, HealthState, HealthStatus, MemberId, Order, Payload, Policy, ResolvedPolicy, WorkerStatus, Zone,
};
use jiff::Timestamp;

use super::adaptive::Arrivals;
use super::availability::Absences;
use super::detector::Edges;
use super::directives::Asked;
use super::finding::Finding;
use super::flapping::Flaps;
use super::hold::Hold;
use super::host::{Host, HostKey};
use super::identity::Replaced;
use super::lag::Lag;
use super::loss::Received;
use super::now::Now;
use super::origin::Origin;
use super::wheel::Node;
use super::work::Work;

/// Which kind a member is of, by the fleet's own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct KindIndex(pub(crate) u8);

/// Names one member of all kinds, with the hash of that name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) hash: u64,
    pub(crate) kind: KindIndex,
    pub(crate) id: &'a MemberId,
}

/// What a typed registry keeps with a member: its newest payload and its history.
pub(crate) type Attachment = Box<dyn Any + Send + Sync>;

/// What a beat tells of its member, whatever its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat<'a> {
    pub(crate) info: Option<&'a BeatInfo>,
    pub(crate) report: HealthStatus,
    pub(crate) hive_id: Option<&'a MemberId>,
    pub(crate) timestamp: Option<Timestamp>,
    /// Whether it says that it takes no new work.
    pub(crate) draining: bool,
    pub(crate) origin: Origin,
}

impl<'a> Beat<'a> {
    pub(crate) fn of<P: Payload>(payload: &'a P, origin: Origin) -> Self {
        Self {
            info: payload.beat(),
            report: payload.self_report().unwrap_or_default(),
            hive_id: payload.hive_id(),
            timestamp: payload.timestamp(),
            draining: payload.status() == Some(WorkerStatus::Draining.as_str()),
            origin,
        }
    }

    pub(crate) fn order(&self) -> Option<Order> {
        self.info?.order()
    }

    pub(crate) fn leaving(&self) -> Option<&str> {
        self.info?.leaving.as_deref()
    }

    /// How its process ended, if it is the last of a run that ended so.
    pub(crate) fn exit(&self) -> Option<Exit> {
        self.info?.exit
    }

    /// How long the sender's machine slept before it, in milliseconds, if it did.
    pub(super) fn slept_ms(&self) -> Option<u64> {
        self.info?.slept_ms.filter(|slept| *slept > 0)
    }

    /// The declared interval, else the default one.
    pub(crate) fn declared(&self) -> Duration {
        self.info.and_then(BeatInfo::interval).unwrap_or(Policy::DEFAULT_INTERVAL)
    }

    /// The declared interval in milliseconds.
    pub(super) fn declared_ms(&self) -> Option<u32> {
        let interval = self.info?.interval_ms?;
        Some(u32::try_from(interval).expect("a validated interval is at most 24 h"))
    }
}

const ORDERED: u8 = 1;
const BEATEN: u8 = 2;
/// An ordered run is known, be it of an earlier life.
const MARKED: u8 = 4;
/// That run said goodbye.
const MARK_LEFT: u8 = 8;
/// It is past its suspect edge, and that was noticed.
const SUSPECT: u8 = 16;

/// The half that beats and sweeps touch: one cache line.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Hot {
    pub(super) node: Node,
    /// Virtual time of the last beat, or of the start of monitoring.
    pub(super) heard: u64,
    /// Monotonic time of the same.
    pub(super) heard_mono: u64,
    incarnation: u64,
    seq: u64,
    /// The interval it is judged by, in milliseconds.
    pub(super) interval_ms: u32,
    pub(super) allowance_ms: u32,
    pub(super) threshold: u8,
    pub(super) state: HealthState,
    pub(super) report: HealthStatus,
    /// The state that lasts, however fresh the beats, until enough of them came in a row.
    pub(super) floor: HealthState,
    /// How many came in a row.
    pub(super) recovered: u8,
    flags: u8,
}

impl AsMut<Node> for Hot {
    fn as_mut(&mut self) -> &mut Node {
        &mut self.node
    }
}

impl Hot {
    pub(super) fn new(now: &Now) -> Self {
        Self {
            node: Node::new(),
            heard: now.at,
            heard_mono: now.mono,
            incarnation: 0,
            seq: 0,
            interval_ms: 0,
            allowance_ms: 0,
            threshold: 0,
            state: HealthState::Healthy,
            report: HealthStatus::Healthy,
            floor: HealthState::Healthy,
            recovered: 0,
            flags: 0,
        }
    }

    pub(crate) fn has_beaten(&self) -> bool {
        self.flags & BEATEN != 0
    }

    pub(crate) fn order(&self) -> Option<Order> {
        (self.flags & ORDERED != 0).then_some(Order { incarnation: self.incarnation, seq: self.seq })
    }

    /// The newest run that is known, be it of an earlier life; 0 if none is.
    pub(crate) fn newest_run(&self) -> u64 {
        self.incarnation
    }

    /// The newest ordered beat of an earlier life, where the present one has no order; and whether its run said goodbye.
    pub(super) fn mark(&self) -> Option<(Order, bool)> {
        let order = Order { incarnation: self.incarnation, seq: self.seq };
        let is_past = self.flags & (ORDERED | MARKED) == MARKED;
        is_past.then_some((order, self.flags & MARK_LEFT != 0))
    }

    /// Takes over the order of a beat that has come. What a run had reached stays known when beats without order follow.
    pub(super) fn set_order(&mut self, order: Option<Order>) {
        if let Some(order) = order {
            self.flags = BEATEN | ORDERED | MARKED;
            self.incarnation = order.incarnation;
            self.seq = order.seq;
            return;
        }
        if self.flags & ORDERED != 0 && self.state == HealthState::Left {
            self.flags |= MARK_LEFT;
        }
        self.flags = (self.flags | BEATEN) & !(ORDERED | SUSPECT);
    }

    /// Notices that it is past its suspect edge; tells whether that is news.
    pub(super) fn suspect(&mut self) -> bool {
        let is_news = self.flags & SUSPECT == 0;
        self.flags |= SUSPECT;
        is_news
    }

    /// How many beats came in a row since it was late.
    pub(crate) fn recovered(&self) -> u8 {
        self.recovered
    }

    pub(crate) fn state(&self) -> HealthState {
        self.state
    }

    pub(crate) fn report(&self) -> Option<HealthStatus> {
        self.has_beaten().then_some(self.report)
    }

    pub(crate) fn edges(&self) -> Edges {
        Edges::fixed(self.interval(), self.allowance(), u64::from(self.threshold))
    }

    /// The interval it is judged by, in microseconds.
    pub(super) fn interval(&self) -> u64 {
        u64::from(self.interval_ms) * 1000
    }

    /// What is added to each edge, in microseconds.
    pub(crate) fn allowance(&self) -> u64 {
        u64::from(self.allowance_ms) * 1000
    }

    /// The age that judges, in microseconds.
    pub(crate) fn age(&self, now: &Now) -> u64 {
        now.at.saturating_sub(self.heard)
    }

    /// The state by age alone.
    pub(super) fn by_age(&self, now: &Now) -> HealthState {
        self.edges().state(self.age(now))
    }

    /// The true silence, in microseconds, whatever is credited.
    pub(crate) fn silence(&self, now: &Now) -> u64 {
        now.mono.saturating_sub(self.heard_mono)
    }

    /// How much of the silence in milliseconds is not held against it. The difference is the age that judges, rounded down
    /// once and not twice, so that it never seems to be beyond the published bound.
    pub(crate) fn credited_ms(&self, now: &Now) -> u64 {
        (self.silence(now) / 1000).saturating_sub(self.age(now) / 1000)
    }

    #[cfg(test)]
    pub(super) fn for_test() -> Self {
        Self::new(&Now { at: 0, mono: 0, wall: Timestamp::UNIX_EPOCH })
    }
}

/// The other half.
pub(crate) struct Cold {
    /// Of kind and id; kept so that the index can grow without the hasher.
    pub(super) hash: u64,
    pub(crate) kind: KindIndex,
    pub(crate) id: MemberId,
    pub(crate) policy: Arc<Policy>,
    pub(super) declared_ms: Option<u32>,
    pub(super) granted_ms: u32,
    /// What the two beats before were told, as far as it judges.
    pub(super) told_ms: [u32; 2],
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Option<Timestamp>,
    /// Virtual time of the last change of state.
    pub(super) state_since: u64,
    /// The same by the wall clock.
    pub(crate) state_since_wall: Timestamp,
    pub(crate) zone: Zone,
    pub(crate) hive_id: Option<MemberId>,
    /// Where its newest beat comes from.
    pub(crate) origin: Origin,
    /// The host it lives on; `None` before its first beat and once it left.
    pub(crate) host: Option<Arc<Host>>,
    /// Whether its newest beat tells of another host or zone than the book of hosts has.
    pub(super) moved: bool,
    /// What the guard holds it by.
    pub(super) mass_hold: Option<Hold>,
    /// What was found out about it since it fell silent, or its last beat told of its end.
    pub(crate) finding: Option<Box<Finding>>,
    /// The event that told that its whole host is down, if that is why it failed.
    pub(super) group: Option<u64>,
    pub(crate) restarts: u64,
    /// The run before the present one.
    pub(super) replaced: Option<Box<Replaced>>,
    pub(super) received: Received,
    /// What the adaptive detector learnt.
    pub(super) arrivals: Option<Box<Arrivals>>,
    pub(super) work: Option<Box<Work>>,
    pub(super) lag: Lag,
    pub(super) flaps: Option<Box<Flaps>>,
    /// Virtual time since when it is known.
    pub(super) known_since: u64,
    pub(super) absences: Option<Box<Absences>>,
    pub(crate) skew_ms: Option<i64>,
    pub(crate) asked: Asked,
    pub(crate) attachment: Option<Attachment>,
}

impl Cold {
    pub(super) fn new(key: Key<'_>, policy: Arc<Policy>, zone: Zone, now: &Now) -> Self {
        Self {
            hash: key.hash,
            kind: key.kind,
            id: key.id.clone(),
            policy,
            declared_ms: None,
            granted_ms: 0,
            told_ms: [0; 2],
            first_seen: now.wall,
            last_seen: None,
            state_since: now.at,
            state_since_wall: now.wall,
            zone,
            hive_id: None,
            origin: Origin::Unknown,
            host: None,
            moved: true,
            mass_hold: None,
            finding: None,
            group: None,
            restarts: 0,
            replaced: None,
            received: Received::default(),
            arrivals: None,
            work: None,
            lag: Lag::default(),
            flaps: None,
            known_since: now.at,
            absences: None,
            skew_ms: None,
            asked: Asked::default(),
            attachment: None,
        }
    }

    /// What its host is known by.
    pub(crate) fn host_key(&self) -> HostKey {
        HostKey::of(self.hive_id.as_ref(), self.origin)
    }

    /// The interval it declares, in milliseconds.
    pub(crate) fn declared_ms(&self) -> Option<u32> {
        self.declared_ms
    }

    /// What it is judged by.
    pub(crate) fn resolved(&self, hot: &Hot) -> ResolvedPolicy {
        self.policy.at(Duration::from_millis(hot.interval_ms.into()))
    }

    /// The share of the run's beats that never came, by gaps in seq.
    pub(crate) fn loss_rate(&self, hot: &Hot) -> Option<f64> {
        Some(self.received.loss(hot.order()?.seq))
    }

    /// The same of the newest 64 beats.
    pub(crate) fn recent_loss_rate(&self, hot: &Hot) -> Option<f64> {
        Some(self.received.recent_loss(hot.order()?.seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hot_half_fits_a_cache_line() {
        assert_eq!(size_of::<Hot>(), 64);
    }
}
