//! Crediting blind time: a trace as the registry's virtual clock sees it.

use crate::registry::VirtualClock;
use crate::trace::{Freeze, Trace};

/// The shortest of the registry's presets, for which its coarseness weighs most.
const INTERVAL: f64 = 1_000_000.0;
/// How long the driver sleeps at most. That it wakes at deadlines, too, is left out: it would only credit sooner.
const LONGEST_SLEEP: u64 = 250_000;

/// Moves arrivals to the virtual clock of a driver that is stopped in each stall.
pub(crate) fn credited(mut trace: Trace) -> Trace {
    let mut clock = VirtualClock::new();
    let mut beats = trace.beats.iter_mut().peekable();
    let mut freezes: Vec<Freeze> = Vec::new();
    let mut now = 0;
    wake(&mut clock, now);
    for &(start, end) in &trace.stalls {
        let (start, end) = (micros(start), micros(end));
        let mut take_until = |clock: &VirtualClock, until: u64| {
            while let Some(beat) = beats.next_if(|beat| micros(beat.arrived) < until) {
                beat.at = intervals(clock.at(micros(beat.arrived)));
            }
        };
        while now + LONGEST_SLEEP < start {
            take_until(&clock, now + LONGEST_SLEEP);
            now += LONGEST_SLEEP;
            wake(&mut clock, now);
        }
        take_until(&clock, end);
        let frozen_at = wake(&mut clock, end);
        now = end;
        freezes.push(Freeze { at: intervals(frozen_at), credited: intervals(clock.credited()) });
        if let Some(beat) = beats.peek_mut() {
            beat.after_blindness = true;
        }
    }
    for beat in beats {
        beat.at = beat.arrived - intervals(clock.credited());
    }
    trace.freezes = freezes;
    trace
}

/// A driver whose sweeps take no time.
fn wake(clock: &mut VirtualClock, now: u64) -> u64 {
    let at = clock.wake(now);
    clock.plan(now, now + LONGEST_SLEEP);
    at
}

fn micros(intervals: f64) -> u64 {
    (intervals.max(0.0) * INTERVAL).round() as u64
}

fn intervals(micros: u64) -> f64 {
    micros as f64 / INTERVAL
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Beat;
    use crate::traffic::Traffic;

    #[test]
    fn a_stall_costs_at_most_the_driver_s_sleep() {
        let arrivals = [(1, 1.1), (2, 6.0), (3, 6.0), (7, 7.1)];
        let beats = arrivals.iter().map(|&(tick, arrived)| Beat::new(tick, tick as f64, arrived)).collect();
        let trace = credited(Trace { stalls: vec![(1.6, 6.0)], ..Trace::of(beats) });
        // The driver planned to wake at 1.75, and has a millisecond to do so.
        let at: Vec<f64> = trace.beats.iter().map(|beat| beat.at).collect();
        let expected = [1.1, 1.751, 1.751, 7.1 - 4.249];
        assert!(at.iter().zip(expected).all(|(at, expected)| (at - expected).abs() < 1e-6), "{at:?}");
        let after: Vec<bool> = trace.beats.iter().map(|beat| beat.after_blindness).collect();
        assert_eq!(after, [false, true, false, false]);
        assert_eq!(trace.freezes.len(), 1);
        assert!((trace.freezes[0].at - 1.751).abs() < 1e-6 && (trace.freezes[0].credited - 4.249).abs() < 1e-6);
    }

    #[test]
    fn virtual_time_never_goes_back_nor_ahead_of_the_wall() {
        let plain = Traffic::RegistryStalls.trace(1, 100_000);
        let trace = credited(plain.clone());
        assert!(trace.beats.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(trace.beats.iter().all(|beat| beat.at <= beat.arrived + 1e-6));
        let stalled: f64 =
            plain.stalls.iter().filter(|(_, end)| *end < 100_000.0).map(|(start, end)| end - start).sum();
        let last = trace.beats.last().unwrap();
        let lag = last.arrived - last.at;
        assert!(lag > stalled - 0.26 * plain.stalls.len() as f64 && lag <= stalled, "{lag} of {stalled}");
    }
}
