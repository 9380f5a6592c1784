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
            tokio::time::sleep(self.pause.mul_f64(0.9 + 0.2 * fastrand::f64())).await;
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
}
