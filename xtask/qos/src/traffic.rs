//! Six kinds of traffic, made by a seed.

use std::fmt;

use crate::random::Random;
use crate::trace::{Beat, Trace};

/// How far beats are sent from their slot: the deviation of a normal distribution.
pub(crate) const JITTER: f64 = 0.001;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Traffic {
    /// The case that Chen, Toueg and Aguilera computed.
    Textbook,
    DataCentre,
    WideArea,
    SenderPauses,
    LoadSwings,
    RegistryStalls,
}

impl Traffic {
    pub(crate) const ALL: [Self; 6] =
        [Self::Textbook, Self::DataCentre, Self::WideArea, Self::SenderPauses, Self::LoadSwings, Self::RegistryStalls];

    pub(crate) const fn says(self) -> &'static str {
        match self {
            Self::Textbook => "the textbook case: loss 1 %, exponential delays of mean 0.02",
            Self::DataCentre => "a data centre: hardly any loss, rare spikes of delay",
            Self::WideArea => "a wide-area link: delay 1.35, bursts of loss",
            Self::SenderPauses => "senders that pause: garbage collection, throttling",
            Self::LoadSwings => "load that swings between quiet and noisy",
            Self::RegistryStalls => "the registry itself stalls for 3 to 8 intervals",
        }
    }

    /// What every beat takes, and no detector can help: detection times are told less this.
    pub(crate) const fn base_delay(self) -> f64 {
        if matches!(self, Self::WideArea) { 1.35 } else { 0.0 }
    }

    /// The trace of a seed over so many intervals.
    pub(crate) fn trace(self, seed: u64, intervals: u64) -> Trace {
        self.trace_with_jitter(seed, intervals, JITTER)
    }

    pub(crate) fn trace_with_jitter(self, seed: u64, intervals: u64, jitter: f64) -> Trace {
        let mut random = Random::new(seed.wrapping_mul(8) + self as u64);
        let episodes = self.episodes(&mut random, intervals as f64);
        let mut schedule = schedule(&mut random, intervals, jitter);
        if self == Self::SenderPauses {
            schedule = pause(&schedule, &episodes);
        }
        let noisy = if self == Self::LoadSwings { &episodes[..] } else { &[] };
        let mut beats = self.travel(&mut random, &schedule, noisy);
        if self != Self::RegistryStalls {
            return Trace::of(beats);
        }
        stall(&mut beats, &episodes);
        Trace { stalls: episodes, ..Trace::of(beats) }
    }

    /// From when to when the sender pauses, the load is high, or the registry is stopped.
    fn episodes(self, random: &mut Random, until: f64) -> Vec<(f64, f64)> {
        let mut episodes = Vec::new();
        let mut ended = 0.0;
        while ended < until {
            let (quiet, length) = match self {
                Self::SenderPauses => (random.exponential(200.0), random.pareto(0.2, 1.3).min(10.0)),
                Self::LoadSwings if episodes.is_empty() => (1_000.0, random.exponential(300.0)),
                Self::LoadSwings => (random.exponential(2_000.0), random.exponential(300.0)),
                Self::RegistryStalls => (random.exponential(3_600.0), random.between(3.0, 8.0)),
                Self::Textbook | Self::DataCentre | Self::WideArea => return episodes,
            };
            episodes.push((ended + quiet, ended + quiet + length));
            ended += quiet + length;
        }
        episodes
    }

    fn travel(self, random: &mut Random, schedule: &[(u64, f64)], noisy: &[(f64, f64)]) -> Vec<Beat> {
        let mut beats = Vec::with_capacity(schedule.len());
        let mut noisy = Within::new(noisy);
        let mut burst = 0;
        for &(tick, sent) in schedule {
            let delay = match self {
                Self::WideArea if burst > 0 => {
                    burst -= 1;
                    None
                }
                Self::WideArea if random.happens(1.4e-4) => {
                    burst = random.pareto(6.0, 1.25).min(1_093.0) as u64 - 1;
                    None
                }
                _ => self.delay(random, noisy.holds(sent)),
            };
            beats.extend(delay.map(|delay| Beat::new(tick, sent, sent + delay)));
        }
        beats
    }

    /// None if the beat is lost.
    fn delay(self, random: &mut Random, is_noisy: bool) -> Option<f64> {
        let (loss, delay) = match self {
            Self::Textbook => (0.01, random.exponential(0.02)),
            Self::DataCentre => (1e-4, random.lognormal(0.0005, 0.8) + spike(random, 0.01, 1.8)),
            Self::WideArea => (3e-4, 1.35 + random.lognormal(0.06, 0.6) + spike(random, 0.5, 1.5)),
            Self::SenderPauses | Self::RegistryStalls => (1e-3, random.lognormal(0.005, 0.8)),
            Self::LoadSwings => (1e-3, random.lognormal(0.01, 0.8)),
        };
        let delay = if is_noisy { delay + random.exponential(0.4) } else { delay };
        let is_lost = random.happens(loss) || is_noisy && random.happens(0.03);
        (!is_lost).then_some(delay)
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "T{}", *self as u8 + 1)
    }
}

/// One beat in a thousand.
fn spike(random: &mut Random, minimum: f64, exponent: f64) -> f64 {
    if random.happens(1e-3) { random.pareto(minimum, exponent).min(20.0) } else { 0.0 }
}

/// Slots, and when the beat of each is sent.
fn schedule(random: &mut Random, intervals: u64, jitter: f64) -> Vec<(u64, f64)> {
    (1..=intervals).map(|tick| (tick, tick as f64 + jitter * random.normal())).collect()
}

/// Of the beats due in a pause only the last is sent, at the pause's end.
fn pause(schedule: &[(u64, f64)], pauses: &[(f64, f64)]) -> Vec<(u64, f64)> {
    let mut sent: Vec<(u64, f64)> = Vec::with_capacity(schedule.len());
    let mut pauses = Within::new(pauses);
    let mut paused_until = None;
    for &(tick, at) in schedule {
        let until = pauses.end(at);
        if until.is_some() && until == paused_until {
            sent.pop();
        }
        paused_until = until;
        sent.push((tick, until.unwrap_or(at)));
    }
    sent
}

/// What arrives in a stall is delivered at its end.
fn stall(beats: &mut [Beat], stalls: &[(f64, f64)]) {
    beats.sort_by(|a, b| a.arrived.total_cmp(&b.arrived));
    let mut stalls = Within::new(stalls);
    for beat in beats {
        let delivered = stalls.end(beat.arrived).unwrap_or(beat.arrived);
        *beat = Beat::new(beat.tick, beat.sent, delivered);
    }
}

/// Asked for ascending times, whether they are within an episode.
struct Within<'a> {
    episodes: &'a [(f64, f64)],
}

impl<'a> Within<'a> {
    const fn new(episodes: &'a [(f64, f64)]) -> Self {
        Self { episodes }
    }

    fn end(&mut self, at: f64) -> Option<f64> {
        while let [(_, end), later @ ..] = self.episodes {
            if at < *end {
                break;
            }
            self.episodes = later;
        }
        self.episodes.first().filter(|(start, _)| at >= *start).map(|(_, end)| *end)
    }

    fn holds(&mut self, at: f64) -> bool {
        self.end(at).is_some()
    }
}

#[cfg(test)]
#[path = "traffic/tests.rs"]
mod tests;
