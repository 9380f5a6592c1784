//! Which beats of a run came.

/// How many of the newest beats are told apart.
const WINDOW: u64 = u64::BITS as u64;

/// The beats of one run, by their seq. A beat that was overtaken by others came all the same, and none counts twice.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// The seq of the first that came.
    first: u64,
    count: u64,
    /// Which of the newest came: bit `n` stands for the `n`th before the newest, as in the anti-replay window of RFC 4303.
    newest: u64,
}

impl Received {
    /// A beat came, and is the newest; the last newest was `before`, or none of the same run.
    pub(super) fn hear(&mut self, before: Option<u64>, seq: u64) {
        let Some(before) = before else {
            *self = Self { first: seq, count: 1, newest: 1 };
            return;
        };
        let step = u32::try_from(seq.saturating_sub(before)).unwrap_or(u32::MAX);
        self.newest = self.newest.checked_shl(step).unwrap_or(0) | 1;
        self.count += 1;
    }

    /// A beat came that is older than the newest. Those too old to be told from duplicates stay lost.
    pub(super) fn hear_late(&mut self, newest: u64, seq: u64) {
        let Some(place) = newest.checked_sub(seq).filter(|place| *place < WINDOW && seq >= self.first) else { return };
        let bit = 1 << place;
        self.count += u64::from(self.newest & bit == 0);
        self.newest |= bit;
    }

    /// The share of all beats so far that never came.
    pub(super) fn loss(&self, newest: u64) -> f64 {
        1.0 - self.count as f64 / self.sent(newest) as f64
    }

    /// The same of the newest 64.
    pub(super) fn recent_loss(&self, newest: u64) -> f64 {
        1.0 - f64::from(self.newest.count_ones()) / self.sent(newest).min(WINDOW) as f64
    }

    const fn sent(&self, newest: u64) -> u64 {
        newest.saturating_sub(self.first) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(seqs: &[u64]) -> (Received, u64) {
        let mut received = Received::default();
        let mut newest = None;
        for seq in seqs {
            match newest {
                Some(before) if *seq <= before => received.hear_late(before, *seq),
                _ => {
                    received.hear(newest, *seq);
                    newest = Some(*seq);
                }
            }
        }
        (received, newest.unwrap())
    }

    fn loss(seqs: &[u64]) -> [f64; 2] {
        let (received, newest) = received(seqs);
        [received.loss(newest), received.recent_loss(newest)]
    }

    #[test]
    fn duplicates_and_beats_out_of_order_are_no_loss() {
        assert_eq!(loss(&[5, 6, 8, 7, 7, 8, 9]), [0.0, 0.0]);
        assert_eq!(loss(&[5, 6, 8, 8, 6, 5]), [0.25, 0.25]);
        assert_eq!(loss(&[5, 3, 4, 6]), [0.0, 0.0], "from before the first that came");
    }

    #[test]
    fn recent_loss_is_that_of_the_newest_64() {
        let seqs: Vec<u64> = (0..100).filter(|seq| seq % 2 == 0 || *seq >= 50).chain(100..=132).collect();
        let [all, recent] = loss(&seqs);
        assert!((all - 25.0 / 133.0).abs() < 1e-9, "{all}");
        assert_eq!(recent, 0.0);
        // The newest is one of the 64: that which came 64 before it cannot be told from a duplicate.
        assert_eq!(loss(&[0, 65, 1]), [1.0 - 2.0 / 66.0, 1.0 - 1.0 / 64.0]);
        assert_eq!(loss(&[0, 65, 2]), [1.0 - 3.0 / 66.0, 1.0 - 2.0 / 64.0]);
        assert_eq!(loss(&[0, 64]), [1.0 - 2.0 / 65.0, 1.0 - 1.0 / 64.0]);
        assert_eq!(loss(&[0, 10_000_000_000])[1], 1.0 - 1.0 / 64.0);
    }
}
