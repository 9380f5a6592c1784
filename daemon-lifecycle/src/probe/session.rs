use super::{Answer, Probe, ProbeError, exchange::Kept};

/// A probe that is asked over and over, and keeps its connection where it can: one that is new each time, every few
/// seconds and for ever, would fill the tables of ports with those that are closed.
///
/// A connection that has hung since the last question is found out only by a timeout, so that question fails; the next is
/// asked over a new one.
pub(crate) struct Session<'a> {
    probe: &'a Probe,
    kept: Kept,
}

impl<'a> Session<'a> {
    pub(crate) fn of(probe: &'a Probe) -> Self {
        Self { probe, kept: Kept::default() }
    }

    /// As [`Probe::ask`].
    pub(crate) async fn ask(&mut self) -> Result<Answer, ProbeError> {
        self.probe.ask_over(Some(&mut self.kept), self.probe.timeout).await
    }
}
