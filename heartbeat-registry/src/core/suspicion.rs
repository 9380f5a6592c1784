//! How surprising a silence is: a diagnostic, and never a reason.

use super::adaptive::Arrivals;

/// The least deviation that is believed, in microseconds: the registry's own processing is allowed as much.
const LEAST_DEVIATION: f64 = 1_000.0;

impl Arrivals {
    /// By Cantelli's inequality (1929), whatever the distribution of delays, a beat comes as late as at `x` with a
    /// probability of at most `V / (V + (x - E)^2)`, where `E` is its expected arrival and `V` the variance, for which the
    /// square of the mean deviation stands: this is the negative decimal logarithm of that. 0 until the beat is expected;
    /// `None` before two beats with ticks have come.
    pub(crate) fn suspicion(&self, at: u64) -> Option<f64> {
        let last = self.last.filter(|_| self.ticked >= 2)?;
        let slot = u128::from(self.last_tick? + 1) * u128::from(self.interval);
        let by_slot = i64::try_from(slot).unwrap_or(i64::MAX).saturating_add(self.offset);
        // Slots that are past were skipped, or those of another pace.
        let expected = u64::try_from(by_slot).ok().filter(|expected| *expected > last);
        let late = at.saturating_sub(expected.unwrap_or(last + self.interval)) as f64;
        let variance = (self.deviation as f64).max(LEAST_DEVIATION).powi(2);
        Some(-(variance / (variance + late * late)).log10()).map(|suspicion| suspicion.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::super::adaptive::Arrival;
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn heard(jitter: u64) -> Arrivals {
        let mut arrivals = Arrivals::new(SECOND, SECOND / 4);
        for tick in 0..100 {
            let at = (tick + 10) * SECOND + if tick % 2 == 0 { jitter } else { 0 };
            arrivals.learn(Arrival { at, tick: Some(tick), tells_gap: true });
        }
        arrivals
    }

    #[test]
    fn suspicion_begins_when_a_beat_is_expected_and_grows_with_its_lateness() {
        let arrivals = heard(0);
        let at = |late: u64| arrivals.suspicion(110 * SECOND + late).unwrap();
        assert_eq!((at(0), arrivals.suspicion(109 * SECOND)), (0.0, Some(0.0)));
        // Ten times the deviation: log10(1 + 10^2).
        assert!((at(10_000) - 101_f64.log10()).abs() < 1e-9, "{}", at(10_000));
        assert!(at(SECOND) > at(10_000));
    }

    #[test]
    fn a_beat_is_expected_by_its_slot_however_late_the_one_before_was() {
        let mut arrivals = heard(0);
        arrivals.learn(Arrival { at: 110 * SECOND + SECOND / 2, tick: Some(100), tells_gap: true });
        let at = |tenths: u64| arrivals.suspicion(110 * SECOND + tenths * SECOND / 10).unwrap();
        assert_eq!(at(9), 0.0);
        assert!(at(12) > 1.0, "{}: not from an interval after the last on", at(12));
    }

    #[test]
    fn where_its_slot_is_past_a_beat_is_expected_an_interval_after_the_last() {
        let mut arrivals = heard(0);
        for last in [110 * SECOND, 115 * SECOND] {
            arrivals.last = Some(last);
            assert_eq!(arrivals.suspicion(last + SECOND - 1), Some(0.0), "{last}");
            assert!(arrivals.suspicion(last + 2 * SECOND).unwrap() > 1.0, "{last}");
        }
    }

    #[test]
    fn the_same_lateness_is_less_suspicious_of_a_member_that_is_often_late() {
        let [punctual, erratic] = [0, SECOND / 5].map(|jitter| heard(jitter).suspicion(111 * SECOND).unwrap());
        assert!(erratic < punctual / 2.0, "{erratic} {punctual}");
    }

    #[test]
    fn nothing_is_suspected_before_two_beats_with_ticks() {
        let mut arrivals = Arrivals::new(SECOND, 0);
        for at in [SECOND, 2 * SECOND, 9 * SECOND] {
            arrivals.learn(Arrival { at, tick: None, tells_gap: true });
            assert_eq!(arrivals.suspicion(20 * SECOND), None);
        }
    }
}
