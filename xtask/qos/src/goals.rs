//! The numbers to reach, and whether they are.

use std::fmt;

use crate::detector::Kind;
use crate::statistics::{self, Estimate};
use crate::study::{Case, Measured, Result, TARGETS};
use crate::traffic::Traffic;
use crate::tune::Point;

/// A baseline with fewer mistakes than this, over all seeds, is no measure.
const ENOUGH_MISTAKES: u64 = 100;
const AT_MOST_THE_BEST: f64 = 1.15;
const AT_MOST_FIXED: f64 = 0.2;
const CREDITED_AT_MOST: f64 = 3.0;
const PLAIN_OVER: f64 = 200.0;
/// Halfway from one detection time of the comparison to the next, about.
const BETWEEN: [f64; 3] = [2.5, 3.5, 5.0];

pub(crate) struct Goal {
    claim: String,
    found: String,
    pub(crate) is_met: bool,
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claim, found, is_met } = self;
        write!(f, "{:<8} {claim}: {found}", if *is_met { "met" } else { "NOT MET" })
    }
}

pub(crate) fn goals(all: &[Measured]) -> Vec<Goal> {
    let of = |case: Case| all.iter().find(|measured| measured.case == case);
    let mut goals = Vec::new();
    if let Some(swings) = of(Case::plain(Traffic::LoadSwings)) {
        goals.extend([2.0, 3.0].map(|target| a_fifth_of_fixed(swings, target)));
    }
    for traffic in [Traffic::Textbook, Traffic::DataCentre, Traffic::WideArea, Traffic::SenderPauses] {
        if let Some(measured) = of(Case::plain(traffic)) {
            goals.extend([3.0, 4.0, 6.0].map(|target| no_worse_than_the_best(measured, target)));
        }
    }
    if let (Some(plain), Some(credited)) = (of(Case::plain(Traffic::RegistryStalls)), of(Case::CREDITED)) {
        goals.extend([Kind::Fixed, Kind::Adaptive].map(|kind| blind_time_is_no_silence(plain, credited, kind)));
    }
    goals
}

fn a_fifth_of_fixed(measured: &Measured, target: f64) -> Goal {
    let claim = format!("{} at T_D {target}: adaptive makes at most a fifth of fixed's mistakes", measured.case);
    let results = (measured.result(Kind::Adaptive, target), measured.result(Kind::Fixed, target));
    let (Some(adaptive), Some(fixed)) = results else { return unreached(claim) };
    let ratio = statistics::ratio(&adaptive.rates(), &fixed.rates());
    let found = format!("{:.1} to {:.1}, {}", adaptive.rate(), fixed.rate(), times(ratio));
    Goal { claim, found, is_met: ratio.mean <= AT_MOST_FIXED }
}

fn no_worse_than_the_best(measured: &Measured, target: f64) -> Goal {
    let claim = format!("{} at T_D {target}: adaptive makes at most 1.15 times the best one's mistakes", measured.case);
    let Some(adaptive) = measured.result(Kind::Adaptive, target) else { return unreached(claim) };
    let rivals = rivals(measured, target).filter(|rival| rival.mistakes() >= ENOUGH_MISTAKES);
    let Some(best) = rivals.min_by(|a, b| a.rate().total_cmp(&b.rate())) else {
        let found = format!("{:.1}, and none makes 100 mistakes in all", adaptive.rate());
        return Goal { claim, found, is_met: true };
    };
    let ratio = statistics::ratio(&adaptive.rates(), &best.rates());
    let found = format!("{:.1} to {:.1} of {}, {}", adaptive.rate(), best.rate(), best.kind, times(ratio));
    Goal { claim, found, is_met: ratio.mean <= AT_MOST_THE_BEST }
}

fn blind_time_is_no_silence(plain: &Measured, credited: &Measured, kind: Kind) -> Goal {
    let claim = format!("T6 at T_D 3, blind time credited: {kind} at most 3, where plain fixed makes over 200");
    let results = (credited.result(kind, 3.0), plain.result(Kind::Fixed, 3.0));
    let (Some(credited), Some(fixed)) = results else { return unreached(claim) };
    let found = format!("{:.2} to {:.1}", credited.rate(), fixed.rate());
    Goal { claim, found, is_met: credited.rate() <= CREDITED_AT_MOST && fixed.rate() > PLAIN_OVER }
}

fn unreached(claim: String) -> Goal {
    Goal { claim, found: "it cannot reach that T_D".to_owned(), is_met: false }
}

fn times(ratio: Estimate) -> String {
    format!("{:.3} times ({:.3} to {:.3})", ratio.mean, ratio.low, ratio.high)
}

/// All but the adaptive ones: the baselines, and `fixed`, which is harder to beat than most.
fn rivals(measured: &Measured, target: f64) -> impl Iterator<Item = &Result> {
    let kinds = Kind::ALL.into_iter().filter(|kind| kind.is_baseline() || *kind == Kind::Fixed);
    kinds.filter_map(move |kind| measured.result(kind, target))
}

/// Where another detector makes fewer mistakes than the adaptive one, and how many it makes for one of the adaptive.
pub(crate) fn better_ones(measured: &Measured) -> Vec<String> {
    let mut lines = Vec::new();
    for target in TARGETS {
        let Some(adaptive) = measured.result(Kind::Adaptive, target) else { continue };
        let mut better: Vec<&Result> =
            rivals(measured, target).filter(|rival| rival.rate() < adaptive.rate()).collect();
        better.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
        let names = better.iter().map(|rival| format!("{} {:.2}", rival.kind, rival.rate()));
        if !better.is_empty() {
            let names = names.collect::<Vec<_>>().join(", ");
            lines.push(format!("{} at T_D {target}, adaptive {:.2}: {names}", measured.case, adaptive.rate()));
        }
    }
    lines
}

/// The same between those detection times, where curves cross: read off the sweeps, in which nothing is capped.
pub(crate) fn better_between(measured: &Measured) -> Vec<String> {
    let rate = |kind: Kind, time: f64| {
        let (_, curve) = measured.curves.iter().find(|(swept, _)| *swept == kind)?;
        read_off(curve, time + measured.case.traffic.base_delay())
    };
    let better = |time: f64| {
        let (adaptive, fixed) = (rate(Kind::Uncapped, time)?, rate(Kind::Fixed, time)?);
        (fixed * AT_MOST_THE_BEST < adaptive)
            .then(|| format!("{} at T_D {time}, adaptive {adaptive:.1}: fixed {fixed:.1}", measured.case))
    };
    BETWEEN.into_iter().filter_map(better).collect()
}

/// On a straight line between the points of a sweep.
fn read_off(curve: &[Point], time: f64) -> Option<f64> {
    let pair = curve.windows(2).find(|pair| pair[0].mean_td <= time && time < pair[1].mean_td)?;
    let share = (time - pair[0].mean_td) / (pair[1].mean_td - pair[0].mean_td);
    Some(pair[0].per_million + share * (pair[1].per_million - pair[0].per_million))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Score;

    fn measured(case: Case, target: f64, mistakes: &[(Kind, u64)]) -> Measured {
        let result = |&(kind, mistakes): &(Kind, u64)| Result {
            kind,
            target: Some(target),
            knob: 1.0,
            scores: vec![Score { mistakes, span: 1e6, ..Score::default() }; 2],
        };
        Measured { case, curves: Vec::new(), results: mistakes.iter().map(result).collect() }
    }

    #[test]
    fn a_fifth_is_met_and_a_little_more_is_not() {
        let swings = |adaptive| {
            measured(Case::plain(Traffic::LoadSwings), 2.0, &[(Kind::Fixed, 500), (Kind::Adaptive, adaptive)])
        };
        assert!(a_fifth_of_fixed(&swings(100), 2.0).is_met);
        assert!(!a_fifth_of_fixed(&swings(101), 2.0).is_met);
        assert!(!a_fifth_of_fixed(&swings(100), 3.0).is_met);
    }

    #[test]
    fn the_best_of_those_that_make_enough_mistakes_is_the_measure() {
        let pauses = |adaptive| {
            let mistakes = [(Kind::Fixed, 200), (Kind::NfdE, 49), (Kind::Akka, 100), (Kind::Adaptive, adaptive)];
            measured(Case::plain(Traffic::SenderPauses), 3.0, &mistakes)
        };
        assert!(no_worse_than_the_best(&pauses(115), 3.0).is_met);
        let missed = no_worse_than_the_best(&pauses(116), 3.0);
        assert!(!missed.is_met);
        assert!(missed.to_string().starts_with("NOT MET  T4 at T_D 3"), "{missed}");
        assert!(missed.to_string().contains("116.0 to 100.0 of Akka, 1.160 times"), "{missed}");
    }

    #[test]
    fn those_that_do_better_are_named_best_first() {
        let mistakes = [(Kind::Fixed, 20), (Kind::NfdE, 10), (Kind::Akka, 31), (Kind::Adaptive, 30)];
        let lines = better_ones(&measured(Case::plain(Traffic::DataCentre), 2.0, &mistakes));
        assert_eq!(lines, ["T2 at T_D 2, adaptive 30.00: NFD-E 10.00, fixed 20.00"]);
    }

    #[test]
    fn between_the_targets_curves_are_read_off_on_straight_lines() {
        let point = |mean_td, per_million| Point { knob: 0.0, mean_td, per_million };
        let mut textbook = measured(Case::plain(Traffic::Textbook), 2.0, &[]);
        textbook.curves = vec![
            (Kind::Fixed, vec![point(2.0, 200.0), point(3.0, 100.0), point(4.0, 100.0)]),
            (Kind::Uncapped, vec![point(2.0, 300.0), point(3.0, 100.0), point(4.0, 110.0)]),
        ];
        assert_eq!(better_between(&textbook), ["T1 at T_D 2.5, adaptive 200.0: fixed 150.0"]);
    }
}
