//! What is compared: each detector, its knob, and what it keeps of a member.

use std::fmt;

use crate::baselines::{Akka, Bertier, Cassandra, Chitchat, NfdE, PhiNormal, TwoWindow};
use crate::registry::{ADAPTIVE_STATE, Adaptive, FIXED_STATE, Fixed};
use crate::trace::Beat;

pub(crate) trait Detector {
    /// Takes a beat, told whether its member was suspected when it came. Returns until when the member is trusted.
    fn hear(&mut self, beat: &Beat, was_suspected: bool) -> f64;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Fixed,
    /// With its cap.
    Adaptive,
    Uncapped,
    NfdE,
    TwoWindow,
    Bertier,
    PhiNormal,
    Akka,
    AkkaPause,
    Cassandra,
    Chitchat,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Fixed,
        Self::Adaptive,
        Self::Uncapped,
        Self::NfdE,
        Self::TwoWindow,
        Self::Bertier,
        Self::PhiNormal,
        Self::Akka,
        Self::AkkaPause,
        Self::Cassandra,
        Self::Chitchat,
    ];
    /// Those that live on the registry's own clock.
    pub(crate) const OURS: [Self; 3] = [Self::Fixed, Self::Adaptive, Self::Uncapped];

    pub(crate) const fn is_baseline(self) -> bool {
        !matches!(self, Self::Fixed | Self::Adaptive | Self::Uncapped)
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Adaptive => "adaptive",
            Self::Uncapped => "adaptive, no cap",
            Self::NfdE => "NFD-E",
            Self::TwoWindow => "2W-FD",
            Self::Bertier => "Bertier",
            Self::PhiNormal => "phi-normal",
            Self::Akka => "Akka",
            Self::AkkaPause => "Akka by pause",
            Self::Cassandra => "Cassandra",
            Self::Chitchat => "chitchat",
        }
    }

    /// What it is, and what its knob is.
    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Fixed => "the registry's: k intervals after the newest beat; knob k",
            Self::Adaptive => {
                "the registry's: expected arrival + m intervals + 4 deviations + peak, at most twice fixed's k; knob m"
            }
            Self::Uncapped => "the same without that cap",
            Self::NfdE => "Chen 2002: arrivals of 1,000 beats averaged, + alpha; knob alpha",
            Self::TwoWindow => "Tomsic 2015: the later of NFD-E over 1 and over 1,000 beats; knob alpha",
            Self::Bertier => "Bertier 2002: NFD-E + Jacobson's margin, gamma 0.1, beta 1; knob phi",
            Self::PhiNormal => "Hayashibara 2004: normal intervals, 1,000 of them, deviation at least 0.1; knob Phi",
            Self::Akka => "Akka's cluster: 1,000 intervals, deviation at least 0.1, pause 3; knob the threshold",
            Self::AkkaPause => "the same at its threshold of 8; knob the acceptable pause",
            Self::Cassandra => "Cassandra: exponential intervals, 1,000 of them; knob the threshold",
            Self::Chitchat => "chitchat: 1,000 intervals of at most 10, five of 5 to begin with; knob the threshold",
        }
    }

    pub(crate) fn build(self, knob: f64, cap: f64) -> Box<dyn Detector> {
        match self {
            Self::Fixed => Box::new(Fixed::new(knob)),
            Self::Adaptive | Self::Uncapped => Box::new(Adaptive::new(knob, cap)),
            Self::NfdE => Box::new(NfdE::new(knob)),
            Self::TwoWindow => Box::new(TwoWindow::new(knob)),
            Self::Bertier => Box::new(Bertier::new(knob)),
            Self::PhiNormal => Box::new(PhiNormal::at_quantile(knob)),
            Self::Akka => Box::new(Akka::new(knob, Akka::PAUSE)),
            Self::AkkaPause => Box::new(Akka::new(Akka::THRESHOLD, knob)),
            Self::Cassandra => Box::new(Cassandra::new(knob)),
            Self::Chitchat => Box::new(Chitchat::new(knob)),
        }
    }

    /// Where the knob is swept: its range, and whether in equal steps or equal ratios.
    pub(crate) fn knobs(self) -> Vec<f64> {
        match self {
            Self::Fixed => evenly(0.0, 12.0),
            Self::Adaptive | Self::Uncapped => evenly(-1.0, 11.0),
            Self::NfdE | Self::TwoWindow | Self::AkkaPause => evenly(0.0, 11.0),
            Self::Bertier => by_ratio(0.1, 1e5),
            // Phi 0.1 and up, as the quantile of the normal distribution that it stands for.
            Self::PhiNormal => [evenly(-0.8, 12.0), by_ratio(14.0, 200.0)].concat(),
            Self::Akka => by_ratio(0.1, 300.0),
            Self::Cassandra => by_ratio(0.3, 6.0),
            Self::Chitchat => by_ratio(0.5, 13.0),
        }
    }

    /// Where its authors, or those who ship it, set the knob. None for ours, which a policy sets.
    pub(crate) const fn default_knob(self) -> Option<f64> {
        match self {
            Self::Bertier => Some(Bertier::PHI),
            Self::PhiNormal => Some(PhiNormal::QUANTILE),
            Self::Akka => Some(Akka::THRESHOLD),
            Self::Cassandra => Some(Cassandra::THRESHOLD),
            Self::Chitchat => Some(Chitchat::THRESHOLD),
            Self::Fixed | Self::Adaptive | Self::Uncapped | Self::NfdE | Self::TwoWindow | Self::AkkaPause => None,
        }
    }

    /// Bytes kept of each member.
    pub(crate) const fn state_bytes(self) -> usize {
        match self {
            Self::Fixed => FIXED_STATE,
            Self::Adaptive | Self::Uncapped => ADAPTIVE_STATE,
            Self::NfdE => NfdE::STATE,
            Self::TwoWindow => TwoWindow::STATE,
            Self::Bertier => Bertier::STATE,
            Self::PhiNormal => PhiNormal::STATE,
            Self::Akka | Self::AkkaPause => Akka::STATE,
            Self::Cassandra => Cassandra::STATE,
            Self::Chitchat => Chitchat::STATE,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// At how many points each knob is swept, at least.
pub(crate) const POINTS: u32 = 48;

fn evenly(from: f64, to: f64) -> Vec<f64> {
    (0..POINTS).map(|point| from + (to - from) * f64::from(point) / f64::from(POINTS - 1)).collect()
}

fn by_ratio(from: f64, to: f64) -> Vec<f64> {
    evenly(from.ln(), to.ln()).into_iter().map(f64::exp).collect()
}
