//! What is known of one member, in two halves: what each beat and sweep touches, and the rest.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{
    BeatInfo, HealthState, HealthStatus, MemberId, Order, Payload, Policy, ResolvedPolicy, WorkerStatus, Zone,
};
use jiff::Timestamp;

use super::detector::Edges;
use super::directives::Asked;
use super::now::Now;
use super::origin::Origin;
use super::wheel::Node;

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

    /// The newest run that is known, be it of an earlier life.
    pub(crate) fn newest_run(&self) -> Option<u64> {
        (self.flags & MARKED != 0).then_some(self.incarnation)
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
        self.flags = (self.flags | BEATEN) & !ORDERED;
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
        let micros = |ms: u32| u64::from(ms) * 1000;
        Edges::fixed(micros(self.interval_ms), micros(self.allowance_ms), u64::from(self.threshold))
    }

    /// The age that judges, in microseconds.
    pub(crate) fn age(&self, now: &Now) -> u64 {
        now.at.saturating_sub(self.heard)
    }

    /// The true silence, in microseconds, whatever is credited.
    pub(crate) fn silence(&self, now: &Now) -> u64 {
        now.mono.saturating_sub(self.heard_mono)
    }

    /// How much of the silence is not held against it, in microseconds.
    pub(crate) fn credited(&self, now: &Now) -> u64 {
        self.silence(now).saturating_sub(self.age(now))
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
    pub(crate) restarts: u64,
    /// The run before the present one, until a beat of it was refused and that was told.
    pub(super) superseded: Option<u64>,
    /// The first seq of the run, and how many beats of it came: their gap is loss.
    pub(super) first_seq: u64,
    pub(super) received: u64,
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
            restarts: 0,
            superseded: None,
            first_seq: 0,
            received: 0,
            skew_ms: None,
            asked: Asked::default(),
            attachment: None,
        }
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
        let sent = hot.order()?.seq - self.first_seq + 1;
        Some(1.0 - self.received as f64 / sent as f64)
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
