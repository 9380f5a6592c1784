//! How a member is judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decode::{Violations, decode_object};
use crate::words::words;
use crate::{DecodeError, MAX_INTERVAL, MIN_INTERVAL, field, time};

words! {
    /// How deadlines are derived from the arrivals of beats.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Detector {
        /// A fixed multiple of the interval after the last beat.
        #[default]
        Fixed = "fixed",
        /// Fixed multiples, too, but with an allowance learnt from the member's own arrivals: its usual jitter and its
        /// recent gaps. Nobody fails later than at twice the fixed deadline.
        Adaptive = "adaptive",
    }
    fallback Fixed;
}

/// How a member is to be judged. What is `None` derives from the interval the member is judged by.
///
/// With the age of the last beat in intervals, and [`allowance`](Self::allowance) added to each edge: degraded from 1,
/// critical from 2, failed beyond [`threshold`](Self::threshold). The default, at a judged interval of 30 s, fails a
/// member 3 x 30 + 5 = 95 s after its last beat.
///
/// ```
/// use std::time::Duration;
/// use heartbeat_contract::Policy;
///
/// let policy = Policy::every(Duration::from_secs(30)).resolve(None, None);
/// assert_eq!(policy.allowance, Duration::from_secs(5));
/// assert_eq!(policy.failed_after(), Duration::from_secs(95));
/// assert_eq!(Policy::realtime().resolve(None, None).failed_after(), Duration::from_millis(2250));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// At which interval the member should beat: it is granted this one if it declares a shorter one (up to ten times
    /// its own), and judged by this one if it declares none. `None`: what it declares, else 30 s. 100 ms to 24 h.
    #[serde(rename = "interval_ms", with = "time::millis_opt", skip_serializing_if = "Option::is_none")]
    #[doc(alias = "interval_ms")]
    pub interval: Option<Duration>,
    /// How many intervals of silence make a member failed: 2 to 100, default 3.
    #[serde(deserialize_with = "field::whole")]
    #[doc(alias = "failure_threshold")]
    pub threshold: u32,
    /// What is added to each edge for jitter and delay, at most 24 h. `None`: a quarter of the interval, at most 5 s.
    #[serde(rename = "allowance_ms", with = "time::millis_opt", skip_serializing_if = "Option::is_none")]
    pub allowance: Option<Duration>,
    /// How deadlines are derived. A word this version does not know is refused.
    #[serde(deserialize_with = "known_detector")]
    pub detector: Detector,
    /// How many beats in a row bring a late member back to healthy: 1 to 100, default 1.
    #[serde(deserialize_with = "field::whole")]
    pub recover_after: u32,
    /// How long after the start of monitoring a member that never beat is kept from failed, at most 24 h, default 0.
    #[serde(rename = "startup_grace_ms", with = "time::millis")]
    pub startup_grace: Duration,
    /// How long a busy member may make no progress, 1 s to 7 days. `None`: the larger of 10 intervals and 60 s.
    #[serde(rename = "stuck_after_ms", with = "time::millis_opt", skip_serializing_if = "Option::is_none")]
    pub stuck_after: Option<Duration>,
    /// How many beats are kept: 1 to 10,000, default 100.
    #[serde(deserialize_with = "field::whole")]
    #[doc(alias = "history_size")]
    pub history: u32,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            interval: None,
            threshold: 3,
            allowance: None,
            detector: Detector::Fixed,
            recover_after: 1,
            startup_grace: Duration::ZERO,
            stuck_after: None,
            history: 100,
        }
    }
}

impl Policy {
    /// The interval of a member that declares none and whose policy asks for none.
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);

    /// The defaults, at an interval.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self { interval: Some(interval), ..Self::default() }
    }

    /// For what must be noticed at once: 1 s, threshold 2, so failed after 2.25 s.
    #[must_use]
    pub fn realtime() -> Self {
        Self { threshold: 2, ..Self::every(Duration::from_secs(1)) }
    }

    /// For most services: 5 s, threshold 3, so failed after 16.25 s.
    #[must_use]
    pub fn standard() -> Self {
        Self::every(Duration::from_secs(5))
    }

    /// For long-running jobs: 30 s, threshold 5, so failed after 155 s.
    #[must_use]
    pub fn batch() -> Self {
        Self { threshold: 5, ..Self::every(Duration::from_secs(30)) }
    }

    /// Decodes a policy; absent keys are defaults.
    ///
    /// # Errors
    /// If it is no JSON object, has an unknown key, or a value outside its limits.
    pub fn decode(json: &[u8]) -> Result<Self, DecodeError> {
        let policy: Self = decode_object(json)?;
        policy.validate()?;
        Ok(policy)
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// All that is wrong, each with a pointer to its field.
    pub fn validate(&self) -> Result<(), Violations> {
        let mut violations = Violations::default();
        let mut within = |pointer, value: Option<Duration>, min: Duration, max: Duration| {
            let Some(value) = value else { return };
            if !(min..=max).contains(&value) {
                let (value, min, max) = (value.as_millis(), min.as_millis(), max.as_millis());
                violations.add(pointer, format_args!("{value} is outside {min} to {max}"));
            } else if value != whole_millis(value) {
                violations.add(pointer, format_args!("{value:?} is not a whole number of milliseconds"));
            }
        };
        within("/interval_ms", self.interval, MIN_INTERVAL, MAX_INTERVAL);
        within("/allowance_ms", self.allowance, Duration::ZERO, MAX_INTERVAL);
        within("/startup_grace_ms", Some(self.startup_grace), Duration::ZERO, MAX_INTERVAL);
        within("/stuck_after_ms", self.stuck_after, Duration::from_secs(1), 7 * MAX_INTERVAL);
        let mut count = |pointer, value: u32, min: u32, max: u32| {
            if !(min..=max).contains(&value) {
                violations.add(pointer, format_args!("{value} is outside {min} to {max}"));
            }
        };
        count("/threshold", self.threshold, 2, 100);
        count("/recover_after", self.recover_after, 1, 100);
        count("/history", self.history, 1, 10_000);
        if violations.is_empty() { Ok(()) } else { Err(violations) }
    }

    /// The interval granted to a member that declares one: its own, or the policy's if that is longer, up to ten times
    /// its own.
    #[must_use]
    pub fn grant(&self, declared: Duration) -> Duration {
        self.interval.unwrap_or(declared).clamp(declared, declared * 10)
    }

    /// Fills in what derives from the judged interval: the larger of the declared and the granted one, or the policy's
    /// (else 30 s) if none is declared.
    #[must_use]
    pub fn resolve(&self, declared: Option<Duration>, granted: Option<Duration>) -> ResolvedPolicy {
        let interval = declared.max(granted).or(self.interval).unwrap_or(Self::DEFAULT_INTERVAL);
        self.at(interval)
    }

    /// Fills in what derives from an interval.
    #[must_use]
    pub fn at(&self, interval: Duration) -> ResolvedPolicy {
        ResolvedPolicy {
            interval,
            threshold: self.threshold,
            allowance: self.allowance.unwrap_or_else(|| whole_millis(interval / 4).min(Duration::from_secs(5))),
            detector: self.detector,
            recover_after: self.recover_after,
            startup_grace: self.startup_grace,
            stuck_after: self.stuck_after.unwrap_or_else(|| (interval * 10).max(Duration::from_mins(1))),
            history: self.history,
        }
    }
}

/// What travels in milliseconds is judged in milliseconds, too.
fn whole_millis(duration: Duration) -> Duration {
    duration - Duration::from_nanos(u64::from(duration.subsec_nanos() % 1_000_000))
}

fn known_detector<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Detector, D::Error> {
    let word = String::deserialize(deserializer)?;
    let unknown = || serde::de::Error::custom(format_args!("{word:?} is no detector this version has"));
    Detector::from_word(&word).ok_or_else(unknown)
}

/// A policy with nothing left open: what a member is judged by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedPolicy {
    /// The interval the member is judged by.
    #[serde(rename = "interval_ms", with = "time::millis")]
    pub interval: Duration,
    /// How many intervals of silence make it failed.
    pub threshold: u32,
    /// What is added to each edge.
    #[serde(rename = "allowance_ms", with = "time::millis")]
    pub allowance: Duration,
    /// How deadlines are derived.
    pub detector: Detector,
    /// How many beats in a row bring it back to healthy.
    pub recover_after: u32,
    /// How long after the start of monitoring it is kept from failed if it never beat.
    #[serde(rename = "startup_grace_ms", with = "time::millis")]
    pub startup_grace: Duration,
    /// How long it may be busy without progress.
    #[serde(rename = "stuck_after_ms", with = "time::millis")]
    pub stuck_after: Duration,
    /// How many beats are kept.
    pub history: u32,
}

impl ResolvedPolicy {
    /// The age from which a silent member is degraded.
    #[must_use]
    pub fn degraded_after(&self) -> Duration {
        self.interval + self.allowance
    }

    /// The age from which a silent member is critical.
    #[must_use]
    pub fn critical_after(&self) -> Duration {
        2 * self.interval + self.allowance
    }

    /// The age beyond which a silent member is failed: the published bound, but for holds.
    #[must_use]
    pub fn failed_after(&self) -> Duration {
        self.threshold * self.interval + self.allowance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn presets_fail_after_their_threshold_and_allowance() {
        assert_eq!(Policy::default().resolve(None, None).failed_after(), secs(95));
        assert_eq!(Policy::realtime().resolve(None, None).failed_after(), Duration::from_millis(2_250));
        assert_eq!(Policy::standard().resolve(None, None).failed_after(), Duration::from_millis(16_250));
        assert_eq!(Policy::batch().resolve(None, None).failed_after(), secs(155));
    }

    #[test]
    fn the_allowance_is_in_whole_milliseconds() {
        assert_eq!(Policy::every(Duration::from_millis(101)).resolve(None, None).allowance, Duration::from_millis(25));
    }

    #[test]
    fn the_edges_are_multiples_of_the_interval_and_the_allowance_on_top() {
        let bare = Policy { allowance: Some(Duration::ZERO), ..Policy::default() }.resolve(None, None);
        assert_eq!((bare.degraded_after(), bare.critical_after(), bare.failed_after()), (secs(30), secs(60), secs(90)));
        let usual = Policy::default().resolve(None, None);
        let edges = (usual.degraded_after(), usual.critical_after(), usual.failed_after());
        assert_eq!(edges, (secs(35), secs(65), secs(95)));
    }

    #[test]
    fn a_policy_asks_for_longer_intervals_up_to_ten_times_the_declared_one() {
        assert_eq!(Policy::every(secs(30)).grant(secs(10)), secs(30));
        assert_eq!(Policy::every(secs(30)).grant(secs(1)), secs(10));
        assert_eq!(Policy::every(secs(1)).grant(secs(10)), secs(10));
        assert_eq!(Policy::default().grant(secs(7)), secs(7));
    }

    #[test]
    fn a_policy_below_threshold_2_or_with_unknown_keys_is_refused() {
        assert!(Policy::decode(br#"{"threshold": 2}"#).is_ok());
        let message = |json: &[u8]| Policy::decode(json).unwrap_err().to_string();
        assert_eq!(message(br#"{"threshold": 1}"#), "threshold: 1 is outside 2 to 100");
        assert!(message(br#"{"treshold": 3}"#).contains("unknown field `treshold`"));
        assert_eq!(message(br#"{"interval_ms": 99}"#), "interval_ms: 99 is outside 100 to 86400000");
        assert_eq!(message(br#"{"detector": "astral"}"#), "detector: \"astral\" is no detector this version has");
        assert!(Policy::every(Duration::from_micros(100_500)).validate().is_err());
    }
}
