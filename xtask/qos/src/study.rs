//! The measurement: tune each detector on some seeds, score it on others.

use std::fmt;

use crate::detector::Kind;
use crate::parallel;
use crate::score::{Score, WARM_UP, score};
use crate::trace::Trace;
use crate::traffic::Traffic;
use crate::tune::{Ground, Point};
use crate::{blindness, statistics};

/// The mean detection times at which detectors are compared, in intervals.
pub(crate) const TARGETS: [f64; 4] = [2.0, 3.0, 4.0, 6.0];

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) tuning_seeds: u64,
    pub(crate) seeds: u64,
    pub(crate) intervals: u64,
}

impl Plan {
    pub(crate) const FULL: Self = Self { tuning_seeds: 3, seeds: 20, intervals: 1_000_000 };
    pub(crate) const QUICK: Self = Self { tuning_seeds: 1, seeds: 4, intervals: 500_000 };
    /// None of these tunes anything.
    const FIRST_SEED: u64 = 101;

    pub(crate) fn scored_seeds(self) -> Vec<u64> {
        (Self::FIRST_SEED..Self::FIRST_SEED + self.seeds).collect()
    }

    fn tuning_seeds(self) -> Vec<u64> {
        (1..=self.tuning_seeds).collect()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tuning_seeds, seeds, intervals } = self;
        let (first, last) = (Self::FIRST_SEED, Self::FIRST_SEED + seeds - 1);
        write!(f, "tuned on seeds 1 to {tuning_seeds}, scored on seeds {first} to {last}, {intervals} intervals each")
    }
}

/// A kind of traffic, and whether the registry credits the time it was stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) traffic: Traffic,
    pub(crate) is_credited: bool,
}

impl Case {
    pub(crate) const CREDITED: Self = Self { traffic: Traffic::RegistryStalls, is_credited: true };

    pub(crate) fn all() -> Vec<Self> {
        let mut cases: Vec<Self> = Traffic::ALL.into_iter().map(Self::plain).collect();
        cases.push(Self::CREDITED);
        cases
    }

    pub(crate) const fn plain(traffic: Traffic) -> Self {
        Self { traffic, is_credited: false }
    }

    fn trace(self, seed: u64, intervals: u64) -> Trace {
        let trace = self.traffic.trace(seed, intervals);
        if self.is_credited { blindness::credited(trace) } else { trace }
    }

    pub(crate) fn short(self) -> String {
        format!("{}{}", self.traffic, if self.is_credited { "c" } else { "" })
    }

    const fn kinds(self) -> &'static [Kind] {
        // The others know of no clock that stands still: their schedules would seem to have slipped.
        if self.is_credited { &Kind::OURS } else { &Kind::ALL }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.traffic, if self.is_credited { " with blind time credited" } else { "" })
    }
}

/// All that was measured of one case.
pub(crate) struct Measured {
    pub(crate) case: Case,
    /// The sweeps of the tuning seeds; the capped detector has none, since its cap depends on the target.
    pub(crate) curves: Vec<(Kind, Vec<Point>)>,
    pub(crate) results: Vec<Result>,
}

/// A detector over all seeds, with one knob.
pub(crate) struct Result {
    pub(crate) kind: Kind,
    /// The mean detection time it was tuned for; none for its own default.
    pub(crate) target: Option<f64>,
    pub(crate) knob: f64,
    pub(crate) scores: Vec<Score>,
}

impl Result {
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.scores.iter().map(Score::per_million).collect()
    }

    pub(crate) fn rate(&self) -> f64 {
        statistics::mean(&self.rates())
    }

    pub(crate) fn mean_td(&self) -> f64 {
        statistics::mean(&self.scores.iter().map(|score| score.mean_td).collect::<Vec<_>>())
    }

    pub(crate) fn mistakes(&self) -> u64 {
        self.scores.iter().map(|score| score.mistakes).sum()
    }
}

impl Measured {
    /// Whether the detector took part.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.curves.iter().any(|(swept, _)| *swept == kind) || self.results.iter().any(|result| result.kind == kind)
    }

    /// None where the detector cannot reach the target.
    pub(crate) fn result(&self, kind: Kind, target: f64) -> Option<&Result> {
        self.results.iter().find(|result| result.kind == kind && result.target == Some(target))
    }

    pub(crate) fn defaults(&self) -> impl Iterator<Item = &Result> {
        self.results.iter().filter(|result| result.target.is_none())
    }
}

pub(crate) fn measure(case: Case, plan: Plan) -> Measured {
    let traces = parallel::map(&plan.tuning_seeds(), |seed| case.trace(*seed, plan.intervals));
    let ground = Ground { traces: &traces, from: WARM_UP, until: None };
    let swept: Vec<Kind> = case.kinds().iter().copied().filter(|kind| *kind != Kind::Adaptive).collect();
    let curves: Vec<(Kind, Vec<Point>)> =
        swept.into_iter().map(|kind| (kind, ground.sweep(kind, f64::INFINITY))).collect();
    let mut contestants = contestants(case, &ground, &curves);
    contestants.extend(case.kinds().iter().filter_map(|kind| {
        Some(Contestant { kind: *kind, target: None, knob: kind.default_knob()?, cap: f64::INFINITY })
    }));
    drop(traces);
    let of_seeds = parallel::map(&plan.scored_seeds(), |seed| {
        let trace = case.trace(*seed, plan.intervals);
        let scored = WARM_UP..trace.beats.len();
        contestants.iter().map(|one| score(&trace, scored.clone(), &mut *one.kind.build(one.knob, one.cap))).collect()
    });
    let results = contestants.iter().enumerate().map(|(index, one)| Result {
        kind: one.kind,
        target: one.target,
        knob: one.knob,
        scores: of_seeds.iter().map(|scores: &Vec<Score>| scores[index]).collect(),
    });
    Measured { case, curves, results: results.collect() }
}

/// A detector with the knob that reaches a target.
struct Contestant {
    kind: Kind,
    target: Option<f64>,
    knob: f64,
    cap: f64,
}

fn contestants(case: Case, ground: &Ground<'_>, curves: &[(Kind, Vec<Point>)]) -> Vec<Contestant> {
    let base = case.traffic.base_delay();
    let pairs: Vec<(&(Kind, Vec<Point>), f64)> =
        curves.iter().flat_map(|curve| TARGETS.map(|target| (curve, target))).collect();
    let tuned = parallel::map(&pairs, |((kind, curve), target)| {
        let knob = ground.knob_for(target + base, *kind, f64::INFINITY, curve)?;
        Some(Contestant { kind: *kind, target: Some(*target), knob, cap: f64::INFINITY })
    });
    let mut contestants: Vec<Contestant> = tuned.into_iter().flatten().collect();
    let of = |kind, target| contestants.iter().find(|one| one.kind == kind && one.target == Some(target));
    let known: Vec<(f64, &Contestant, &Contestant)> = TARGETS
        .into_iter()
        .filter_map(|target| Some((target, of(Kind::Fixed, target)?, of(Kind::Uncapped, target)?)))
        .collect();
    let capped = parallel::map(&known, |(target, fixed, uncapped)| {
        let cap = 2.0 * fixed.knob;
        let knob = ground.knob_from(uncapped.knob, target + base, Kind::Adaptive, cap)?;
        Some(Contestant { kind: Kind::Adaptive, target: Some(*target), knob, cap })
    });
    contestants.extend(capped.into_iter().flatten());
    contestants
}
