//! What beats tell beside that their member lives.

use super::member::{Beat, Cold, Hot};
use super::now::Now;

impl Cold {
    /// Takes over the signals of a beat that counted, once its member is judged by its interval.
    pub(super) fn hear_signals(&mut self, hot: &mut Hot, beat: &Beat<'_>, new_run: bool, tells_gap: bool, now: &Now) {
        self.learn(hot, beat, new_run, tells_gap);
        self.hear_work(hot, beat, new_run, now);
        self.hear_lag(hot, beat, new_run);
    }
}
