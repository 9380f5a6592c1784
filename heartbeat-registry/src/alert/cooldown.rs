//! Which alerts are held back because one like it was told a short while ago, and until when.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use heartbeat_contract::{HealthState, Kind, MemberId};
use jiff::{SignedDuration, Timestamp};

/// Below this many members, looking for those that no longer matter is not worth it.
const FEW: usize = 64;

/// How much older than one before it an event may be without the clock having been set back: members are judged in
/// parallel, and told of by when that began.
const DISORDER: SignedDuration = SignedDuration::from_secs(10);

type Who = (Kind, MemberId);

/// What was told of whom, and when, and what is to be told once the cooldown is over. Keeps members that were told of
/// within the cooldown or are not known to be well.
#[derive(Debug)]
pub(super) struct Cooldown<T> {
    lasts: SignedDuration,
    members: HashMap<Who, Told<T>>,
    /// Who is to be told of when.
    agenda: BTreeSet<(Timestamp, Kind, MemberId)>,
    /// The newest time that was heard of.
    newest: Timestamp,
    prune_at: usize,
}

/// What was told of a member.
#[derive(Debug)]
struct Told<T> {
    /// When it was last told to be in each state.
    last: [Option<Timestamp>; HealthState::ALL.len()],
    /// Whether an alert since it was last healthy was told, so that its recovery is to be told too.
    is_open: bool,
    held_back: Option<HeldBack<T>>,
}

/// An alert to be told once the cooldown is over, if the member is still in that state.
#[derive(Debug)]
struct HeldBack<T> {
    to: HealthState,
    due: Timestamp,
    alert: T,
}

impl<T> Default for Told<T> {
    fn default() -> Self {
        Self { last: Default::default(), is_open: false, held_back: None }
    }
}

impl<T> Told<T> {
    fn matters(&self, at: Timestamp, lasts: SignedDuration) -> bool {
        self.is_open
            || self.held_back.is_some()
            || self.last.into_iter().flatten().any(|told| is_within(lasts, told, at))
    }
}

/// A wall clock that was set back tells nothing of how long ago something was; then it counts as long ago.
fn is_within(lasts: SignedDuration, told: Timestamp, at: Timestamp) -> bool {
    let since = at.duration_since(told);
    !since.is_negative() && since < lasts
}

impl<T> Cooldown<T> {
    pub(super) fn new(lasts: Duration) -> Self {
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        let (members, agenda) = (HashMap::new(), BTreeSet::new());
        Self { lasts, members, agenda, newest: Timestamp::MIN, prune_at: FEW }
    }

    /// Whether a transition of a member is to be told now to those that the cooldown applies to. If not, and it is one for
    /// the worse, it is held back.
    pub(super) fn admits(
        &mut self,
        kind: &Kind,
        member: &MemberId,
        to: HealthState,
        at: Timestamp,
        alert: impl FnOnce() -> T,
    ) -> bool {
        let key = (kind.clone(), member.clone());
        self.hear_of(at);
        self.let_go(&key);
        match to {
            HealthState::Healthy | HealthState::Left => {
                self.members.get_mut(&key).is_some_and(|told| std::mem::take(&mut told.is_open))
            }
            HealthState::Degraded | HealthState::Critical | HealthState::Failed => {
                self.admits_worse(key, to, at, alert)
            }
        }
    }

    fn admits_worse(&mut self, key: Who, to: HealthState, at: Timestamp, alert: impl FnOnce() -> T) -> bool {
        if self.members.len() >= self.prune_at {
            self.prune(at);
        }
        let told = self.members.entry(key.clone()).or_default();
        let hot = told.last[to as usize].filter(|last| is_within(self.lasts, *last, at));
        let Some(last) = hot else {
            told.tell(to, at);
            return true;
        };
        // A cooldown that ends after the end of time never ends.
        if let Ok(due) = last.checked_add(self.lasts) {
            told.held_back = Some(HeldBack { to, due, alert: alert() });
            self.agenda.insert((due, key.0, key.1));
        }
        false
    }

    /// By when to ask for [what is due](Self::take_due).
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.agenda.first().map(|(due, ..)| *due)
    }

    /// What was held back and is to be told by now: from here on, it counts as told.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<T> {
        let was_set_back = self.newest.duration_since(now) > DISORDER;
        self.hear_of(now);
        let mut due = Vec::new();
        while self.due().is_some_and(|at| at <= now || was_set_back) {
            let Some((_, kind, member)) = self.agenda.pop_first() else { break };
            let Some(told) = self.members.get_mut(&(kind, member)) else { continue };
            let Some(HeldBack { to, alert, .. }) = told.held_back.take() else { continue };
            told.tell(to, now);
            due.push(alert);
        }
        due
    }

    /// Keeps only the members that are known to be in some state, and holds back only what still holds.
    pub(super) fn keep(&mut self, state: impl Fn(&Kind, &MemberId) -> Option<HealthState>) {
        let agenda = &mut self.agenda;
        self.members.retain(|(kind, member), told| {
            let state = state(kind, member);
            if let Some(gone) = told.held_back.take_if(|held_back| Some(held_back.to) != state) {
                agenda.remove(&(gone.due, kind.clone(), member.clone()));
            }
            state.is_some()
        });
    }

    /// Counts a member as told to be in a state.
    #[cfg(feature = "alerts")]
    pub(super) fn mark(&mut self, who: &Who, to: HealthState, at: Timestamp) {
        self.members.entry(who.clone()).or_default().tell(to, at);
    }

    pub(super) fn forget(&mut self, kind: &Kind, member: &MemberId) {
        let key = (kind.clone(), member.clone());
        self.let_go(&key);
        self.members.remove(&key);
    }

    fn hear_of(&mut self, now: Timestamp) {
        let was_set_back = self.newest.duration_since(now) > DISORDER;
        self.newest = if was_set_back { now } else { self.newest.max(now) };
    }

    /// Holds nothing back any more of a member; returns what was.
    pub(super) fn let_go(&mut self, key: &Who) -> Option<T> {
        let HeldBack { due, alert, .. } = self.members.get_mut(key)?.held_back.take()?;
        self.agenda.remove(&(due, key.0.clone(), key.1.clone()));
        Some(alert)
    }

    fn prune(&mut self, at: Timestamp) {
        self.members.retain(|_, told| told.matters(at, self.lasts));
        self.prune_at = FEW.max(self.members.len() * 2);
    }
}

impl<T> Told<T> {
    fn tell(&mut self, to: HealthState, at: Timestamp) {
        self.last[to as usize] = Some(at);
        self.is_open = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKER: Kind = Kind::WORKER;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn id(name: &str) -> MemberId {
        MemberId::new(name).unwrap()
    }

    fn minute() -> Cooldown<i64> {
        Cooldown::new(Duration::from_mins(1))
    }

    impl Cooldown<i64> {
        /// What is held back is when it happened.
        fn admits_at(&mut self, kind: &Kind, name: &str, to: HealthState, seconds: i64) -> bool {
            self.admits(kind, &id(name), to, at(seconds), || seconds)
        }

        fn failed(&mut self, seconds: i64) -> bool {
            self.admits_at(&WORKER, "a", HealthState::Failed, seconds)
        }
    }

    #[test]
    fn what_was_held_back_is_told_when_the_cooldown_is_over() {
        let mut cooldown = minute();
        assert!(cooldown.failed(0) && !cooldown.failed(10));
        assert_eq!(cooldown.due(), Some(at(60)));
        assert_eq!(cooldown.take_due(at(59)), [0; 0]);
        assert_eq!(cooldown.take_due(at(60)), [10]);
        assert_eq!((cooldown.due(), cooldown.take_due(at(61))), (None, vec![]));
        assert!(!cooldown.failed(119), "it counts from when it was told");
        assert!(cooldown.admits_at(&WORKER, "a", HealthState::Healthy, 119), "its end is told too");
    }

    #[test]
    fn what_no_longer_holds_when_the_cooldown_is_over_is_not_told() {
        for to in [HealthState::Healthy, HealthState::Left, HealthState::Critical] {
            let mut cooldown = minute();
            assert!(cooldown.failed(0) && !cooldown.failed(10));
            cooldown.admits_at(&WORKER, "a", to, 20);
            assert_eq!((cooldown.due(), cooldown.take_due(at(60))), (None, vec![]), "{to}");
        }
        let mut cooldown = minute();
        assert!(cooldown.failed(0) && !cooldown.failed(10));
        cooldown.forget(&WORKER, &id("a"));
        assert_eq!((cooldown.due(), cooldown.take_due(at(60))), (None, vec![]));
    }

    #[test]
    fn whoever_changed_its_state_unheard_is_not_told_to_be_in_the_one_before() {
        let mut cooldown = minute();
        for name in ["a", "b"] {
            cooldown.admits_at(&WORKER, name, HealthState::Failed, 0);
            cooldown.admits_at(&WORKER, name, HealthState::Failed, 10);
        }
        let state = |member: &MemberId| if *member == id("a") { HealthState::Healthy } else { HealthState::Failed };
        cooldown.keep(|_, member| Some(state(member)));
        assert_eq!(cooldown.take_due(at(60)), [10]);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_back_for_longer() {
        let mut cooldown = minute();
        assert!(cooldown.failed(3_600) && !cooldown.failed(3_610));
        assert_eq!(cooldown.take_due(at(10)), [3_610]);
    }

    #[test]
    fn events_that_come_out_of_order_let_nothing_go_early() {
        let mut cooldown = minute();
        assert!(cooldown.failed(0) && !cooldown.failed(10));
        assert_eq!((cooldown.take_due(at(12)), cooldown.take_due(at(8))), (vec![], vec![]));
        assert_eq!(cooldown.take_due(at(60)), [10]);
    }

    #[test]
    fn a_second_alert_into_the_same_state_is_suppressed_until_the_cooldown_is_over() {
        let mut cooldown = minute();
        let mut failed = |seconds| cooldown.failed(seconds);
        assert_eq!([0, 1, 59, 60, 61, 119, 120].map(&mut failed), [true, false, false, true, false, false, true]);
    }

    #[test]
    fn each_kind_member_and_state_has_a_cooldown_of_its_own() {
        let mut cooldown = minute();
        for told in [true, false] {
            for state in [HealthState::Degraded, HealthState::Critical, HealthState::Failed] {
                assert_eq!(cooldown.admits_at(&WORKER, "a", state, 0), told);
                assert_eq!(cooldown.admits_at(&WORKER, "b", state, 0), told);
                assert_eq!(cooldown.admits_at(&Kind::HIVE, "a", state, 0), told);
            }
        }
    }

    #[test]
    fn a_recovery_is_told_exactly_if_something_was_told_since_the_last_one() {
        let mut cooldown = minute();
        let mut admits = |to, seconds| cooldown.admits_at(&WORKER, "a", to, seconds);
        assert!(!admits(HealthState::Healthy, 0));
        assert!(admits(HealthState::Failed, 1));
        assert!(admits(HealthState::Healthy, 2));
        assert!(!admits(HealthState::Failed, 3));
        assert!(!admits(HealthState::Healthy, 4));
        assert!(admits(HealthState::Degraded, 5));
        assert!(!admits(HealthState::Failed, 6));
        assert!(admits(HealthState::Healthy, 7));
    }

    #[test]
    fn a_goodbye_ends_what_was_told() {
        let mut cooldown = minute();
        cooldown.admits_at(&WORKER, "a", HealthState::Failed, 0);
        cooldown.admits_at(&WORKER, "a", HealthState::Left, 1);
        assert!(!cooldown.admits_at(&WORKER, "a", HealthState::Healthy, 2));
    }

    #[test]
    fn without_a_cooldown_nothing_is_suppressed() {
        let mut cooldown = Cooldown::<i64>::new(Duration::ZERO);
        for _ in 0..3 {
            assert!(cooldown.admits_at(&WORKER, "a", HealthState::Failed, 0));
        }
    }

    #[test]
    fn the_longest_cooldown_there_is_never_ends() {
        let mut cooldown = Cooldown::<i64>::new(Duration::MAX);
        assert!(cooldown.admits_at(&WORKER, "a", HealthState::Failed, 0));
        assert!(!cooldown.admits_at(&WORKER, "a", HealthState::Failed, 1_000_000_000));
    }

    #[test]
    fn a_clock_that_was_set_back_suppresses_nothing_for_longer_than_the_cooldown() {
        let mut cooldown = minute();
        let mut failed = |seconds| cooldown.failed(seconds);
        assert_eq!([3_600, 0, 59, 60].map(&mut failed), [true, true, false, true]);
    }

    #[test]
    fn whoever_is_well_and_past_the_cooldown_is_not_kept() {
        let mut cooldown = minute();
        for n in 0..10_000_i64 {
            let name = format!("w{n}");
            assert!(cooldown.admits_at(&WORKER, &name, HealthState::Failed, n));
            assert!(cooldown.admits_at(&WORKER, &name, HealthState::Healthy, n));
        }
        assert!(cooldown.members.len() <= 3 * FEW, "{} members are kept", cooldown.members.len());
    }

    #[test]
    fn whoever_is_forgotten_begins_anew() {
        let mut cooldown = minute();
        for name in ["a", "b", "c"] {
            cooldown.admits_at(&WORKER, name, HealthState::Failed, 0);
        }
        cooldown.forget(&WORKER, &id("a"));
        cooldown.keep(|_, member| (*member != id("b")).then_some(HealthState::Failed));
        let again = ["a", "b", "c"].map(|name| cooldown.admits_at(&WORKER, name, HealthState::Failed, 1));
        assert_eq!(again, [true, true, false]);
    }
}
