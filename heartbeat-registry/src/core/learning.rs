//! The adaptive detector of one member: what is learnt from, and how much it may allow.

use heartbeat_contract::Detector;

use super::adaptive::{Arrival, Arrivals};
use super::member::{Beat, Cold, Hot};
use super::now::Now;
use super::virtual_clock::SLACK;

/// Credit of up to this share of the interval still lets a gap be learnt from: on a busy machine timers are always a bit
/// late.
const NEGLIGIBLE: u64 = 100;

/// Whether the gap before a beat tells how its member usually beats: not if it had failed, nor if the registry or the
/// member's machine was stopped meanwhile. To be asked before the beat is taken over.
pub(super) fn tells_gap(hot: &Hot, beat: &Beat<'_>, now: &Now) -> bool {
    let credited = hot.silence(now).saturating_sub(hot.age(now)) > SLACK.max(hot.interval() / NEGLIGIBLE);
    hot.state().is_online() && !credited && beat.slept_ms().is_none()
}

impl Cold {
    /// Learns from a beat that counted how much to allow until the next. A new run and another interval begin anew.
    pub(super) fn learn(&mut self, hot: &mut Hot, beat: &Beat<'_>, new_run: bool, tells_gap: bool) {
        if self.policy.detector != Detector::Adaptive {
            return;
        }
        let (interval, fixed) = (hot.interval(), hot.allowance());
        let unknown = Arrivals::new(interval, fixed);
        let arrivals = self.arrivals.get_or_insert_with(|| Box::new(unknown));
        if new_run || arrivals.interval() != interval {
            **arrivals = unknown;
        }
        // Ticks count the interval that the sender declares.
        let is_own_pace = self.declared_ms == Some(hot.interval_ms);
        let tick = beat.info.and_then(|info| info.tick).filter(|_| is_own_pace);
        let learnt = arrivals.learn(Arrival { at: hot.heard, tick, tells_gap });
        let most = u64::from(hot.threshold) * interval + 2 * fixed;
        hot.allowance_ms = u32::try_from(learnt.min(most).div_ceil(1000)).unwrap_or(u32::MAX);
    }

    /// How surprising the silence is, if that is learnt.
    pub(crate) fn suspicion(&self, now: &Now) -> Option<f64> {
        self.arrivals.as_ref()?.suspicion(now.at)
    }
}

#[cfg(test)]
mod tests {
    use heartbeat_contract::HealthStatus;
    use jiff::Timestamp;

    use super::*;
    use crate::core::Origin;

    #[test]
    fn a_gap_of_which_no_more_than_a_hundredth_of_the_interval_was_credited_tells() {
        let tells = |interval_ms: u32, credited: u64| {
            let mut hot = Hot::for_test();
            hot.interval_ms = interval_ms;
            let now = Now { at: 1_000_000, mono: 1_000_000 + credited, wall: Timestamp::UNIX_EPOCH };
            let beat = Beat {
                info: None,
                report: HealthStatus::Healthy,
                hive_id: None,
                timestamp: None,
                draining: false,
                origin: Origin::Process,
            };
            tells_gap(&hot, &beat, &now)
        };
        assert!(tells(1_000, 10_000) && !tells(1_000, 10_001));
        assert!(tells(100, 1_000) && !tells(100, 1_001), "but what is within the slack always does");
    }
}
