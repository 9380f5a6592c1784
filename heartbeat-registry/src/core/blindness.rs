//! How much of the recent past the registry could not listen, and whether that is too much.

/// The time looked back on, in microseconds.
pub(crate) const WINDOW: u64 = 300_000_000;
/// It goes by in steps, so that what is kept has one size.
const STEP: u64 = 5_000_000;
const STEPS: usize = (WINDOW / STEP) as usize;
/// More credited than this is too much: a fifth of the window.
const TOO_MUCH: u64 = WINDOW / 5;
/// It is over once there is no more than this: a tenth, so that what hovers about a fifth is told once.
const OVER: u64 = WINDOW / 10;

/// What was credited, and how long canaries took, over the last five minutes.
#[derive(Debug)]
pub(crate) struct Blindness {
    steps: [Step; STEPS],
    /// The number of the newest step, from the origin of the clock.
    newest: u64,
    /// All that was credited when it was last looked at.
    total: u64,
    is_too_much: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Step {
    credited: u64,
    longest_lag: Option<u64>,
}

/// It became too much, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    pub(crate) is_too_much: bool,
    /// What is credited within the window, in microseconds.
    pub(crate) credited: u64,
}

impl Blindness {
    pub(crate) fn new() -> Self {
        Self { steps: [Step::default(); STEPS], newest: 0, total: 0, is_too_much: false }
    }

    /// Takes in all that the virtual clock has credited up to a monotonic time; tells if that changes the verdict.
    pub(crate) fn look(&mut self, mono: u64, total: u64) -> Option<Turn> {
        self.pass(mono);
        self.spread(mono, total.saturating_sub(self.total));
        self.total = self.total.max(total);
        let credited = self.credited();
        let is_too_much = if self.is_too_much { credited > OVER } else { credited > TOO_MUCH };
        let turned = std::mem::replace(&mut self.is_too_much, is_too_much) != is_too_much;
        turned.then_some(Turn { is_too_much, credited })
    }

    /// Takes in how long a canary took.
    #[cfg(any(feature = "http", test))]
    pub(crate) fn canary_took(&mut self, mono: u64, lag: u64) {
        self.pass(mono);
        let step = self.step(self.newest);
        step.longest_lag = step.longest_lag.max(Some(lag));
    }

    /// Lets time go by.
    pub(crate) fn pass(&mut self, mono: u64) {
        let newest = mono / STEP;
        for number in (self.newest + 1..=newest).rev().take(STEPS) {
            *self.step(number) = Step::default();
        }
        self.newest = self.newest.max(newest);
    }

    /// What is credited within the window, in microseconds.
    pub(crate) fn credited(&self) -> u64 {
        self.steps.iter().map(|step| step.credited).sum()
    }

    /// The longest that a canary took within the window, in microseconds.
    pub(crate) fn longest_lag(&self) -> Option<u64> {
        self.steps.iter().filter_map(|step| step.longest_lag).max()
    }

    pub(crate) fn is_too_much(&self) -> bool {
        self.is_too_much
    }

    /// Puts down what was credited just now where it was lost: before now.
    fn spread(&mut self, mono: u64, credited: u64) {
        let mut left = credited;
        let mut room = mono % STEP;
        for back in 0..STEPS as u64 {
            let Some(number) = self.newest.checked_sub(back) else { return };
            let part = left.min(room);
            self.step(number).credited += part;
            left -= part;
            room = STEP;
        }
    }

    fn step(&mut self, number: u64) -> &mut Step {
        &mut self.steps[(number % STEPS as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;
    const TEN_MINUTES: u64 = 600 * S;

    fn turn(is_too_much: bool, seconds: u64) -> Option<Turn> {
        Some(Turn { is_too_much, credited: seconds * S })
    }

    #[test]
    fn more_than_a_fifth_of_five_minutes_is_too_much_and_told_once() {
        let mut blindness = Blindness::new();
        assert_eq!(blindness.look(TEN_MINUTES, 60 * S), None, "a fifth is not more than a fifth");
        assert_eq!(blindness.look(TEN_MINUTES + S, 61 * S), turn(true, 61));
        assert_eq!(blindness.look(TEN_MINUTES + 2 * S, 62 * S), None);
        assert!(blindness.is_too_much());
    }

    #[test]
    fn it_is_over_when_no_more_than_a_tenth_is_left_and_may_begin_anew() {
        let mut blindness = Blindness::new();
        assert_eq!(blindness.look(TEN_MINUTES, 80 * S), turn(true, 80));
        // What is lost from 520 s on leaves the window bit by bit from 820 s on.
        assert_eq!(blindness.look(TEN_MINUTES + 264 * S, 80 * S), None);
        assert_eq!(blindness.look(TEN_MINUTES + 265 * S, 80 * S), turn(false, 30));
        assert_eq!(blindness.look(TEN_MINUTES + 271 * S, 110 * S), None);
        assert_eq!(blindness.look(TEN_MINUTES + 272 * S, 116 * S), turn(true, 61));
    }

    #[test]
    fn a_stop_longer_than_the_window_fills_it_and_no_more() {
        let mut blindness = Blindness::new();
        let told = blindness.look(12 * TEN_MINUTES + 3 * S, 6 * TEN_MINUTES).unwrap();
        assert!(told.is_too_much && told.credited > 295 * S && told.credited <= WINDOW, "{told:?}");
        assert_eq!(blindness.look(13 * TEN_MINUTES, 6 * TEN_MINUTES), turn(false, 0));
    }

    #[test]
    fn little_by_little_counts_too() {
        let mut blindness = Blindness::new();
        let turned = (1..=1000_u64).find(|n| blindness.look(n * S, n * S / 4).is_some());
        assert_eq!(turned, Some(241), "a quarter of four minutes is a fifth of five");
    }

    #[test]
    fn the_longest_lag_is_that_of_the_window() {
        let mut blindness = Blindness::new();
        assert_eq!(blindness.longest_lag(), None);
        for (at, lag) in [(S, 5), (2 * S, 700), (100 * S, 3)] {
            blindness.canary_took(at, lag);
        }
        assert_eq!(blindness.longest_lag(), Some(700));
        blindness.pass(303 * S);
        assert_eq!(blindness.longest_lag(), Some(3));
        blindness.pass(TEN_MINUTES);
        assert_eq!(blindness.longest_lag(), None);
    }
}
