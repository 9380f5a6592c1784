//! Members that change their state too often.

use heartbeat_contract::{EventBody, HealthState};

use super::member::{Cold, Hot};
use super::now::Now;
use super::table::{Fact, Table};

/// One recovery, in the fixed point of scores.
const ONE: u64 = 1 << 16;
/// A member flaps from this score on, and until its score is below [`ONE`].
const TOO_MANY: u64 = 3 * ONE;
/// The shortest half-life, in microseconds.
const SHORTEST_HALF_LIFE: u64 = 600_000_000;
/// The half-life in judged intervals, where that is longer.
const HALF_LIFE_INTERVALS: u64 = 20;

/// How often a member recovered lately: each recovery counts for one, and half as much a half-life later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flaps {
    /// The score as it was at a virtual time.
    score: u64,
    at: u64,
    is_flapping: bool,
}

impl Flaps {
    /// The score at a moment. Between half-lives it falls evenly, so that whole numbers suffice.
    fn score(&self, at: u64, half_life: u64) -> u64 {
        let elapsed = at.saturating_sub(self.at);
        let halves = u32::try_from(elapsed / half_life).unwrap_or(u32::MAX);
        let score = self.score.checked_shr(halves).unwrap_or(0);
        let fallen = u128::from(score) * u128::from(elapsed % half_life) / (2 * u128::from(half_life));
        score - fallen as u64
    }

    /// The first moment at which the score is below one.
    fn settles_at(&self, half_life: u64) -> u64 {
        let (mut score, mut at) = (self.score, self.at);
        while score >= 2 * ONE {
            score /= 2;
            at = at.saturating_add(half_life);
        }
        if score < ONE {
            return at;
        }
        let to_fall = u128::from(score - ONE + 1) * 2 * u128::from(half_life);
        at.saturating_add(half_life.min(to_fall.div_ceil(score.into()) as u64))
    }

    fn recovered(&mut self, at: u64, half_life: u64) {
        *self = Self { score: self.score(at, half_life).saturating_add(ONE), at, ..*self };
    }
}

fn half_life(hot: &Hot) -> u64 {
    SHORTEST_HALF_LIFE.max(HALF_LIFE_INTERVALS * hot.interval())
}

impl Table {
    /// Counts a change of state if it is a recovery, and tells once that there are too many.
    pub(super) fn count_flap(
        &mut self,
        slot: u32,
        from: HealthState,
        to: HealthState,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) {
        if to != HealthState::Healthy || matches!(from, HealthState::Healthy | HealthState::Left) {
            return;
        }
        let (hot, cold) = self.both(slot);
        let flaps = cold.flaps.get_or_insert_default();
        flaps.recovered(now.at, half_life(hot));
        if flaps.score >= TOO_MANY && !std::mem::replace(&mut flaps.is_flapping, true) {
            let zone = cold.zone.clone();
            facts.push(self.fact(slot, EventBody::Flapping { zone, active: true }));
        }
    }

    /// Tells that a member has settled, if it has; returns when to look again otherwise.
    pub(super) fn settle_flapping(&mut self, slot: u32, now: &Now, facts: &mut Vec<Fact>) -> Option<u64> {
        let (hot, cold) = self.both(slot);
        let flaps = cold.flaps.as_mut().filter(|flaps| flaps.is_flapping)?;
        let due = flaps.settles_at(half_life(hot));
        if now.at < due {
            return Some(due);
        }
        flaps.is_flapping = false;
        let zone = cold.zone.clone();
        facts.push(self.fact(slot, EventBody::Flapping { zone, active: false }));
        None
    }
}

impl Cold {
    pub(crate) fn is_flapping(&self) -> bool {
        self.flaps.as_ref().is_some_and(|flaps| flaps.is_flapping)
    }

    /// How often it recovered lately.
    pub(crate) fn flap_score(&self, hot: &Hot, now: &Now) -> f64 {
        self.flaps.as_ref().map_or(0.0, |flaps| flaps.score(now.at, half_life(hot)) as f64 / ONE as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u64 = SHORTEST_HALF_LIFE;

    #[test]
    fn a_score_halves_with_each_half_life_and_never_grows_by_itself() {
        let flaps = Flaps { score: 4 * ONE, at: 1_000, is_flapping: true };
        let at = |elapsed: u64| flaps.score(1_000 + elapsed, HALF);
        assert_eq!([0, HALF, 2 * HALF, 3 * HALF].map(at), [4 * ONE, 2 * ONE, ONE, ONE / 2]);
        assert_eq!(at(HALF / 2), 3 * ONE);
        assert_eq!([at(100 * HALF), at(u64::MAX - 1_000)], [0, 0]);
        assert!((0..4_000).map(|step| at(step * HALF / 1_000)).is_sorted_by(|before, after| before >= after));
    }

    #[test]
    fn the_half_life_is_ten_minutes_or_twenty_intervals_if_that_is_longer() {
        let at_interval = |ms| {
            let mut hot = Hot::for_test();
            hot.interval_ms = ms;
            half_life(&hot)
        };
        let minutes = |n: u64| n * 60_000_000;
        assert_eq!([1_000, 30_000, 30_001].map(at_interval), [minutes(10), minutes(10), minutes(10) + 20_000]);
        assert_eq!(at_interval(3_600_000), minutes(20 * 60));
    }

    #[test]
    fn a_member_settles_as_soon_as_its_score_is_below_one() {
        for score in [1, ONE - 1, ONE, ONE + 1, 2 * ONE - 1, 2 * ONE, 3 * ONE + 7, 1_000 * ONE + 13] {
            let flaps = Flaps { score, at: 5, is_flapping: true };
            let due = flaps.settles_at(HALF);
            assert!(flaps.score(due, HALF) < ONE, "{score}");
            assert!(due == flaps.at || flaps.score(due - 1, HALF) >= ONE, "{score}");
        }
    }
}
