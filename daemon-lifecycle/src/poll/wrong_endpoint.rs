use std::time::Duration;

use crate::probe::ProbeFailure;

/// However long it has gone on: fewer answers than this are no proof.
const AT_LEAST: u32 = 3;

/// For how long nothing has come but the answers of an endpoint that is not the one that was meant. A daemon on its way
/// up may give them for a moment, as long as it has no routes yet, or an ingress before it in its stead.
#[derive(Debug)]
pub(crate) struct WrongEndpoint {
    timeout: Option<Duration>,
    /// When the first of them came.
    since: Duration,
    in_a_row: u32,
}

impl WrongEndpoint {
    /// `None` is patient for ever.
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        Self { timeout, since: Duration::ZERO, in_a_row: 0 }
    }

    /// For how long it has been so, once that is too long.
    pub(crate) fn failed(&mut self, elapsed: Duration, failure: ProbeFailure) -> Option<Duration> {
        if !matches!(failure, ProbeFailure::TlsName | ProbeFailure::Status(404)) {
            self.in_a_row = 0;
            return None;
        }
        if self.in_a_row == 0 {
            self.since = elapsed;
        }
        self.in_a_row = self.in_a_row.saturating_add(1);
        let lasted = elapsed.saturating_sub(self.since);
        (self.in_a_row >= AT_LEAST && lasted >= self.timeout?).then_some(lasted)
    }

    pub(crate) fn succeeded(&mut self) {
        self.in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, ProbeFailure, WrongEndpoint};

    const NOT_FOUND: ProbeFailure = ProbeFailure::Status(404);

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn half_a_minute() -> WrongEndpoint {
        WrongEndpoint::new(Some(millis(30_000)))
    }

    #[test]
    fn it_is_wrong_once_it_has_lasted_as_long_as_was_said_from_the_first_answer_on() {
        let mut wrong = half_a_minute();
        for at in [5_000, 15_000, 34_999] {
            assert_eq!(wrong.failed(millis(at), NOT_FOUND), None, "{at}");
        }
        assert_eq!(wrong.failed(millis(35_000), NOT_FOUND), Some(millis(30_000)));
    }

    #[test]
    fn two_answers_are_not_enough_however_far_apart() {
        let mut wrong = half_a_minute();
        assert_eq!(wrong.failed(millis(0), NOT_FOUND), None);
        assert_eq!(wrong.failed(millis(3_600_000), NOT_FOUND), None);
        assert_eq!(wrong.failed(millis(3_600_001), NOT_FOUND), Some(millis(3_600_001)));
        let mut at_once = WrongEndpoint::new(Some(Duration::ZERO));
        let three = [0, 0, 0].map(|at| at_once.failed(millis(at), NOT_FOUND));
        assert_eq!(three, [None, None, Some(Duration::ZERO)]);
    }

    #[test]
    fn anything_else_in_between_begins_it_anew() {
        use ProbeFailure::{Redirect, Refused, Reset, Status, Tls, WrongIdentity};
        for other in [Refused, Reset, Tls, WrongIdentity, Redirect(301), Status(401), Status(403), Status(503)] {
            let mut wrong = half_a_minute();
            for (at, failure) in [(0, NOT_FOUND), (15_000, NOT_FOUND), (20_000, other), (21_000, NOT_FOUND)] {
                assert_eq!(wrong.failed(millis(at), failure), None, "{other}");
            }
            assert_eq!(wrong.failed(millis(40_000), NOT_FOUND), None, "{other}");
            assert_eq!(wrong.failed(millis(50_999), NOT_FOUND), None, "{other}");
            assert_eq!(wrong.failed(millis(51_000), NOT_FOUND), Some(millis(30_000)), "{other}");
        }
        let mut wrong = half_a_minute();
        wrong.failed(millis(0), NOT_FOUND);
        wrong.failed(millis(1), NOT_FOUND);
        wrong.succeeded();
        assert_eq!(wrong.failed(millis(60_000), NOT_FOUND), None);
    }

    #[test]
    fn a_certificate_for_another_name_and_a_404_are_the_same_mistake() {
        let mut wrong = half_a_minute();
        assert_eq!(wrong.failed(millis(0), ProbeFailure::TlsName), None);
        assert_eq!(wrong.failed(millis(15_000), NOT_FOUND), None);
        assert_eq!(wrong.failed(millis(30_000), ProbeFailure::TlsName), Some(millis(30_000)));
    }

    #[test]
    fn without_a_timeout_it_may_last_for_ever() {
        let mut patient = WrongEndpoint::new(None);
        assert!((0..1_000).all(|hour| patient.failed(millis(hour * 3_600_000), NOT_FOUND).is_none()));
    }
}
