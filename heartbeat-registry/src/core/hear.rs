//! What a beat, or an announcement, does to its member.

use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Cause, Directive, EventBody, HealthState, Order, Policy, ResolvedPolicy};

use super::directives::Asked;
use super::finding::Finding;
use super::identity::Replaced;
use super::judge::{Recovery, Silence};
use super::learning::tells_gap;
use super::member::{Beat, Cold, Hot, Key};
use super::now::Now;
use super::order::{self, News, Stale};
use super::table::{Fact, Table};

/// What became of a beat that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Registered,
    Fresh,
    Duplicate,
    Left,
}

/// A beat that was taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Accepted {
    /// Where its member is.
    pub(crate) slot: u32,
    pub(crate) verdict: Verdict,
    /// When to send the next.
    pub(crate) next_in: Duration,
    /// When its member is to be looked at again, in virtual microseconds.
    pub(crate) due: u64,
    /// What is asked of its member.
    pub(crate) asked: Asked,
}

impl Table {
    /// Takes a beat of a member that is not yet known, and is not leaving.
    pub(crate) fn register(&mut self, key: Key<'_>, beat: &Beat<'_>, now: &Now, facts: &mut Vec<Fact>) -> Accepted {
        let policy = Arc::clone(&self.defaults.policy);
        let slot = self.insert(key, policy, now);
        self.take(slot, beat, true, now);
        facts.push(self.fact(slot, EventBody::Registered {}));
        let due = self.settle(slot, Silence::none(), None, now, facts);
        self.accepted(slot, Verdict::Registered, due)
    }

    /// Takes a beat of the member in a slot.
    pub(crate) fn hear(
        &mut self,
        slot: u32,
        beat: &Beat<'_>,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) -> Result<Accepted, Stale> {
        let (hot, _) = self.both(slot);
        let news = match order::judge(hot, beat.order(), beat.leaving().is_some(), hot.age(now)) {
            Ok(news) => news,
            Err(stale) => {
                self.tally.refused += 1;
                self.hear_refused(slot, beat, stale, now, facts);
                return Err(stale);
            }
        };
        if news == News::Duplicate {
            self.tally.duplicate += 1;
            self.hear_late(slot, beat);
            return Ok(self.accepted(slot, Verdict::Duplicate, u64::MAX));
        }
        let becomes_ordered = hot.has_beaten() && hot.order().is_none() && beat.order().is_some();
        let new_run = news == News::NewRun;
        let (hot, cold) = self.both(slot);
        let silence = Silence::of(hot, cold, now);
        let recovery = if new_run { Some(self.begin_run(slot, beat.order(), facts)) } else { woken(hot, beat) };
        if !new_run {
            self.count_towards_recovery(slot, now);
        }
        if becomes_ordered {
            // What was asked of a member without order may have been asked of another process.
            self.void_all(slot, facts);
        }
        self.take(slot, beat, new_run, now);
        if beat.draining {
            self.obey(slot, Directive::Drain, facts);
        }
        let (verdict, due) = match beat.leaving() {
            Some(reason) => (Verdict::Left, self.leave(slot, reason, silence, now, facts)),
            None => (Verdict::Fresh, self.settle(slot, silence, recovery, now, facts)),
        };
        Ok(self.accepted(slot, verdict, due))
    }

    /// Starts to monitor a member before its first beat, or replaces the policy of one that is known. Returns when it is
    /// to be looked at, in virtual microseconds, and what it is judged by now.
    pub(crate) fn announce(
        &mut self,
        key: Key<'_>,
        policy: Arc<Policy>,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) -> (u64, ResolvedPolicy) {
        let known = self.find(key);
        let slot = known.unwrap_or_else(|| self.insert(key, Arc::clone(&policy), now));
        let (hot, cold) = self.both(slot);
        cold.policy = policy;
        cold.settle_interval(hot, if hot.has_beaten() { Told::Later } else { Told::Nothing });
        // What was learnt was learnt for another policy.
        cold.arrivals = None;
        let resolved = cold.resolved(hot);
        let body =
            if known.is_none() { EventBody::Registered {} } else { EventBody::Policy { policy: resolved.clone() } };
        facts.push(self.fact(slot, body));
        (self.review(slot, now, facts), resolved)
    }

    /// Takes over all that a beat tells.
    fn take(&mut self, slot: u32, beat: &Beat<'_>, new_run: bool, now: &Now) {
        self.tally.fresh += 1;
        let default_zone = self.defaults.zone.clone();
        let (hot, cold) = self.both(slot);
        let tells_gap = tells_gap(hot, beat, now);
        // Also one that was announced: nobody was told of an interval before.
        let begins = new_run || !hot.has_beaten();
        let newest = hot.order().filter(|_| !new_run).map(|order| order.seq);
        cold.received.hear(newest, beat.order().map_or(0, |order| order.seq));
        hot.set_order(beat.order());
        hot.heard = now.at;
        hot.heard_mono = now.mono;
        hot.report = beat.report;
        cold.last_seen = Some(now.wall);
        cold.mass_hold = None;
        cold.finding = beat.exit().map(|exit| Box::new(Finding::of(exit, now.at)));
        cold.moved |= cold.host.is_none() || cold.origin != beat.origin;
        cold.origin = beat.origin;
        cold.skew_ms = beat.timestamp.map(|sent| sent.duration_since(now.wall).as_millis() as i64);
        let zone = beat.info.and_then(|info| info.zone.as_ref()).unwrap_or(&default_zone);
        if cold.zone != *zone {
            cold.zone = zone.clone();
            cold.moved = true;
        }
        if cold.hive_id.as_ref() != beat.hive_id {
            cold.hive_id = beat.hive_id.cloned();
            cold.moved = true;
        }
        if let Some(host) = cold.host.as_ref().filter(|_| !cold.moved) {
            host.hear(now.at);
        }
        cold.declared_ms = beat.declared_ms();
        cold.settle_interval(hot, if begins { Told::Nothing } else { Told::ByAck });
        cold.hear_signals(hot, beat, new_run, tells_gap, now);
    }

    /// A beat came again, or was overtaken: only its loss may have to be taken back.
    fn hear_late(&mut self, slot: u32, beat: &Beat<'_>) {
        let (hot, cold) = self.both(slot);
        if let (Some(known), Some(order)) = (hot.order(), beat.order())
            && known.incarnation == order.incarnation
        {
            cold.received.hear_late(known.seq, order.seq);
        }
    }

    /// A newer run replaces the one that is known, with a clean slate.
    fn begin_run(&mut self, slot: u32, order: Option<Order>, facts: &mut Vec<Fact>) -> Recovery {
        self.void_all(slot, facts);
        let (hot, cold) = self.both(slot);
        let previous = hot.order().map(|known| known.incarnation);
        cold.restarts += 1;
        cold.replaced = previous.map(|run| Box::new(Replaced::new(run)));
        hot.floor = HealthState::Healthy;
        hot.recovered = 0;
        let mut fact = self.fact(slot, EventBody::Restarted { previous_incarnation: previous });
        fact.incarnation = order.map(|order| order.incarnation);
        facts.push(fact);
        (Some(Cause::Restarted), "a newer run beats".to_owned())
    }

    /// Counts a beat of a member that was late, and lets its state last until enough came in a row.
    fn count_towards_recovery(&mut self, slot: u32, now: &Now) {
        let (hot, cold) = self.both(slot);
        let by_age = hot.by_age(now);
        // Only a sweep makes failed: one that was held, or not yet looked at, was critical at worst.
        let was = if hot.state == HealthState::Failed { by_age } else { by_age.min(HealthState::Critical) };
        let was = was.max(hot.floor);
        if was == HealthState::Healthy {
            return;
        }
        hot.recovered = if by_age == HealthState::Healthy { hot.recovered + 1 } else { 1 };
        let enough = u32::from(hot.recovered) >= cold.policy.recover_after;
        hot.floor = if enough { HealthState::Healthy } else { was };
        if enough {
            hot.recovered = 0;
        }
    }

    fn leave(&mut self, slot: u32, reason: &str, silence: Silence, now: &Now, facts: &mut Vec<Fact>) -> u64 {
        let goodbye = (None, vec![format!("said goodbye: {reason}")]);
        if self.hot[slot as usize].state == HealthState::Left {
            self.enter(slot, HealthState::Left, now);
        } else {
            self.obey(slot, Directive::Shutdown, facts);
            self.transit(slot, HealthState::Left, silence, goodbye, now, facts);
        }
        self.review(slot, now, facts)
    }

    fn accepted(&self, slot: u32, verdict: Verdict, due: u64) -> Accepted {
        let (_, cold) = self.get(slot).expect("a beat was taken for it");
        Accepted { slot, verdict, next_in: Duration::from_millis(cold.granted_ms.into()), due, asked: cold.asked }
    }
}

/// What a member that is unwell tells with the beat by which it may recover: that its machine slept.
fn woken(hot: &Hot, beat: &Beat<'_>) -> Option<Recovery> {
    let slept = beat.slept_ms().filter(|_| hot.state != HealthState::Healthy)?;
    Some((None, format!("its machine slept for {:.1} s", slept as f64 / 1000.0)))
}

impl Cold {
    /// Sets the interval that the member is granted and judged by. A shorter one judges only from the second beat after
    /// the one that was told of it: what comes before may have been sent without knowing.
    fn settle_interval(&mut self, hot: &mut Hot, after: Told) {
        let declared = self.declared_ms.map(|ms| Duration::from_millis(ms.into()));
        let granted = declared.map(|declared| self.policy.grant(declared));
        let target_ms = in_millis(self.policy.resolve(declared, granted).interval);
        self.granted_ms = granted.map_or(target_ms, in_millis);
        if after == Told::Nothing {
            self.told_ms = [target_ms; 2];
        }
        let [before, last] = self.told_ms;
        hot.interval_ms = match after {
            Told::Nothing => target_ms,
            Told::ByAck => target_ms.max(last).max(before),
            Told::Later => target_ms.max(hot.interval_ms),
        };
        if after == Told::ByAck {
            self.told_ms = [last, target_ms];
        }
        hot.allowance_ms = in_millis(self.resolved(hot).allowance);
        hot.threshold = u8::try_from(self.policy.threshold).expect("a validated threshold is at most 100");
    }
}

/// How a member hears of the interval it is granted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// By the answer to this beat.
    ByAck,
    /// By the answer to its next beat.
    Later,
    /// It is new, and nothing it was told before counts.
    Nothing,
}

fn in_millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).expect("validated intervals are at most 240 h")
}
