//! One of the registry's detectors on a recorded trace: tuned on its first half, scored on the rest.

use clap::ValueEnum;

use crate::detector::{Kind, POINTS};
use crate::outcome::Outcome;
use crate::score::{Score, WARM_UP, score};
use crate::trace::Trace;
use crate::tune::Ground;

/// Fewer beats tell nothing.
const FEWEST_BEATS: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    Adaptive,
    Fixed,
}

pub(crate) struct Replayed {
    pub(crate) knob: f64,
    pub(crate) scored: usize,
    pub(crate) score: Score,
}

/// # Errors
///
/// If there are too few beats, or no knob reaches the mean detection time on the first half.
pub(crate) fn replay(trace: Trace, which: Which, target: f64) -> Outcome<Replayed> {
    let beats = trace.beats.len();
    if beats < FEWEST_BEATS {
        return Err(
            format!("{beats} beats that are each newer than all before: at least {FEWEST_BEATS} are needed").into()
        );
    }
    let half = beats / 2;
    let traces = [trace];
    let ground = Ground { traces: &traces, from: WARM_UP.min(half / 4), until: Some(half) };
    let tuned = |kind, cap| {
        let sweep = ground.sweep_over(&knobs(kind, target), kind, cap);
        ground.knob_for(target, kind, cap, &sweep).ok_or_else(|| {
            let (least, most) = (sweep[0].mean_td, sweep[sweep.len() - 1].mean_td);
            format!("a mean T_D of {target} cannot be reached on the first half: {kind} gives {least:.3} to {most:.3}")
        })
    };
    let fixed = tuned(Kind::Fixed, f64::INFINITY)?;
    let (kind, knob, cap) = match which {
        Which::Fixed => (Kind::Fixed, fixed, f64::INFINITY),
        Which::Adaptive => {
            let cap = 2.0 * fixed;
            let uncapped = tuned(Kind::Uncapped, f64::INFINITY)?;
            let capped = ground.knob_from(uncapped, target, Kind::Adaptive, cap);
            (Kind::Adaptive, capped.ok_or("the cap keeps the mean T_D below what was asked for")?, cap)
        }
    };
    let score = score(&traces[0], half..beats, &mut *kind.build(knob, cap));
    if score.span <= 0.0 {
        return Err("all beats of the second half arrived at once: nothing can be scored".into());
    }
    Ok(Replayed { knob, scored: beats - half, score })
}

/// What a program reads: the last line of the output.
pub(crate) fn line(score: &Score) -> String {
    let Score { mean_td, max_td, .. } = score;
    let (rate, p_a) = (score.per_million(), score.p_a());
    format!("mean_td={mean_td:.6} max_td={max_td:.6} mistakes_per_1e6={rate:.6} p_a={p_a:.9}")
}

/// From what suspects at once to more than is asked for.
fn knobs(kind: Kind, target: f64) -> Vec<f64> {
    let least = if kind == Kind::Fixed { 0.0 } else { -1.0 };
    let most = target.max(10.0) + 2.0;
    (0..POINTS).map(|point| least + (most - least) * f64::from(point) / f64::from(POINTS - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Beat;
    use crate::traffic::Traffic;

    fn trace(beats: impl Iterator<Item = (u64, f64)>) -> Trace {
        Trace::of(beats.map(|(tick, arrived)| Beat::new(tick, tick as f64, arrived)).collect())
    }

    fn assert_near(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-3, "{value} is not {expected}");
    }

    #[test]
    fn fixed_scores_a_trace_made_by_hand_as_computed() {
        // Delay 0.1, so that a mean T_D of 3 takes 2.9 intervals. In the second half three beats are lost twice.
        let lost = [61, 62, 63, 81, 82, 83];
        let ticks = (1..=100).filter(|tick| !lost.contains(tick)).map(|tick| (tick, tick as f64 + 0.1));
        let Replayed { knob, scored, score } = replay(trace(ticks), Which::Fixed, 3.0).unwrap();
        assert_near(knob, 2.9);
        assert_eq!((scored, score.mistakes), (47, 2));
        assert_near(score.mean_td, 3.0);
        assert_near(score.max_td, 3.0);
        // From the beat of tick 48 to that of 100; each mistake lasts 4 - 2.9.
        assert_near(score.span, 52.0);
        assert_near(score.per_million(), 2e6 / 52.0);
        assert_near(score.p_a(), 1.0 - 2.2 / 52.0);
    }

    #[test]
    fn adaptive_needs_no_more_than_the_interval_and_the_knob_on_punctual_beats() {
        let ticks = (1..=4_000).map(|tick| (tick, tick as f64 + 0.25));
        let Replayed { score, .. } = replay(trace(ticks), Which::Adaptive, 3.0).unwrap();
        assert_eq!(score.mistakes, 0);
        assert!((score.mean_td - 3.0).abs() < 0.2 && score.max_td < 3.2, "{score:?}");
    }

    #[test]
    fn adaptive_beats_fixed_where_load_swings() {
        let mistakes = |which| {
            let mut trace = Traffic::LoadSwings.trace(7, 400_000);
            for beat in &mut trace.beats {
                beat.sent = beat.tick as f64;
            }
            replay(trace, which, 2.0).unwrap().score.mistakes
        };
        let (adaptive, fixed) = (mistakes(Which::Adaptive), mistakes(Which::Fixed));
        assert!(adaptive * 3 < fixed, "{adaptive} to {fixed}");
    }

    #[test]
    fn too_few_beats_and_what_cannot_be_reached_are_refused() {
        let short = trace((1..=9).map(|tick| (tick, tick as f64)));
        assert!(replay(short, Which::Fixed, 3.0).err().unwrap().to_string().starts_with("9 beats"));
        let slow = trace((1..=100).map(|tick| (tick, tick as f64 + 5.0)));
        let error = replay(slow, Which::Fixed, 3.0).err().unwrap().to_string();
        assert!(error.contains("cannot be reached") && error.contains("5.000"), "{error}");
        let at_once = trace((1..=100).map(|tick| (tick, 100.0)));
        assert!(replay(at_once, Which::Fixed, 60.0).is_err());
    }

    #[test]
    fn the_last_line_has_four_figures_by_name() {
        let score =
            Score { mean_td: 3.0, max_td: 4.5, mistakes: 2, mistaken_for: 1.5, span: 1_000.0, ..Score::default() };
        assert_eq!(line(&score), "mean_td=3.000000 max_td=4.500000 mistakes_per_1e6=2000.000000 p_a=0.998500000");
    }

    #[test]
    fn long_detection_times_can_be_asked_for() {
        let ticks = (1..=100).map(|tick| (tick, tick as f64));
        let Replayed { score, .. } = replay(trace(ticks), Which::Fixed, 300.0).unwrap();
        assert_near(score.mean_td, 300.0);
    }
}
