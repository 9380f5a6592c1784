//! Two runs of one id: the one that was replaced, and whether it lives on.

use heartbeat_contract::{EventBody, HealthState};

use super::member::{Beat, Cold, Hot};
use super::now::Now;
use super::order::Stale;
use super::origin::Origin;
use super::table::{Fact, Table};

/// For how many judged intervals two runs are said to live after a beat of the older was refused.
const BELIEVED_FOR: u64 = 10;

/// The run before the present one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    run: u64,
    /// Whether it was told that a beat of it was refused.
    is_told: bool,
    /// Set once it beat beside the present run.
    rival: Option<Rival>,
}

/// The newest beat of a run that was made after a newer one had begun.
#[derive(Clone, Copy, Debug)]
struct Rival {
    origin: Origin,
    /// Virtual time at which it was refused.
    at: u64,
}

impl Replaced {
    pub(super) const fn new(run: u64) -> Self {
        Self { run, is_told: false, rival: None }
    }
}

impl Table {
    /// A beat was refused. If it is of the run before the present one, that is told once; and once, too, if it shows that
    /// both live. A goodbye shows that one of them ends.
    pub(super) fn hear_refused(&mut self, slot: u32, beat: &Beat<'_>, stale: Stale, now: &Now, facts: &mut Vec<Fact>) {
        let (Stale::Incarnation { newest }, Some(order)) = (stale, beat.order()) else { return };
        let (_, cold) = self.both(slot);
        let present = cold.origin;
        let Some(replaced) = cold.replaced.as_mut().filter(|replaced| replaced.run == order.incarnation) else {
            return;
        };
        let is_first = !std::mem::replace(&mut replaced.is_told, true);
        let is_rival = beat.leaving().is_none() && is_made_after(beat, newest);
        let rival = Rival { origin: beat.origin, at: now.at };
        let is_new_rival = is_rival && replaced.rival.replace(rival).is_none();
        if is_first {
            let mut fact = self.fact(slot, EventBody::Superseded { newest_incarnation: newest });
            fact.incarnation = Some(order.incarnation);
            facts.push(fact);
        }
        if is_new_rival {
            let addresses = [beat.origin, present].map(|origin| origin.to_string()).into();
            facts.push(self.fact(slot, EventBody::DuplicateIdentity { addresses }));
        }
    }
}

/// Whether a beat was made after a run began, rather than on its way while its own run died; by the clocks of the senders.
fn is_made_after(beat: &Beat<'_>, incarnation: u64) -> bool {
    beat.timestamp.is_none_or(|sent| u64::try_from(sent.as_microsecond()).is_ok_and(|sent| sent > incarnation))
}

impl Cold {
    /// Where the two live runs of its id beat from, the older first; `None` if there is but one.
    pub(crate) fn rivals(&self, hot: &Hot, now: &Now) -> Option<[Origin; 2]> {
        let rival = self.replaced.as_ref()?.rival.filter(|_| hot.state != HealthState::Left)?;
        let is_recent = now.at < rival.at + BELIEVED_FOR * hot.interval();
        is_recent.then_some([rival.origin, self.origin])
    }
}
