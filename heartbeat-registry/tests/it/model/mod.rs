//! The fleet against a naive model, step by step.

mod naive;

use std::collections::BTreeMap;
use std::time::Duration;

use heartbeat_registry::contract::{
    Cause, Directive, Event, EventBody, HealthState, HealthStatus, MemberView, Policy, Progress, WorkerHeartbeat,
    WorkerStatus,
};
use heartbeat_registry::{Clock, FleetConfig, Outcome, RecordError};
use proptest::prelude::*;

use self::naive::{Happening, Model, allowance};
use crate::world::{World, beat, every, feeling, goodbye, id, millis, plain, with};

const MEMBERS: [&str; 4] = ["a", "b", "c", "d"];
const FORGET_FAILED: Duration = Duration::from_secs(40);
/// How late the driver may wake before that is credited.
const SLACK: Duration = Duration::from_millis(1);
const FORGET_LEFT: Duration = Duration::from_secs(15);
const STUCK_AFTER: Duration = Duration::from_secs(6);

/// What may happen to a fleet.
#[derive(Clone, Debug)]
enum Step {
    Beat {
        member: usize,
        order: OrderStep,
        leaving: bool,
        interval_ms: Option<u64>,
        health: HealthStatus,
        draining: bool,
        progress: Option<Progress>,
    },
    Announce {
        member: usize,
        threshold: u32,
        recover_after: u32,
        grace_ms: u64,
    },
    Ask {
        member: usize,
        shutdown: bool,
    },
    Withdraw {
        member: usize,
        shutdown: bool,
    },
    Forget {
        member: usize,
    },
    Pass {
        ms: u64,
    },
    Stall {
        ms: u64,
    },
}

/// The order of a beat, relative to the newest of its member.
#[derive(Clone, Copy, Debug)]
enum OrderStep {
    None,
    Next { gap: u64 },
    Again { back: u64 },
    NewRun,
    OldRun,
}

fn step() -> impl Strategy<Value = Step> {
    let member = || 0..MEMBERS.len();
    let order = prop_oneof![
        2 => Just(OrderStep::None),
        8 => (1_u64..4).prop_map(|gap| OrderStep::Next { gap }),
        2 => (0_u64..3).prop_map(|back| OrderStep::Again { back }),
        2 => Just(OrderStep::NewRun),
        1 => Just(OrderStep::OldRun),
    ];
    let interval = prop_oneof![3 => Just(None), 1 => Just(Some(501)), 1 => Just(Some(1_000)), 1 => Just(Some(3_000))];
    let health = prop_oneof![
        6 => Just(HealthStatus::Healthy),
        1 => Just(HealthStatus::Degraded),
        1 => Just(HealthStatus::Unhealthy)
    ];
    let rarely = || prop::bool::weighted(0.08);
    let age = prop_oneof![4 => Just(0_u64), 1 => 5_900_u64..6_100];
    let progress = (prop::bool::weighted(0.8), 0_u64..2, age);
    let progress = progress.prop_map(|(busy, done, age_ms)| Progress { busy, done, age_ms });
    let progress = prop::option::weighted(0.7, progress);
    let beat = (member(), order, rarely(), interval, health, rarely(), progress).prop_map(
        |(member, order, leaving, interval_ms, health, draining, progress)| Step::Beat {
            member,
            order,
            leaving,
            interval_ms,
            health,
            draining,
            progress,
        },
    );
    let announce = (member(), 2_u32..5, 1_u32..4, prop_oneof![Just(0_u64), Just(6_000)]).prop_map(
        |(member, threshold, recover_after, grace_ms)| Step::Announce { member, threshold, recover_after, grace_ms },
    );
    prop_oneof![
        10 => beat,
        1 => announce,
        1 => (member(), any::<bool>()).prop_map(|(member, shutdown)| Step::Ask { member, shutdown }),
        1 => (member(), any::<bool>()).prop_map(|(member, shutdown)| Step::Withdraw { member, shutdown }),
        1 => member().prop_map(|member| Step::Forget { member }),
        8 => prop_oneof![1_u64..1_500, 1_000_u64..5_000, 5_000_u64..50_000].prop_map(|ms| Step::Pass { ms }),
        1 => (1_u64..20_000).prop_map(|ms| Step::Stall { ms }),
    ]
}

/// The fleet and the model, side by side.
struct Both {
    world: World,
    model: Model,
    default: Policy,
    /// The newest incarnation and seq that each member was given.
    orders: BTreeMap<usize, (u64, u64)>,
    /// What the fleet's events say, in the words of the model.
    happened: Vec<Happening>,
    next_event: u64,
    left: BTreeMap<String, bool>,
}

impl Both {
    fn new() -> Self {
        let default = Policy { stuck_after: Some(STUCK_AFTER), ..Policy::every(millis(1_000)) };
        let config = FleetConfig {
            policy: default.clone(),
            forget_failed_after: FORGET_FAILED,
            forget_left_after: FORGET_LEFT,
            ..FleetConfig::default()
        };
        Self {
            world: World::with(config),
            model: Model::default(),
            default,
            orders: BTreeMap::new(),
            happened: Vec::new(),
            next_event: 1,
            left: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Beat { member, order, leaving, interval_ms, health, draining, progress } => {
                let mut beat = self.beat(member, order, leaving, interval_ms, health);
                beat.status = draining.then_some(WorkerStatus::Draining);
                beat = with(beat, |info| info.progress = progress);
                self.hear(MEMBERS[member], &beat);
            }
            Step::Ask { member, shutdown } => {
                let (name, directive) = (MEMBERS[member], directive(shutdown));
                let asked = self.world.workers.ask(&id(name), directive).is_ok();
                assert_eq!(asked, self.model.ask(name, directive), "{name} {directive}");
            }
            Step::Withdraw { member, shutdown } => {
                let (name, directive) = (MEMBERS[member], directive(shutdown));
                let was_asked = self.world.workers.withdraw(&id(name), directive) == Ok(true);
                assert_eq!(was_asked, self.model.withdraw(name, directive), "{name} {directive}");
            }
            Step::Announce { member, threshold, recover_after, grace_ms } => {
                let policy =
                    Policy { threshold, recover_after, startup_grace: millis(grace_ms), ..self.default.clone() };
                self.world.workers.start_monitoring(&id(MEMBERS[member]), policy.clone()).unwrap();
                self.model.announce(MEMBERS[member], policy);
            }
            Step::Forget { member } => {
                let known = self.world.workers.stop_monitoring(&id(MEMBERS[member]));
                assert_eq!(known, self.model.members.remove(MEMBERS[member]).is_some());
                if known {
                    self.model.tell(MEMBERS[member], "forgotten");
                }
            }
            Step::Pass { ms } => self.pass(millis(ms)),
            Step::Stall { ms } => self.stall(millis(ms)),
        }
        self.read();
        self.compare();
    }

    fn beat(
        &mut self,
        member: usize,
        order: OrderStep,
        leaving: bool,
        interval_ms: Option<u64>,
        health: HealthStatus,
    ) -> WorkerHeartbeat {
        let newest = self.orders.entry(member).or_insert((10, 0));
        let order = match order {
            OrderStep::None => None,
            OrderStep::Next { gap } => {
                newest.1 += gap;
                Some(*newest)
            }
            OrderStep::Again { back } => Some((newest.0, newest.1.saturating_sub(back))),
            OrderStep::NewRun => {
                *newest = (newest.0 + 1, 0);
                Some(*newest)
            }
            OrderStep::OldRun => Some((newest.0 - 1, newest.1 + 1)),
        };
        let name = MEMBERS[member];
        let mut made = order.map_or_else(|| plain(name), |(incarnation, seq)| beat(name, incarnation, seq));
        if let Some(ms) = interval_ms {
            made = every(made, millis(ms));
        }
        if leaving {
            made = goodbye(made);
        }
        feeling(made, health)
    }

    fn hear(&mut self, name: &str, beat: &WorkerHeartbeat) {
        let expected = self.model.hear(name, &self.default, beat);
        let before = self.world.workers.view(&id(name)).ok();
        let answer = self.world.record(beat.clone());
        if let Ok(recorded) = &answer {
            let asked: Vec<_> = recorded.directives.iter().map(|directive| directive.as_str()).collect();
            assert_eq!(asked, self.model.asked(name), "{name} {beat:?}");
        }
        let answer = answer.map(|recorded| recorded.outcome).map_err(|error| match error {
            RecordError::StaleIncarnation { newest, .. } => newest,
            other => panic!("{other}"),
        });
        assert_eq!(answer, expected, "{name} {beat:?}");
        let after = self.world.workers.view(&id(name)).ok();
        if let (Some(before), Some(after)) = (before, after) {
            let order = |view: &MemberView| view.incarnation.zip(view.seq);
            // I3: order never goes back, and what is no news changes nothing.
            assert!(!after.ordered || order(&after) >= order(&before), "order went back");
            if matches!(answer, Ok(Outcome::Duplicate) | Err(_)) {
                assert_eq!(but_for_identity(before), but_for_identity(after));
            }
        }
    }

    /// The driver wakes whenever it planned to.
    fn pass(&mut self, time: Duration) {
        let until = self.world.clock.monotonic() + time;
        while let Some(wake) = self.world.fleet.next_wake().filter(|wake| *wake <= until) {
            let by = wake - self.world.clock.monotonic();
            self.world.clock.advance(by);
            let now = self.model.now + by;
            self.model.pass(now);
            self.world.fleet.sweep();
            self.read();
        }
        let by = until - self.world.clock.monotonic();
        self.world.clock.advance(by);
        let now = self.model.now + by;
        self.model.pass(now);
    }

    /// The driver wakes late: what it is late by is nobody's silence.
    fn stall(&mut self, time: Duration) {
        let now = self.world.clock.monotonic();
        let counted = self.world.fleet.next_wake().map_or(time, |wake| (wake + SLACK - now).min(time));
        let now = self.model.now + counted;
        self.model.jump(now);
        self.world.stall(time);
    }

    fn read(&mut self) {
        for event in self.world.events() {
            // I4: numbers have no gap.
            assert_eq!(event.n, self.next_event);
            self.next_event += 1;
            let Some(member) = &event.member else {
                assert_eq!(event.body.type_word(), "registry_blind");
                continue;
            };
            let name = member.to_string();
            self.check(&name, &event);
            if let Some(what) = told(&event) {
                self.happened.push((name, what, self.model.now));
            }
        }
    }

    fn check(&mut self, name: &str, event: &Event) {
        let EventBody::Transition { to, cause, .. } = &event.body else { return };
        // I2: whoever was heard in time is not demoted by timing.
        if let Some(member) = self.model.members.get(name)
            && *cause == Some(Cause::Silent)
            && member.floor == HealthState::Healthy
        {
            assert!(self.model.now - member.heard() >= member.judged() + allowance(member.judged()), "{event:?}");
        }
        // I6: a goodbye that arrived never becomes failed.
        let left = self.left.entry(name.to_owned()).or_default();
        assert!(!(*left && *to == HealthState::Failed), "{event:?}");
        *left = *to == HealthState::Left;
    }

    fn compare(&mut self) {
        let mut expected = std::mem::take(&mut self.model.happened);
        let mut happened = std::mem::take(&mut self.happened);
        // Among members, those due at the same moment are told in any order.
        expected.sort_by(|a, b| (a.2, &a.0).cmp(&(b.2, &b.0)));
        happened.sort_by(|a, b| (a.2, &a.0).cmp(&(b.2, &b.0)));
        assert_eq!(happened, expected);
        let mut counts = [0_u64; 5];
        for name in MEMBERS {
            let expected = self.model.members.get(name).map(|member| member.state);
            assert_eq!(self.world.workers.health(&id(name)).ok(), expected, "{name}");
            if let Some(state) = expected {
                counts[state as usize] += 1;
            }
        }
        // I5: the counts add up to the members known.
        let stats = self.world.workers.stats();
        assert_eq!([stats.healthy, stats.degraded, stats.critical, stats.failed, stats.left], counts);
        assert_eq!(stats.total, counts.iter().sum::<u64>());
    }
}

/// What a beat that is no news may change: it shows that it was not lost, or that another run lives.
fn but_for_identity(view: MemberView) -> MemberView {
    MemberView { loss_rate: None, recent_loss_rate: None, flags: Vec::new(), rivals: Vec::new(), ..view }
}

fn directive(shutdown: bool) -> Directive {
    if shutdown { Directive::Shutdown } else { Directive::Drain }
}

fn told(event: &Event) -> Option<String> {
    Some(match &event.body {
        EventBody::Registered {} => "registered".to_owned(),
        EventBody::Restarted { .. } => "restarted".to_owned(),
        EventBody::Policy { .. } => "policy".to_owned(),
        EventBody::Forgotten { .. } => "forgotten".to_owned(),
        EventBody::Transition { from, to, .. } => format!("{from} -> {to}"),
        EventBody::Directive { directive, outcome } => format!("{directive} {outcome}"),
        _ => return None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_fleet_does_what_a_naive_model_does(steps in prop::collection::vec(step(), 1..80)) {
        let mut both = Both::new();
        for step in steps {
            both.step(&step);
        }
    }
}
