//! What a checker knows of one member, by what the registry answered to its beats.

use std::time::Duration;

use heartbeat_contract::{Detector, HealthState, Order, Policy, ResolvedPolicy};

use super::fact::Receipt;

/// A beat is judged by what the two before it were told, at most.
const REMEMBERED: usize = 3;

#[derive(Clone, Debug)]
pub(super) struct Member {
    policy: Policy,
    /// By the event log.
    pub(super) state: Option<HealthState>,
    /// The newest beat that counted.
    pub(super) newest: Option<Order>,
    /// When it came, or monitoring began.
    pub(super) heard: Duration,
    /// When the one before it came.
    pub(super) heard_before: Duration,
    /// The run that beat last; nothing within where its beats carry no order.
    run: Option<Option<u64>>,
    /// What the last beats of this run declared.
    declared: Vec<Option<Duration>>,
    /// The run that said goodbye, and was heard.
    pub(super) left: Option<Option<u64>>,
    /// Whether something held it since it was last heard.
    pub(super) is_held: bool,
}

impl Member {
    pub(super) fn new(policy: Policy, at: Duration) -> Self {
        Self {
            policy,
            state: None,
            newest: None,
            heard: at,
            heard_before: at,
            run: None,
            declared: Vec::new(),
            left: None,
            is_held: false,
        }
    }

    /// Whether a beat that was not refused should have counted.
    pub(super) fn is_news(&self, receipt: &Receipt) -> bool {
        let Some(order) = receipt.order else { return true };
        let after_goodbye = receipt.is_goodbye && self.left == Some(Some(order.incarnation));
        self.newest.is_none_or(|newest| order > newest) && !after_goodbye
    }

    /// Takes a beat that counted.
    pub(super) fn hear(&mut self, receipt: &Receipt, at: Duration) {
        let run = receipt.order.map(|order| order.incarnation);
        // A member without order that becomes ordered may be the same process, and was told of its interval.
        let goes_on = self.run == Some(None) || self.run == Some(run);
        if !goes_on {
            self.declared.clear();
        }
        self.run = Some(run);
        if receipt.order.is_some() {
            self.newest = receipt.order;
        }
        self.declared.push(receipt.declared);
        let forgotten = self.declared.len().saturating_sub(REMEMBERED);
        self.declared.drain(..forgotten);
        (self.heard_before, self.heard) = (self.heard, at);
        self.is_held = false;
        self.left = receipt.is_goodbye.then_some(run);
    }

    fn resolved(&self, declared: Option<Duration>) -> ResolvedPolicy {
        self.policy.resolve(declared, declared.map(|declared| self.policy.grant(declared)))
    }

    /// The age before which it is not in a state by timing; nothing where deadlines are learnt.
    pub(super) fn earliest(&self, state: HealthState) -> Duration {
        let policy = self.resolved(self.declared.last().copied().flatten());
        match (self.policy.detector, state) {
            (Detector::Fixed, HealthState::Degraded) => policy.degraded_after(),
            (Detector::Fixed, HealthState::Critical) => policy.critical_after(),
            (Detector::Fixed, HealthState::Failed) => policy.failed_after(),
            _ => Duration::ZERO,
        }
    }

    /// The age beyond which it is failed, if nothing holds it: the published bound.
    pub(super) fn bound(&self) -> Duration {
        let of = |declared| self.resolved(declared).failed_after();
        let bound = self.declared.iter().map(|declared| of(*declared)).max().unwrap_or_else(|| of(None));
        if self.policy.detector == Detector::Fixed { bound } else { 2 * bound }
    }

    /// How long it is held if nothing is seen to hold it: a member that never beat, by its policy.
    pub(super) fn startup_grace(&self) -> Duration {
        if self.newest.is_none() { self.policy.startup_grace } else { Duration::ZERO }
    }

    /// The longest that a hold of another kind may last: 60 s and a promotion of as long after mass silence, and an
    /// interval after a probe.
    pub(super) fn longest_hold(&self) -> Duration {
        let interval = self.declared.iter().max().copied().flatten().unwrap_or(Policy::DEFAULT_INTERVAL);
        Duration::from_secs(120) + interval
    }
}
