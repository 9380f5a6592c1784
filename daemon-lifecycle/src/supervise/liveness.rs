use std::time::Duration;

use crate::{Probe, ProbeError, probe::Session};

/// How a daemon that is up is watched: by asking it, every so often. Over HTTP it is asked over one connection, as long as
/// both sides keep it open, and after 30 questions over a new one, so that a daemon that takes none any more is found out.
#[derive(Debug)]
pub struct Liveness {
    /// What is asked. It should be something that only a restart can mend, such as `/livez`.
    pub probe: Probe,
    /// The pause between an answer and the next question, above zero; by default 10 s. A tenth of it either way is left
    /// to chance.
    pub pause: Duration,
    /// So many failures in a row mean that the daemon is lost; by default 3, and never none.
    pub failures: u32,
}

impl Liveness {
    /// With the defaults.
    #[must_use]
    pub fn new(probe: Probe) -> Self {
        Self { probe, pause: Duration::from_secs(10), failures: 3 }
    }

    /// Waits until the daemon is lost. Says how it failed last.
    pub(crate) async fn lost(&self) -> ProbeError {
        let mut failures = 0;
        let mut session = Session::of(&self.probe);
        loop {
            tokio::time::sleep(self.jittered_pause()).await;
            let Err(error) = session.ask().await else {
                failures = 0;
                continue;
            };
            failures += 1;
            if failures >= self.failures {
                return error;
            }
        }
    }

    fn jittered_pause(&self) -> Duration {
        let tenth = self.pause / 10;
        (self.pause - tenth).saturating_add((2 * tenth).mul_f64(fastrand::f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, Liveness, Probe};

    fn pauses(pause: Duration) -> Vec<Duration> {
        let liveness = Liveness { pause, ..Liveness::new(Probe::new("tcp://127.0.0.1:9").expect("a URL")) };
        (0..200).map(|_| liveness.jittered_pause()).collect()
    }

    #[test]
    fn a_tenth_of_a_pause_either_way_is_left_to_chance() {
        let pauses = pauses(Duration::from_secs(10));
        assert!(pauses.iter().all(|pause| (9.0..=11.0).contains(&pause.as_secs_f64())), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause.as_secs_f64() < 9.5), "{pauses:?}");
        assert!(pauses.iter().any(|pause| pause.as_secs_f64() > 10.5), "{pauses:?}");
    }

    #[test]
    fn a_pause_may_last_for_ever() {
        assert!(pauses(Duration::MAX).iter().all(|pause| *pause >= Duration::MAX / 10 * 9));
    }
}
