use super::{Answer, Probe, ProbeError, exchange::Kept};

/// So many questions are asked over one connection. A daemon that takes no new ones, as when it has run out of files,
/// still answers over an old one, and is to be found out.
const QUESTIONS: u32 = 30;

/// A probe that is asked over and over, and keeps its connection where it can: one that is new each time, every few
/// seconds and for ever, would fill the tables of ports with those that are closed.
///
/// A connection that has hung since the last question is found out only by a timeout, so that question fails; the next is
/// asked over a new one.
pub(crate) struct Session<'a> {
    probe: &'a Probe,
    kept: Kept,
    /// Over this connection, or more of them where they did not last.
    asked: u32,
}

impl<'a> Session<'a> {
    pub(crate) fn of(probe: &'a Probe) -> Self {
        Self { probe, kept: Kept::default(), asked: 0 }
    }

    /// As [`Probe::ask`].
    pub(crate) async fn ask(&mut self) -> Result<Answer, ProbeError> {
        if self.asked == QUESTIONS {
            *self = Self::of(self.probe);
        }
        self.asked += 1;
        self.probe.ask_over(Some(&mut self.kept), self.probe.timeout).await
    }
}
