//! What arrived, and when: all that a detector is judged by.

/// A heartbeat that arrived. The unit of time is the interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Beat {
    /// The slot of the schedule it was sent for.
    pub(crate) tick: u64,
    pub(crate) sent: f64,
    pub(crate) arrived: f64,
    /// When it arrived by the clock that judges: the same, unless blind time is credited.
    pub(crate) at: f64,
    /// Whether time was credited since the beat before.
    pub(crate) after_blindness: bool,
}

impl Beat {
    pub(crate) const fn new(tick: u64, sent: f64, arrived: f64) -> Self {
        Self { tick, sent, arrived, at: arrived, after_blindness: false }
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Trace {
    /// By arrival, each newer than all before.
    pub(crate) beats: Vec<Beat>,
    /// From when to when the registry was stopped.
    pub(crate) stalls: Vec<(f64, f64)>,
    /// Where the clock that judges stood still.
    pub(crate) freezes: Vec<Freeze>,
}

/// Once the clock that judges is past `at`, it is `credited` behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Freeze {
    pub(crate) at: f64,
    pub(crate) credited: f64,
}

impl Trace {
    /// Sorts beats by arrival and drops those that are not newer than the newest received.
    pub(crate) fn of(mut beats: Vec<Beat>) -> Self {
        beats.sort_by(|a, b| a.arrived.total_cmp(&b.arrived).then(a.tick.cmp(&b.tick)));
        let mut newest = None;
        beats.retain(|beat| {
            let is_newer = newest.is_none_or(|newest| beat.tick > newest);
            if is_newer {
                newest = Some(beat.tick);
            }
            is_newer
        });
        Self { beats, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_are_sorted_by_arrival_and_the_overtaken_are_dropped() {
        let beats =
            vec![Beat::new(1, 1.0, 1.1), Beat::new(2, 2.0, 3.5), Beat::new(3, 3.0, 3.1), Beat::new(4, 4.0, 4.1)];
        let ticks: Vec<u64> = Trace::of(beats).beats.iter().map(|beat| beat.tick).collect();
        assert_eq!(ticks, [1, 3, 4]);
    }

    #[test]
    fn beats_delivered_at_once_are_taken_in_the_order_they_were_sent() {
        let beats = vec![Beat::new(2, 2.0, 5.0), Beat::new(1, 1.0, 5.0), Beat::new(1, 1.0, 5.0)];
        let ticks: Vec<u64> = Trace::of(beats).beats.iter().map(|beat| beat.tick).collect();
        assert_eq!(ticks, [1, 2]);
    }
}
