//! For which share of the last day members were available: known and not failed.
//!
//! Time is that of the virtual clock, kept by hours; of the hour in which the day began, the same share counts as lies
//! within the day.

use heartbeat_contract::HealthState;

use super::member::{Cold, Hot};
use super::now::Now;
use super::table::Table;

const HOUR: u64 = 3_600_000_000;
const DAY: u64 = 24 * HOUR;
/// The hours that a day may touch.
const HOURS: usize = 25;

/// In how much of the last hours one member was failed, and had left, in microseconds; kept only of those that ever were.
pub(crate) type Absences = Ring<[u32; 2]>;

/// What is counted in each of the last hours.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ring<T> {
    /// The newest hour, by number.
    newest: u64,
    hours: [T; HOURS],
}

impl<T: Copy + Default> Ring<T> {
    /// Moves on to an hour, and forgets what lies too far back.
    fn roll(&mut self, hour: u64) {
        let gone_by = (self.newest + 1..=hour).rev().take(HOURS);
        gone_by.for_each(|hour| self.hours[place(hour)] = T::default());
        self.newest = self.newest.max(hour);
    }

    fn of(&mut self, hour: u64) -> &mut T {
        self.roll(hour);
        &mut self.hours[place(hour)]
    }

    /// The sum over the day that ends at a moment.
    fn within_day(&mut self, at: u64, part: impl Fn(&T) -> u64) -> u64 {
        self.roll(at / HOUR);
        let begin = at.saturating_sub(DAY);
        let first = begin / HOUR;
        let whole: u64 = (first + 1..=at / HOUR).map(|hour| part(&self.hours[place(hour)])).sum();
        let within = u128::from(HOUR - begin % HOUR);
        whole + (u128::from(part(&self.hours[place(first)])) * within / u128::from(HOUR)) as u64
    }
}

const fn place(hour: u64) -> usize {
    (hour % HOURS as u64) as usize
}

/// A stretch of time in pieces: hour and microseconds within it. What is too long ago is left out.
fn by_hour(from: u64, to: u64) -> impl Iterator<Item = (u64, u64)> {
    let first = (from / HOUR).max((to / HOUR).saturating_sub(HOURS as u64 - 1));
    let within = move |hour: u64| to.min((hour + 1) * HOUR).saturating_sub(from.max(hour * HOUR));
    (first..=to / HOUR).map(move |hour| (hour, within(hour)))
}

impl Absences {
    /// Counts the time that a state lasted, if it was an absence.
    fn add(&mut self, state: HealthState, from: u64, to: u64) {
        let part = match state {
            HealthState::Failed => 0,
            HealthState::Left => 1,
            _ => return,
        };
        for (hour, time) in by_hour(from, to) {
            self.of(hour)[part] += u32::try_from(time).expect("the microseconds of an hour fit");
        }
    }
}

impl Cold {
    /// Its state has lasted until now, and ends.
    pub(super) fn end_state(&mut self, state: HealthState, since: u64, at: u64) {
        if !state.is_online() {
            self.absences.get_or_insert_default().add(state, since, at);
        }
    }

    /// The share of the last 24 h, or since it is known, in which it was not failed; the time in which it had left does
    /// not count. `None` if no time counts.
    pub(crate) fn availability(&self, hot: &Hot, now: &Now) -> Option<f64> {
        let at = now.at;
        let mut absences = self.absences.as_deref().copied().unwrap_or_default();
        absences.add(hot.state, self.state_since, at);
        let [failed, left] = [0, 1].map(|part| absences.within_day(at, |hour| hour[part].into()));
        let known = at.saturating_sub(self.known_since.max(at.saturating_sub(DAY)));
        let counts = known.saturating_sub(left);
        share(failed.min(counts), counts)
    }
}

/// The time of all members of a table, added up as their numbers change.
#[derive(Clone, Debug, Default)]
pub(super) struct Uptime {
    /// Up to when it is added up.
    at: u64,
    /// How many members count, and how many of them are failed.
    members: [u64; 2],
    hours: Ring<[u64; 2]>,
}

impl Uptime {
    /// A member enters another state, or becomes known or unknown.
    pub(super) fn change(&mut self, from: Option<HealthState>, to: Option<HealthState>, at: u64) {
        self.advance(at);
        let counts = |state: HealthState| [state != HealthState::Left, state == HealthState::Failed].map(u64::from);
        let [less, more] = [from, to].map(|state| state.map(counts).unwrap_or_default());
        for (part, members) in self.members.iter_mut().enumerate() {
            *members = *members + more[part] - less[part];
        }
    }

    fn advance(&mut self, at: u64) {
        let members = self.members;
        for (hour, time) in by_hour(self.at, at.max(self.at)) {
            let sums = self.hours.of(hour);
            for (sum, members) in sums.iter_mut().zip(members) {
                *sum += members * time;
            }
        }
        self.at = self.at.max(at);
    }
}

impl Table {
    /// How much time of members counts within the last 24 h, and in how much of it they were failed, in microseconds.
    pub(crate) fn uptime(&mut self, now: &Now) -> [u64; 2] {
        self.uptime.advance(now.at);
        [0, 1].map(|part| self.uptime.hours.within_day(self.uptime.at, |hour| hour[part]))
    }
}

/// The share of the time that counts in which nothing was failed.
pub(crate) fn share(failed: u64, counts: u64) -> Option<f64> {
    (counts > 0).then(|| 1.0 - failed as f64 / counts as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stretch_is_cut_at_hours_and_what_is_too_long_ago_is_left_out() {
        let cut = |from, to| by_hour(from, to).collect::<Vec<_>>();
        assert_eq!(cut(HOUR - 5, HOUR + 7), [(0, 5), (1, 7)]);
        assert_eq!(cut(0, 100 * HOUR).len(), 25);
        assert_eq!(cut(0, 100 * HOUR).last(), Some(&(100, 0)));
    }

    #[test]
    fn what_was_more_than_a_day_ago_is_forgotten_however_long_nothing_happened() {
        for later in [25 * HOUR, 26 * HOUR, 50 * HOUR, 75 * HOUR + 1] {
            let mut absences = Absences::default();
            absences.add(HealthState::Failed, 0, HOUR);
            assert_eq!(absences.within_day(2 * HOUR, |hour| hour[0].into()), HOUR);
            assert_eq!(absences.within_day(later, |hour| hour[0].into()), 0, "{later}");
        }
    }

    #[test]
    fn of_the_hour_in_which_the_day_began_its_share_counts() {
        let mut absences = Absences::default();
        absences.add(HealthState::Failed, 0, HOUR);
        assert_eq!(absences.within_day(DAY + HOUR / 4, |hour| hour[0].into()), 3 * HOUR / 4);
    }

    #[test]
    fn the_time_of_all_members_is_added_up_as_their_numbers_change() {
        let mut uptime = Uptime::default();
        let at = |hours: u64| hours * HOUR;
        uptime.change(None, Some(HealthState::Healthy), at(1));
        uptime.change(None, Some(HealthState::Healthy), at(2));
        uptime.change(Some(HealthState::Healthy), Some(HealthState::Failed), at(3));
        uptime.change(Some(HealthState::Failed), None, at(5));
        uptime.change(Some(HealthState::Healthy), Some(HealthState::Left), at(6));
        uptime.advance(at(20));
        let [counted, failed] = [0, 1].map(|part| uptime.hours.within_day(at(20), |hour| hour[part]));
        assert_eq!((counted, failed), (at(1 + 2 + 4 + 1), at(2)));
    }
}
