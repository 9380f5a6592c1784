//! Detectors are compared at the same mean detection time: which knob reaches it.

use crate::detector::Kind;
use crate::parallel;
use crate::score::{Glance, glance};
use crate::trace::Trace;

/// How far the mean detection time may be from the target where it is tuned, in intervals.
const TOLERANCE: f64 = 2e-4;
const MOST_STEPS: u32 = 40;

/// What a knob gives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) knob: f64,
    pub(crate) mean_td: f64,
    pub(crate) per_million: f64,
}

/// The stretch of traces on which knobs are tuned.
pub(crate) struct Ground<'a> {
    pub(crate) traces: &'a [Trace],
    /// From and to which beat it is scored; of a whole trace, without an end.
    pub(crate) from: usize,
    pub(crate) until: Option<usize>,
}

impl Ground<'_> {
    pub(crate) fn point(&self, kind: Kind, knob: f64, cap: f64) -> Point {
        let glances: Vec<Glance> = self.traces.iter().map(|trace| self.glance(trace, kind, knob, cap)).collect();
        let span: f64 = glances.iter().map(|glance| glance.span).sum();
        let mistakes: u64 = glances.iter().map(|glance| glance.mistakes).sum();
        let mean_td = glances.iter().map(|glance| glance.mean_td).sum::<f64>() / glances.len() as f64;
        Point { knob, mean_td, per_million: mistakes as f64 / span * 1e6 }
    }

    fn glance(&self, trace: &Trace, kind: Kind, knob: f64, cap: f64) -> Glance {
        let until = self.until.unwrap_or(trace.beats.len());
        glance(trace, self.from..until, &mut *kind.build(knob, cap))
    }

    pub(crate) fn sweep_over(&self, knobs: &[f64], kind: Kind, cap: f64) -> Vec<Point> {
        knobs.iter().map(|knob| self.point(kind, *knob, cap)).collect()
    }

    /// The whole range of the knob, on all cores.
    pub(crate) fn sweep(&self, kind: Kind, cap: f64) -> Vec<Point> {
        parallel::map(&kind.knobs(), |knob| self.point(kind, *knob, cap))
    }

    /// The knob at which the mean detection time is the target; none if no knob of the sweep gets there.
    pub(crate) fn knob_for(&self, target: f64, kind: Kind, cap: f64, sweep: &[Point]) -> Option<f64> {
        let bracket = sweep.windows(2).find(|pair| pair[0].mean_td <= target && target <= pair[1].mean_td)?;
        Some(self.close_in(bracket[0], bracket[1], target, kind, cap))
    }

    /// The same, where a knob without the cap is known: with it takes as much, or more.
    pub(crate) fn knob_from(&self, uncapped: f64, target: f64, kind: Kind, cap: f64) -> Option<f64> {
        // Tuning is exact to the tolerance alone, so that what the cap does not touch may begin a little above it.
        let low = self.point(kind, uncapped - 2.0 * TOLERANCE, cap);
        let high = self.point(kind, uncapped + cap, cap);
        (low.mean_td <= target && target <= high.mean_td).then(|| self.close_in(low, high, target, kind, cap))
    }

    fn close_in(&self, mut low: Point, mut high: Point, target: f64, kind: Kind, cap: f64) -> f64 {
        let mut best = nearer(low, high, target);
        for step in 0..MOST_STEPS {
            if (best.mean_td - target).abs() <= TOLERANCE {
                break;
            }
            let knob = between(low, high, target, step);
            let point = self.point(kind, knob, cap);
            if point.mean_td < target {
                low = point;
            } else {
                high = point;
            }
            best = nearer(best, point, target);
        }
        best.knob
    }
}

fn nearer(a: Point, b: Point, target: f64) -> Point {
    if (a.mean_td - target).abs() <= (b.mean_td - target).abs() { a } else { b }
}

/// Where a straight line meets the target; every third time the middle, since curves may be far from straight.
fn between(low: Point, high: Point, target: f64, step: u32) -> f64 {
    let rise = high.mean_td - low.mean_td;
    if step % 3 == 2 || rise <= 0.0 {
        return f64::midpoint(low.knob, high.knob);
    }
    low.knob + (high.knob - low.knob) * (target - low.mean_td) / rise
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detector::POINTS;
    use crate::traffic::Traffic;

    #[test]
    fn a_tuned_knob_gives_the_mean_detection_time_that_was_asked_for() {
        let traces = [Traffic::LoadSwings.trace(1, 30_000)];
        let ground = Ground { traces: &traces, from: 2_000, until: None };
        for kind in [Kind::Fixed, Kind::Adaptive, Kind::Bertier, Kind::PhiNormal, Kind::AkkaPause, Kind::Chitchat] {
            let sweep = ground.sweep(kind, 8.0);
            assert!(sweep.len() >= POINTS as usize);
            let knob = ground.knob_for(3.0, kind, 8.0, &sweep).unwrap();
            let mean_td = ground.point(kind, knob, 8.0).mean_td;
            assert!((mean_td - 3.0).abs() < 0.002, "{kind}: {mean_td}");
        }
    }

    #[test]
    fn what_no_knob_reaches_is_not_reached() {
        let traces = [Traffic::DataCentre.trace(1, 10_000)];
        let ground = Ground { traces: &traces, from: 2_000, until: None };
        let sweep = ground.sweep(Kind::Akka, f64::INFINITY);
        // Its pause alone is three intervals.
        assert_eq!(ground.knob_for(3.0, Kind::Akka, f64::INFINITY, &sweep), None);
        assert!(ground.knob_for(6.0, Kind::Akka, f64::INFINITY, &sweep).is_some());
    }
}
