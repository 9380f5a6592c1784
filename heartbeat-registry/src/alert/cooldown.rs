//! Which alerts are suppressed because one like it was told a short while ago.

use std::collections::HashMap;
use std::time::Duration;

use heartbeat_contract::{HealthState, Kind, MemberId};
use jiff::{SignedDuration, Timestamp};

/// Below this many members, looking for those that no longer matter is not worth it.
const FEW: usize = 64;

/// What was told of whom, and when. Keeps members that were told of within the cooldown or are not known to be well.
#[derive(Debug)]
pub(super) struct Cooldown {
    lasts: SignedDuration,
    members: HashMap<(Kind, MemberId), Told>,
    prune_at: usize,
}

/// What was told of a member.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// When it was last told to be in each state.
    last: [Option<Timestamp>; HealthState::ALL.len()],
    /// Whether an alert since it was last healthy was told, so that its recovery is to be told too.
    is_open: bool,
}

impl Told {
    fn matters(&self, at: Timestamp, lasts: SignedDuration) -> bool {
        self.is_open || self.last.into_iter().flatten().any(|told| is_within(lasts, told, at))
    }
}

/// A wall clock that was set back tells nothing of how long ago something was; then it counts as long ago.
fn is_within(lasts: SignedDuration, told: Timestamp, at: Timestamp) -> bool {
    let since = at.duration_since(told);
    !since.is_negative() && since < lasts
}

impl Cooldown {
    pub(super) fn new(lasts: Duration) -> Self {
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        Self { lasts, members: HashMap::new(), prune_at: FEW }
    }

    /// Whether a transition of a member is to be told to those that the cooldown applies to.
    pub(super) fn admits(&mut self, kind: &Kind, member: &MemberId, to: HealthState, at: Timestamp) -> bool {
        let key = (kind.clone(), member.clone());
        match to {
            HealthState::Healthy | HealthState::Left => {
                self.members.get_mut(&key).is_some_and(|told| std::mem::take(&mut told.is_open))
            }
            HealthState::Degraded | HealthState::Critical | HealthState::Failed => self.admits_worse(key, to, at),
        }
    }

    fn admits_worse(&mut self, key: (Kind, MemberId), to: HealthState, at: Timestamp) -> bool {
        if self.members.len() >= self.prune_at {
            self.prune(at);
        }
        let told = self.members.entry(key).or_default();
        let last = &mut told.last[to as usize];
        if last.is_some_and(|last| is_within(self.lasts, last, at)) {
            return false;
        }
        *last = Some(at);
        told.is_open = true;
        true
    }

    /// Keeps only the members that are known.
    pub(super) fn keep(&mut self, is_known: impl Fn(&Kind, &MemberId) -> bool) {
        self.members.retain(|(kind, member), _| is_known(kind, member));
    }

    pub(super) fn forget(&mut self, kind: &Kind, member: &MemberId) {
        self.members.remove(&(kind.clone(), member.clone()));
    }

    fn prune(&mut self, at: Timestamp) {
        self.members.retain(|_, told| told.matters(at, self.lasts));
        self.prune_at = FEW.max(self.members.len() * 2);
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

    fn minute() -> Cooldown {
        Cooldown::new(Duration::from_mins(1))
    }

    #[test]
    fn a_second_alert_into_the_same_state_is_suppressed_until_the_cooldown_is_over() {
        let mut cooldown = minute();
        let mut failed = |seconds| cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(seconds));
        assert_eq!([0, 1, 59, 60, 61, 119, 120].map(&mut failed), [true, false, false, true, false, false, true]);
    }

    #[test]
    fn each_kind_member_and_state_has_a_cooldown_of_its_own() {
        let mut cooldown = minute();
        for told in [true, false] {
            for state in [HealthState::Degraded, HealthState::Critical, HealthState::Failed] {
                assert_eq!(cooldown.admits(&WORKER, &id("a"), state, at(0)), told);
                assert_eq!(cooldown.admits(&WORKER, &id("b"), state, at(0)), told);
                assert_eq!(cooldown.admits(&Kind::HIVE, &id("a"), state, at(0)), told);
            }
        }
    }

    #[test]
    fn a_recovery_is_told_exactly_if_something_was_told_since_the_last_one() {
        let mut cooldown = minute();
        let mut admits = |to, seconds| cooldown.admits(&WORKER, &id("a"), to, at(seconds));
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
        cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(0));
        cooldown.admits(&WORKER, &id("a"), HealthState::Left, at(1));
        assert!(!cooldown.admits(&WORKER, &id("a"), HealthState::Healthy, at(2)));
    }

    #[test]
    fn without_a_cooldown_nothing_is_suppressed() {
        let mut cooldown = Cooldown::new(Duration::ZERO);
        for _ in 0..3 {
            assert!(cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(0)));
        }
    }

    #[test]
    fn the_longest_cooldown_there_is_never_ends() {
        let mut cooldown = Cooldown::new(Duration::MAX);
        assert!(cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(0)));
        assert!(!cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(1_000_000_000)));
    }

    #[test]
    fn a_clock_that_was_set_back_suppresses_nothing_for_longer_than_the_cooldown() {
        let mut cooldown = minute();
        let mut failed = |seconds| cooldown.admits(&WORKER, &id("a"), HealthState::Failed, at(seconds));
        assert_eq!([3_600, 0, 59, 60].map(&mut failed), [true, true, false, true]);
    }

    #[test]
    fn whoever_is_well_and_past_the_cooldown_is_not_kept() {
        let mut cooldown = minute();
        for n in 0..10_000_i64 {
            let member = id(&format!("w{n}"));
            assert!(cooldown.admits(&WORKER, &member, HealthState::Failed, at(n)));
            assert!(cooldown.admits(&WORKER, &member, HealthState::Healthy, at(n)));
        }
        assert!(cooldown.members.len() <= 3 * FEW, "{} members are kept", cooldown.members.len());
    }

    #[test]
    fn whoever_is_forgotten_begins_anew() {
        let mut cooldown = minute();
        for name in ["a", "b", "c"] {
            cooldown.admits(&WORKER, &id(name), HealthState::Failed, at(0));
        }
        cooldown.forget(&WORKER, &id("a"));
        cooldown.keep(|_, member| *member != id("b"));
        let again = ["a", "b", "c"].map(|name| cooldown.admits(&WORKER, &id(name), HealthState::Failed, at(1)));
        assert_eq!(again, [true, true, false]);
    }
}
