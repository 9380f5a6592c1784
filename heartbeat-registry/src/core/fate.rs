//! Members that a sweep may not judge alone: whether one is suspect, or fails, depends on others of its host and zone.

use std::sync::Arc;

use heartbeat_contract::{HealthState, Zone};

use super::finding::{Finding, Source};
use super::hold::Hold;
use super::host::{Host, HostKey};
use super::hosts::Member;
use super::judge::{Silence, explain};
use super::now::Now;
use super::table::{Fact, Table};

/// A member that a sweep noticed.
#[derive(Clone, Debug)]
#[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "only probes use it"))]
pub(crate) struct Noticed {
    pub(crate) member: Member,
    /// `None` if it never beat.
    pub(crate) host: Option<Arc<Host>>,
    /// The interval it is judged by.
    pub(crate) interval: u64,
    /// When it was last heard, and when it is to fail, in virtual microseconds.
    pub(crate) heard: u64,
    pub(crate) fails: u64,
}

/// Whom a sweep noticed.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    /// Past their suspect edge.
    pub(crate) suspects: Vec<Noticed>,
    /// Due to fail, unless something holds them. They have no deadline until that is decided.
    pub(crate) doomed: Vec<Noticed>,
}

/// What becomes of a member that is due to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is one of too many.
    Held(Hold),
    /// It fails; with the event that told that its whole host is down, if it is.
    Fails { group: Option<u64> },
}

impl Table {
    /// Whether the member in a slot is due to fail, and nothing holds it.
    pub(crate) fn is_doomed(&self, slot: u32, now: &Now) -> bool {
        self.get(slot).is_some_and(|(hot, cold)| {
            let is_over = hot.state.is_online() && hot.by_age(now) == HealthState::Failed;
            is_over && Hold::on(hot, cold, now.at).is_none()
        })
    }

    /// Whether the member in a slot has just been found past its suspect edge.
    pub(super) fn becomes_suspect(&mut self, slot: u32, now: &Now) -> bool {
        let (hot, _) = self.both(slot);
        hot.has_beaten() && hot.state.is_online() && hot.age(now) >= hot.edges().suspect() && hot.suspect()
    }

    pub(super) fn noticed(&self, slot: u32) -> Noticed {
        let (hot, cold) = self.get(slot).expect("slots in the wheel are taken");
        Noticed {
            member: (cold.kind, cold.id.clone()),
            host: cold.host.clone(),
            interval: hot.interval(),
            heard: hot.heard,
            fails: hot.heard + hot.edges().failed + 1,
        }
    }

    /// Lets the fate of a member come true, if it is still due to fail. Returns when it is to be looked at.
    pub(crate) fn conclude(&mut self, slot: u32, fate: Fate, now: &Now, facts: &mut Vec<Fact>) -> u64 {
        if !self.is_doomed(slot, now) {
            return self.review(slot, now, facts);
        }
        match fate {
            Fate::Held(hold) => {
                self.both(slot).1.mass_hold = Some(hold);
                self.review(slot, now, facts)
            }
            Fate::Fails { group } => {
                let (hot, cold) = self.both(slot);
                cold.group = group;
                let silence = Silence::of(hot, cold, now);
                let (cause, evidence) = explain(HealthState::Failed, hot, cold, now);
                self.transit(slot, HealthState::Failed, silence, (cause, evidence), now, facts);
                self.review(slot, now, facts)
            }
        }
    }

    /// The host of the member in a slot, if that is silent.
    pub(crate) fn silent_host(&self, slot: u32) -> Option<Arc<Host>> {
        self.get(slot)?.1.host.clone().filter(|host| host.is_silent())
    }

    /// Whether the newest beat of the member in a slot came from a host.
    pub(crate) fn beats_from(&self, slot: u32, key: &HostKey) -> bool {
        self.get(slot).is_some_and(|(_, cold)| cold.host_key() == *key)
    }

    /// Has `join` say on which host a member lives, if its newest beat tells of another host or zone than the one before:
    /// that before, what it is to be known by, its zone, and who.
    pub(crate) fn move_home(
        &mut self,
        slot: u32,
        join: impl FnOnce(Option<&Arc<Host>>, &HostKey, &Zone, Member) -> Arc<Host>,
    ) {
        let (hot, cold) = self.both(slot);
        // One that left lives nowhere, and moves in again with its next beat.
        if hot.state != HealthState::Left && std::mem::take(&mut cold.moved) {
            let (key, member) = (cold.host_key(), (cold.kind, cold.id.clone()));
            cold.host = Some(join(cold.host.as_ref(), &key, &cold.zone, member));
        }
    }

    /// Takes over what was found out about a member. What a hive reports says more than any probe.
    pub(crate) fn found(
        &mut self,
        slot: u32,
        source: Source<'_>,
        finding: Finding,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) -> u64 {
        let (hot, cold) = self.both(slot);
        if hot.state == HealthState::Left || cold.end().is_some() || !source.is_about(hot, cold) {
            return u64::MAX;
        }
        if matches!(source, Source::Hive { .. }) || cold.finding.is_none() {
            cold.finding = Some(Box::new(finding));
        }
        self.review(slot, now, facts)
    }

    /// Changes what holds a member by the guard.
    pub(crate) fn rehold(&mut self, slot: u32, hold: Hold, now: &Now, facts: &mut Vec<Fact>) -> u64 {
        let (_, cold) = self.both(slot);
        if let Some(held) = &mut cold.mass_hold {
            *held = hold;
        }
        self.review(slot, now, facts)
    }

    /// Whether a member is silent, as one of a host that may be down; and whether it has failed since a moment.
    pub(crate) fn is_silent_since(&self, slot: u32, since: u64, now: &Now) -> Option<(bool, bool)> {
        let (hot, cold) = self.get(slot)?;
        let is_silent = hot.age(now) >= hot.edges().degraded;
        Some((is_silent, hot.state == HealthState::Failed && cold.state_since >= since))
    }
}
