//! The textbook case computed: Chen's NFD-S with synchronised clocks, before any detector is measured by the same code.
//!
//! With loss `p_L`, delays D and margin `delta`: `p_j(x) = p_L + (1 - p_L) Pr(D > delta + x - j)`, `u(x)` is the product of
//! `p_0 .. p_ceil(delta)`, `q_0 = (1 - p_L) Pr(D < delta + 1)`, and `p_S = q_0 u(0)` is the probability of a mistake per
//! interval; a mistake lasts `1/p_S` times the integral of u over an interval.

use std::fmt::Write as _;

use crate::detector::Detector;
use crate::outcome::Outcome;
use crate::parallel;
use crate::score::{Score, WARM_UP, score};
use crate::trace::Beat;
use crate::traffic::Traffic;

const LOSS: f64 = 0.01;
const MEAN_DELAY: f64 = 0.02;
/// The detection times, one interval more than the margin, at which the simulation has to agree.
const DETECTION_TIMES: [f64; 7] = [1.05, 1.25, 2.0, 2.05, 2.25, 3.0, 3.1];
const SIGMAS: f64 = 3.0;

/// Suspects at the slot of the next beat and a margin.
struct NfdS {
    margin: f64,
}

impl Detector for NfdS {
    fn hear(&mut self, beat: &Beat, _was_suspected: bool) -> f64 {
        (beat.tick + 1) as f64 + self.margin
    }
}

fn slower_than(delay: f64) -> f64 {
    if delay < 0.0 { 1.0 } else { (-delay / MEAN_DELAY).exp() }
}

fn all_missing(margin: f64, x: f64) -> f64 {
    (0..=margin.ceil() as u32).map(|j| LOSS + (1.0 - LOSS) * slower_than(margin + x - f64::from(j))).product()
}

/// The probability of a mistake per interval.
fn mistake_rate(detection_time: f64) -> f64 {
    let margin = detection_time - 1.0;
    (1.0 - LOSS) * (1.0 - slower_than(detection_time)) * all_missing(margin, 0.0)
}

/// What share of the time the member is wrongly suspected.
fn mistaken_share(detection_time: f64) -> f64 {
    const STEPS: u32 = 100_000;
    let x = |step: u32| (f64::from(step) + 0.5) / f64::from(STEPS);
    (0..STEPS).map(|step| all_missing(detection_time - 1.0, x(step))).sum::<f64>() / f64::from(STEPS)
}

/// Simulates each detection time over all seeds, and tells computed and simulated side by side.
///
/// # Errors
///
/// If a simulation is further from the formula than three standard deviations.
pub(crate) fn reproduce(seeds: &[u64], intervals: u64) -> Outcome<String> {
    let of_seeds = parallel::map(seeds, |seed| {
        // Chen's senders have no jitter.
        let trace = Traffic::Textbook.trace_with_jitter(*seed, intervals, 0.0);
        DETECTION_TIMES.map(|time| score(&trace, WARM_UP..trace.beats.len(), &mut NfdS { margin: time - 1.0 }))
    });
    let mut text = format!(
        "{:>5}{:>22}{:>22}{:>8}{:>14}{:>14}\n",
        "T_D", "E(T_MR) computed", "simulated", "sigmas", "P_A computed", "simulated"
    );
    let mut worst: f64 = 0.0;
    for (index, time) in DETECTION_TIMES.into_iter().enumerate() {
        let scores: Vec<Score> = of_seeds.iter().map(|scores| scores[index]).collect();
        let span: f64 = scores.iter().map(|score| score.span).sum();
        let mistakes = scores.iter().map(|score| score.mistakes).sum::<u64>() as f64;
        let p_a = 1.0 - scores.iter().map(|score| score.mistaken_for).sum::<f64>() / span;
        let rate = mistake_rate(time);
        let sigmas = (mistakes - rate * span) / (rate * span).sqrt();
        worst = worst.max(sigmas.abs());
        let (computed, simulated) = (1.0 / rate, span / mistakes);
        let computed_p_a = 1.0 - mistaken_share(time);
        writeln!(text, "{time:>5.2}{computed:>22.2}{simulated:>22.2}{sigmas:>+8.2}{computed_p_a:>14.7}{p_a:>14.7}")?;
    }
    if worst > SIGMAS {
        return Err(format!("the simulation does not reproduce the closed form:\n{text}").into());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_agrees(value: f64, expected: f64, relative: f64) {
        assert!((value / expected - 1.0).abs() < relative, "{value} is not {expected}");
    }

    #[test]
    fn the_formula_gives_the_known_recurrence_times() {
        let known = [
            (1.05, 11.07),
            (1.25, 101.0),
            (2.0, 101.0),
            (2.05, 1_107.0),
            (2.25, 10_100.0),
            (3.0, 10_100.0),
            (3.1, 606_000.0),
        ];
        for (time, recurrence) in known {
            assert_agrees(1.0 / mistake_rate(time), recurrence, 0.002);
        }
    }

    #[test]
    fn the_formula_gives_the_known_query_accuracies() {
        let known = [(1.05, 0.98869), (1.25, 0.99228), (2.0, 0.99970), (2.05, 0.999_887), (3.0, 0.999_997)];
        for (time, p_a) in known {
            assert_agrees(1.0 - mistaken_share(time), p_a, 1e-5);
        }
    }

    #[test]
    fn a_short_simulation_agrees_with_the_formula() {
        assert!(reproduce(&[1, 2], 200_000).is_ok());
    }
}
