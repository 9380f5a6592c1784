//! What many members do at once is spread over time by their ids: the same for an id every time, so that runs can be
//! repeated, and as good as random over a fleet.

use std::time::Duration;

const LONGEST_WINDOW: Duration = Duration::from_secs(1);

/// A tenth of an interval, at most 1 s: how far what should happen at once is spread.
pub(crate) fn window(interval: Duration) -> Duration {
    (interval / 10).min(LONGEST_WINDOW)
}

/// Draws times.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    state: u64,
}

impl Spread {
    pub(crate) fn of(id: &str) -> Self {
        Self { state: fnv1a(id) }
    }

    /// A time from zero to below a window.
    pub(crate) fn below(&mut self, window: Duration) -> Duration {
        // The upper half of the product is the draw times the window over 2^64.
        let window = u128::from(u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
        let nanos = (u128::from(self.draw()) * window) >> 64;
        Duration::from_nanos(u64::try_from(nanos).expect("below a window of 64 bits"))
    }

    /// SplitMix64.
    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// FNV-1a: stable over releases and platforms, which std's hashers do not promise.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn every_draw_of_a_fleet_is_spread_evenly_over_its_window() {
        for window in [Duration::from_millis(10), S, 30 * S, 86_400 * S] {
            let mut fleet: Vec<_> = (0..1000).map(|i| Spread::of(&format!("worker-{i}"))).collect();
            for draw in 0..3 {
                let mut tenths = [0; 10];
                for member in &mut fleet {
                    let drawn = member.below(window);
                    assert!(drawn < window);
                    tenths[usize::try_from(drawn.as_nanos() * 10 / window.as_nanos()).unwrap()] += 1;
                }
                assert!(tenths.iter().all(|count| (60..140).contains(count)), "draw {draw} of {window:?}: {tenths:?}");
            }
        }
    }

    #[test]
    fn an_id_draws_the_same_every_time() {
        let draws = || {
            let mut spread = Spread::of("worker-1");
            [spread.below(30 * S), spread.below(S), spread.below(S)]
        };
        assert_eq!(draws(), draws());
        assert_ne!(draws()[1], draws()[2]);
    }

    #[test]
    fn what_should_happen_at_once_is_spread_over_a_tenth_of_the_interval_and_a_second_at_most() {
        assert_eq!([S / 10, 5 * S, 30 * S, 86_400 * S].map(window), [S / 100, S / 2, S, S]);
    }
}
