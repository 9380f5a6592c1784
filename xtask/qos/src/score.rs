//! Chen's metrics (Chen, Toueg, Aguilera: On the quality of service of failure detectors, IEEE TC 51(5), 2002).

use std::ops::Range;

use crate::detector::Detector;
use crate::trace::{Beat, Freeze, Trace};

/// Beats that warm a detector up before it is scored.
pub(crate) const WARM_UP: usize = 2_000;

/// How a detector did on a stretch of one trace. Times are in intervals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// From sending the last beat before a death to the suspicion: mean, 99th percentile, longest.
    pub(crate) mean_td: f64,
    pub(crate) p99_td: f64,
    pub(crate) max_td: f64,
    pub(crate) mistakes: u64,
    pub(crate) mistaken_for: f64,
    pub(crate) span: f64,
}

impl Score {
    pub(crate) fn per_million(&self) -> f64 {
        self.mistakes as f64 / self.span * 1e6
    }

    /// The probability that a query at any time is answered right.
    pub(crate) fn p_a(&self) -> f64 {
        1.0 - self.mistaken_for / self.span
    }
}

/// What a sweep needs to know, which takes less time and no memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Glance {
    pub(crate) mean_td: f64,
    pub(crate) mistakes: u64,
    pub(crate) span: f64,
}

pub(crate) fn score(trace: &Trace, scored: Range<usize>, detector: &mut dyn Detector) -> Score {
    let mut times = Vec::with_capacity(scored.len());
    let (mistakes, mistaken_for) = follow(trace, &scored, detector, |time| times.push(time));
    if times.is_empty() {
        return Score::default();
    }
    let mean_td = times.iter().sum::<f64>() / times.len() as f64;
    let max_td = times.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let rank = (times.len() * 99).div_ceil(100) - 1;
    let (_, p99_td, _) = times.select_nth_unstable_by(rank, f64::total_cmp);
    Score { mean_td, p99_td: *p99_td, max_td, mistakes, mistaken_for, span: span(trace, &scored) }
}

pub(crate) fn glance(trace: &Trace, scored: Range<usize>, detector: &mut dyn Detector) -> Glance {
    let mut sum = 0.0;
    let (mistakes, _) = follow(trace, &scored, detector, |time| sum += time);
    Glance { mean_td: sum / scored.len() as f64, mistakes, span: span(trace, &scored) }
}

fn span(trace: &Trace, scored: &Range<usize>) -> f64 {
    let until = trace.beats.get(scored.end).or(trace.beats.last());
    until.map_or(0.0, |until| until.arrived - trace.beats[scored.start].arrived)
}

/// Tells the detection time of each beat that is scored; returns how often, and for how long, the detector was mistaken.
fn follow(trace: &Trace, scored: &Range<usize>, detector: &mut dyn Detector, mut tell: impl FnMut(f64)) -> (u64, f64) {
    let (mut mistakes, mut mistaken_for) = (0, 0.0);
    let mut clock = Clock { freezes: &trace.freezes, credited: 0.0 };
    let mut trusted_until = f64::INFINITY;
    for (index, beat) in trace.beats.iter().enumerate().take(scored.end + 1) {
        let was_suspected = beat.arrived > trusted_until;
        if was_suspected && index > scored.start {
            mistakes += 1;
            mistaken_for += beat.arrived - trusted_until;
        }
        trusted_until = clock.suspicion(beat, detector.hear(beat, was_suspected));
        if scored.contains(&index) {
            tell(trusted_until - beat.sent);
        }
    }
    (mistakes, mistaken_for)
}

/// From the clock that judges back to the one on the wall.
struct Clock<'a> {
    freezes: &'a [Freeze],
    credited: f64,
}

impl Clock<'_> {
    /// When the member is suspected if nothing more comes. A beat that was late already is suspected at once.
    fn suspicion(&mut self, beat: &Beat, deadline: f64) -> f64 {
        let is_past = |freeze: &Freeze, at: f64| freeze.at < at;
        while let [freeze, later @ ..] = self.freezes
            && is_past(freeze, beat.at)
        {
            self.credited = freeze.credited;
            self.freezes = later;
        }
        let judged = deadline.max(beat.at);
        let credited = self.freezes.iter().take_while(|freeze| is_past(freeze, judged)).last();
        (judged + credited.map_or(self.credited, |freeze| freeze.credited)).max(beat.arrived)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Fixed;

    fn beats(arrivals: &[(u64, f64)]) -> Trace {
        Trace::of(arrivals.iter().map(|&(tick, arrived)| Beat::new(tick, tick as f64, arrived)).collect())
    }

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn a_tiny_trace_scores_as_computed_by_hand() {
        // Deadlines at 2.6, 3.7, 6.6 and 8.5: the last three beats are late by 1.4, 0.4 and 0.5.
        let trace = beats(&[(1, 1.1), (2, 2.2), (5, 5.1), (6, 7.0), (9, 9.0)]);
        let score = score(&trace, 0..5, &mut Fixed::new(1.5));
        assert_eq!(score.mistakes, 3);
        assert_near(score.mistaken_for, 1.4 + 0.4 + 0.5);
        assert_near(score.span, 7.9);
        assert_near(score.mean_td, (1.6 + 1.7 + 1.6 + 2.5 + 1.5) / 5.0);
        assert_near(score.max_td, 2.5);
        assert_near(score.p99_td, 2.5);
        assert_near(score.per_million(), 3.0 / 7.9 * 1e6);
        assert_near(score.p_a(), 1.0 - 2.3 / 7.9);
    }

    #[test]
    fn what_warms_up_is_not_scored_but_its_last_beat_may_be_followed_by_a_mistake() {
        let trace = beats(&[(1, 1.0), (4, 4.0), (5, 5.0), (8, 8.0)]);
        let late = |scored: Range<usize>| score(&trace, scored, &mut Fixed::new(1.5)).mistakes;
        assert_eq!((late(0..4), late(1..4), late(1..2), late(2..3), late(3..4)), (2, 1, 0, 1, 0));
    }

    #[test]
    fn a_deadline_before_the_arrival_is_suspicion_at_once() {
        struct Never;
        impl Detector for Never {
            fn hear(&mut self, _: &Beat, _: bool) -> f64 {
                0.0
            }
        }
        let trace = beats(&[(1, 1.5), (2, 2.5)]);
        let score = score(&trace, 0..2, &mut Never);
        assert_eq!((score.mistakes, score.mistaken_for, score.mean_td), (1, 1.0, 0.5));
    }

    #[test]
    fn credited_time_delays_suspicion_and_is_part_of_the_detection_time() {
        let mut trace = beats(&[(1, 1.0), (2, 6.0), (3, 6.0)]);
        // From 1.5 to 6.0 the clock that judges stands still.
        trace.freezes = vec![Freeze { at: 1.5, credited: 4.5 }];
        for beat in &mut trace.beats[1..] {
            beat.at = 1.5;
        }
        let score = score(&trace, 0..3, &mut Fixed::new(2.0));
        assert_eq!(score.mistakes, 0);
        assert_near(score.max_td, 7.5 - 1.0);
        assert_near(score.mean_td, (6.5 + 6.0 + 5.0) / 3.0);
    }
}
