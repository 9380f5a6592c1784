//! Histories in which one promise is broken, and one in which none is.

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, EventId, ForgetReason, HealthState, Order, Policy};
use jiff::Timestamp;

use super::{Checker, Fact, Known, Receipt, Rules};
use HealthState::{Critical, Degraded, Failed, Healthy, Left};

const A: &str = "worker/a";

/// One member that beats every second: degraded after 1.25 s, critical after 2.25 s, failed after 3.25 s.
struct History {
    checker: Checker,
    next: u64,
    known: Option<Known>,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn order(seq: u64) -> Option<Order> {
    Some(Order { incarnation: 5, seq })
}

impl History {
    fn new() -> Self {
        let tick = ms(5);
        let rules = Rules { policy: Policy::default(), own_policies: BTreeMap::new(), max_members: 2, tick };
        let mut checker = Checker::new(rules);
        checker.observe(ms(0), Fact::Started);
        Self { checker, next: 1, known: None }
    }

    fn receipt(&self, seq: u64, state: HealthState) -> Receipt {
        let after = Some(Known { order: order(seq), state, last_seen: None });
        Receipt {
            name: A.to_owned(),
            order: order(seq),
            declared: Some(ms(1_000)),
            is_goodbye: state == Left,
            status: 200,
            wall: Timestamp::UNIX_EPOCH,
            before: self.known.clone(),
            after,
        }
    }

    fn take(&mut self, at: u64, receipt: Receipt) {
        self.known = receipt.after.clone();
        self.checker.observe(ms(at), Fact::Beat(receipt));
    }

    fn beat(&mut self, at: u64, seq: u64) {
        self.take(at, self.receipt(seq, Healthy));
        if self.next == 1 {
            self.log(at, EventBody::Registered {});
        }
    }

    fn log(&mut self, at: u64, body: EventBody) {
        let n = self.next;
        self.next += 1;
        let (kind, member) = (Some(heartbeat_contract::Kind::WORKER), Some("a".parse().unwrap()));
        let id = EventId { log: None, n };
        let event = Event { id, n, at: Timestamp::UNIX_EPOCH, kind, member, incarnation: Some(5), body };
        self.checker.observe(ms(at), Fact::Logged(event));
    }

    fn turn(&mut self, at: u64, from: HealthState, to: HealthState, age_ms: u64, credited_ms: u64) {
        let (last_seen, evidence, group) = (None, Vec::new(), None);
        let cause = Some(Cause::Silent);
        self.log(at, EventBody::Transition { from, to, age_ms, credited_ms, last_seen, cause, evidence, group });
    }

    fn count(&mut self, at: u64, counts: [u64; 5], listed: u64) {
        let [healthy, degraded, critical, failed, left] = counts;
        let total = counts.iter().sum();
        let stats = heartbeat_contract::MemberStats { total, healthy, degraded, critical, failed, left };
        self.checker.observe(ms(at), Fact::Counted { stats, listed });
    }

    #[track_caller]
    fn breaks(&self, promise: &str) {
        let broken: Vec<_> = self.checker.violations().iter().map(|violation| violation.promise).collect();
        assert!(
            !broken.is_empty() && broken.iter().all(|broken| *broken == promise),
            "{:?}",
            self.checker.violations()
        );
    }

    #[track_caller]
    fn breaks_nothing(&self) {
        assert_eq!(self.checker.violations(), []);
    }
}

/// Beats at 0 and 1 s, then silence, and every verdict on time.
fn death() -> History {
    let mut history = History::new();
    history.beat(0, 0);
    history.beat(1_000, 1);
    history.turn(2_250, Healthy, Degraded, 1_250, 0);
    history.turn(3_250, Degraded, Critical, 2_250, 0);
    history.turn(4_251, Critical, Failed, 3_250, 0);
    history
}

#[test]
fn a_history_in_which_all_is_well_breaks_nothing() {
    let mut history = death();
    history.count(5_000, [0, 0, 0, 1, 0], 1);
    assert!(history.checker.overdue(ms(60_000)).is_empty());
    history.checker.observe(ms(60_000), Fact::Settled { name: A.to_owned(), lives: false, state: Some(Failed) });
    history.breaks_nothing();
}

#[test]
fn i1_a_member_that_is_not_failed_by_its_bound_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    assert!(history.checker.overdue(ms(3_256)).is_empty());
    assert_eq!(history.checker.overdue(ms(3_257)), [A]);
    history.checker.observe(ms(3_257), Fact::Looked { name: A.to_owned(), is_held: true });
    history.breaks_nothing();
    history.checker.observe(ms(3_257 + 121_100), Fact::Looked { name: A.to_owned(), is_held: true });
    history.breaks("I1");
}

#[test]
fn i1_a_verdict_that_comes_too_late_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.turn(1_250, Healthy, Degraded, 1_250, 0);
    history.turn(3_300, Degraded, Failed, 3_300, 0);
    history.breaks("I1");
}

#[test]
fn i1_one_that_is_dead_and_healthy_in_the_end_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.checker.observe(ms(1), Fact::Settled { name: A.to_owned(), lives: false, state: Some(Healthy) });
    history.breaks("I1");
}

#[test]
fn i2_a_member_demoted_within_its_deadline_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.turn(1_200, Healthy, Degraded, 1_200, 0);
    history.breaks("I2");
}

#[test]
fn i2_an_age_that_is_not_true_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.turn(1_200, Healthy, Degraded, 1_250, 0);
    history.breaks("I2");
}

#[test]
fn i2_time_in_which_the_registry_was_stopped_is_credited_and_no_other() {
    let stopped = |credited| {
        let mut history = History::new();
        history.beat(0, 0);
        history.checker.observe(ms(500), Fact::Stopped);
        history.checker.observe(ms(5_500), Fact::Continued);
        history.turn(6_250, Healthy, Degraded, 6_250, credited);
        history
    };
    stopped(5_000).breaks_nothing();
    stopped(4_800).breaks_nothing();
    stopped(4_000).breaks("I2");
    stopped(5_100).breaks("I2");
    stopped(0).breaks("I2");
}

#[test]
fn i2_a_proper_beat_that_is_refused_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.take(1_000, Receipt { status: 422, after: history.known.clone(), ..history.receipt(1, Healthy) });
    history.breaks("I2");
}

#[test]
fn i3_a_replay_that_changes_something_is_found() {
    let mut history = death();
    history.known = Some(Known { order: order(1), state: Failed, last_seen: None });
    history.take(6_000, history.receipt(1, Healthy));
    history.breaks("I3");
}

#[test]
fn i3_an_order_that_goes_back_is_found() {
    let mut history = History::new();
    history.beat(0, 7);
    history.take(1_000, history.receipt(3, Healthy));
    history.breaks("I3");
}

#[test]
fn i3_an_older_run_that_is_taken_and_one_from_the_future_are_found() {
    let of_run = |incarnation, after| {
        let mut history = History::new();
        history.beat(0, 0);
        let order = Some(Order { incarnation, seq: 9 });
        let after = Some(Known { order: after, state: Healthy, last_seen: None });
        history.take(1_000, Receipt { order, after, ..history.receipt(9, Healthy) });
        history
    };
    of_run(4, order(0)).breaks("I3");
    let future = 25 * 3_600 * 1_000_000;
    of_run(future, Some(Order { incarnation: future, seq: 9 })).breaks("I3");
    of_run(6, Some(Order { incarnation: 6, seq: 9 })).breaks_nothing();
}

#[test]
fn i4_a_gap_in_the_numbers_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.next += 1;
    history.turn(1_250, Healthy, Degraded, 1_250, 0);
    history.breaks("I4");
}

#[test]
fn i4_a_change_that_was_not_logged_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.turn(2_250, Degraded, Critical, 2_250, 0);
    history.breaks("I4");
    let mut twice = History::new();
    twice.beat(0, 0);
    twice.log(1, EventBody::Registered {});
    twice.breaks("I4");
}

#[test]
fn i5_counts_that_do_not_add_up_are_found() {
    for (counts, listed) in [([1, 0, 0, 0, 0], 2), ([0, 1, 0, 0, 0], 1), ([1, 1, 0, 0, 0], 2)] {
        let mut history = History::new();
        history.beat(0, 0);
        history.count(100, counts, listed);
        history.breaks("I5");
    }
}

#[test]
fn i6_a_goodbye_that_becomes_a_death_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.take(1_000, history.receipt(1, Left));
    history.turn(1_000, Healthy, Left, 1_000, 0);
    history.breaks_nothing();
    history.turn(4_251, Left, Failed, 3_250, 0);
    history.breaks("I6");
}

#[test]
fn i6_a_goodbye_without_effect_is_found() {
    let mut history = History::new();
    history.beat(0, 0);
    history.take(1_000, Receipt { is_goodbye: true, ..history.receipt(1, Healthy) });
    history.breaks("I6");
}

#[test]
fn i7_more_members_than_fit_are_found_and_one_that_lives_and_is_forgotten() {
    let mut history = History::new();
    history.beat(0, 0);
    history.count(100, [3, 0, 0, 0, 0], 3);
    assert!(history.checker.violations().iter().any(|violation| violation.promise == "I7"));
    let mut history = History::new();
    history.beat(0, 0);
    history.log(1, EventBody::Forgotten { reason: ForgetReason::Room });
    history.breaks("I7");
}

#[test]
fn i9_a_death_within_a_deadline_of_the_start_is_found() {
    let mut history = History::new();
    history.checker.observe(ms(10_000), Fact::Started);
    history.beat(10_000, 0);
    history.turn(11_000, Healthy, Failed, 4_000, 0);
    assert!(history.checker.violations().iter().any(|violation| violation.promise == "I9"));
}
