//! What is shown of members.

use std::sync::PoisonError;

use heartbeat_contract::{
    Deadlines, HealthState, HoldView, Kind, MemberId, MemberStats, MemberView, MembersPage, Stats,
};

use crate::core::{Cold, Hold, Hot, KindIndex, Now, explain, share};
use crate::engine::Engine;
use crate::kinds::{Described, Kinds};
use crate::lock::lock;
use crate::notable::flags;
use crate::query::{InvalidQuery, MembersQuery};

impl MembersQuery {
    fn admits(&self, hot: &Hot, cold: &Cold) -> bool {
        (self.states.is_empty() || self.states.contains(&hot.state()))
            && (self.hive.is_none() || self.hive == cold.hive_id)
            && self.zone.as_ref().is_none_or(|zone| *zone == cold.zone)
    }

    /// How many members it admits, where the books say so.
    fn total(&self, counts: [u64; HealthState::ALL.len()]) -> Option<u64> {
        if self.hive.is_some() || self.zone.is_some() {
            return None;
        }
        let admitted = HealthState::ALL.iter().filter(|state| self.states.is_empty() || self.states.contains(state));
        Some(admitted.map(|state| counts[*state as usize]).sum())
    }
}

/// Where a page begins: slots are stable, so a member that is there throughout shows exactly once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cursor {
    shard: usize,
    slot: u32,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (shard, slot) = text.split_once('.')?;
        Some(Self { shard: shard.parse().ok()?, slot: slot.parse().ok()? })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.shard, self.slot)
    }
}

impl Engine {
    pub(crate) fn view(&self, kind: KindIndex, id: &MemberId) -> Option<MemberView> {
        let now = self.now();
        let key = self.key(kind, id);
        let table = self.table(key);
        let (hot, cold) = table.get(table.find(key)?)?;
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        Some(view(&kinds, hot, cold, &now))
    }

    pub(crate) fn page(&self, kind: KindIndex, query: &MembersQuery) -> Result<MembersPage, InvalidQuery> {
        let limit = query.page_size()?;
        let from = match &query.cursor {
            Some(text) => Cursor::parse(text).ok_or_else(|| InvalidQuery::new("cursor", "none of this registry's"))?,
            None => Cursor::default(),
        };
        let now = self.now();
        let total = query.total(self.counts(kind));
        let mut members = Vec::new();
        for (shard, table) in self.shards().iter().enumerate().skip(from.shard) {
            let first = if shard == from.shard { from.slot } else { 0 };
            let table = lock(table);
            // Always after the table, as everywhere: a waiting writer would let two readers wait for each other.
            let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
            for (slot, hot, cold) in table.iter_from(first) {
                if cold.kind != kind || !query.admits(hot, cold) {
                    continue;
                }
                if members.len() == limit {
                    let next_cursor = Some(Cursor { shard, slot }.to_string());
                    return Ok(MembersPage { members, next_cursor, total });
                }
                members.push(view(&kinds, hot, cold, &now));
            }
        }
        Ok(MembersPage { members, next_cursor: None, total })
    }

    pub(crate) fn stats(&self) -> Stats {
        let now = self.now();
        let kinds: Vec<(KindIndex, Kind)> = {
            let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
            kinds.all().map(|(index, kind)| (index, kind.clone())).collect()
        };
        let kinds: std::collections::BTreeMap<Kind, MemberStats> =
            kinds.into_iter().map(|(index, kind)| (kind, member_stats(self.counts(index)))).collect();
        let tally = self.tally();
        Stats {
            server_time: now.wall,
            uptime_ms: millis(self.gauges.uptime(std::time::Duration::from_micros(now.mono)).as_micros()),
            members: kinds.values().fold(MemberStats::default(), |sum, kind| MemberStats {
                total: sum.total + kind.total,
                healthy: sum.healthy + kind.healthy,
                degraded: sum.degraded + kind.degraded,
                critical: sum.critical + kind.critical,
                failed: sum.failed + kind.failed,
                left: sum.left + kind.left,
            }),
            kinds,
            beats: heartbeat_contract::BeatStats {
                fresh: tally.fresh,
                duplicate: tally.duplicate,
                refused: tally.refused,
                per_second: self.gauges.beats_per_second(now.mono, tally.fresh),
            },
            events: self.log.stats(),
            detection: self.gauges.detection(),
            availability: self.availability(&now),
            driver: self.gauges.driver(self.sweep_steps(), self.credited()),
            probes: self.suspects.stats(),
            alerts: self.alerts.sink_stats(),
            blind: self.blind_stats(now.mono),
        }
    }

    /// The share of the time of all members in which they were not failed.
    fn availability(&self, now: &Now) -> Option<f64> {
        let uptimes = self.shards().iter().map(|shard| lock(shard).uptime(now));
        let [counts, failed] = uptimes.fold([0, 0], |[counts, failed], [more, down]| [counts + more, failed + down]);
        share(failed, counts)
    }
}

pub(crate) fn member_stats(counts: [u64; HealthState::ALL.len()]) -> MemberStats {
    let of = |state: HealthState| counts[state as usize];
    MemberStats {
        total: counts.iter().sum(),
        healthy: of(HealthState::Healthy),
        degraded: of(HealthState::Degraded),
        critical: of(HealthState::Critical),
        failed: of(HealthState::Failed),
        left: of(HealthState::Left),
    }
}

fn view(kinds: &Kinds, hot: &Hot, cold: &Cold, now: &Now) -> MemberView {
    let described = cold.attachment.as_deref().and_then(|attachment| kinds.describe(cold.kind, attachment));
    let (payload, status) = match described {
        Some(Described { payload, status }) => (payload, status),
        None => (None, None),
    };
    let beat = cold.attachment.as_deref().and_then(|attachment| kinds.beat(cold.kind, attachment));
    let (cause, evidence) = explain(hot.state(), hot, cold, now);
    let host = cold.host_key();
    let order = hot.order();
    MemberView {
        kind: kinds.name(cold.kind),
        id: cold.id.clone(),
        state: hot.state(),
        cause,
        evidence,
        holds: holds(hot, cold, now),
        flags: flags(hot, cold, now),
        host: host.to_string(),
        host_from: host.from(),
        hive_id: cold.hive_id.clone(),
        zone: cold.zone.clone(),
        address: cold.origin.address().map(|address| address.to_string()),
        rivals: cold.rivals(hot, now).into_iter().flatten().map(|origin| origin.to_string()).collect(),
        endpoint: beat.and_then(|beat| beat.endpoint.clone()),
        age_ms: hot.silence(now) / 1000,
        credited_ms: hot.credited_ms(now),
        last_seen: cold.last_seen,
        first_seen: cold.first_seen,
        deadlines: deadlines(hot, now),
        allowance_ms: Some(hot.allowance() / 1000),
        suspicion: cold.suspicion(now).map(|suspicion| rounded(suspicion, 100.0)),
        status: status.map(str::to_owned),
        self_report: hot.report(),
        interval_ms: cold.declared_ms().map(u64::from),
        policy: cold.resolved(hot),
        ordered: order.is_some(),
        incarnation: order.map(|order| order.incarnation),
        seq: order.map(|order| order.seq),
        loss_rate: cold.loss_rate(hot),
        recent_loss_rate: cold.recent_loss_rate(hot),
        restarts: cold.restarts,
        flap_score: rounded(cold.flap_score(hot, now), 10.0),
        availability: cold.availability(hot, now),
        skew_ms: cold.skew_ms,
        rtt_ms: beat.and_then(|beat| beat.rtt_ms),
        runtime_lag_ms: cold.lag_ms(),
        slept_ms: beat.and_then(|beat| beat.slept_ms).filter(|slept| *slept > 0),
        directives: cold.asked.at(now.at).collect(),
        payload,
    }
}

pub(crate) fn holds(hot: &Hot, cold: &Cold, now: &Now) -> Vec<HoldView> {
    let view =
        |hold: Hold| HoldView { reason: hold.reason, since: now.wall_at(hold.since), until: now.wall_at(hold.until) };
    Hold::all(hot, cold, now.at).map(view).collect()
}

pub(crate) fn deadlines(hot: &Hot, now: &Now) -> Option<Deadlines> {
    let (edges, age) = (hot.edges(), hot.age(now));
    let until = |edge: u64| (edge as i64 - age as i64) / 1000;
    let deadlines = Deadlines {
        degraded_in_ms: until(edges.degraded),
        critical_in_ms: until(edges.critical),
        failed_in_ms: until(edges.failed),
    };
    (hot.state() != HealthState::Left).then_some(deadlines)
}

/// To so many steps per unit: figures for people.
fn rounded(value: f64, steps: f64) -> f64 {
    (value * steps).round() / steps
}

fn millis(micros: u128) -> u64 {
    u64::try_from(micros / 1000).unwrap_or(u64::MAX)
}
