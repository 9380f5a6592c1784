//! Which failures of a command that runs again are not worth telling. Plain arithmetic.

use std::time::Duration;

use super::STABLE;

/// Passes over failures that another run makes good, as long as they are few in a row.
#[derive(Debug)]
pub(super) struct Tolerance {
    most: u32,
    in_a_row: u32,
}

impl Tolerance {
    pub(super) fn new(most: u32) -> Self {
        Self { most, in_a_row: 0 }
    }

    /// Whether nothing is told of the end of a run of this length that another run follows.
    pub(super) fn passes_over(&mut self, ran: Duration, has_failed: bool) -> bool {
        if ran >= STABLE || !has_failed {
            self.in_a_row = 0;
        }
        if !has_failed {
            return false;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.in_a_row <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn so_many_failures_in_a_row_are_passed_over_and_those_after_them_are_not() {
        let mut tolerance = Tolerance::new(2);
        let passed_over = [(); 5].map(|()| tolerance.passes_over(S, true));
        assert_eq!(passed_over, [true, true, false, false, false]);
        assert!(!Tolerance::new(0).passes_over(S, true));
    }

    #[test]
    fn a_row_ends_with_a_success_and_begins_anew_with_a_run_of_a_minute() {
        let mut tolerance = Tolerance::new(1);
        assert!(tolerance.passes_over(S, true));
        assert!(!tolerance.passes_over(S, false), "a success is told");
        assert!(tolerance.passes_over(S, true));
        assert!(!tolerance.passes_over(59 * S, true));
        assert!(tolerance.passes_over(60 * S, true), "the first of a new row");
        assert!(!tolerance.passes_over(S, true));
    }
}
