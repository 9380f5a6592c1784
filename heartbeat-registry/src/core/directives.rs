//! What is asked of a member, until it is obeyed, withdrawn or void.

use std::time::Duration;

use heartbeat_contract::{Directive, DirectiveOutcome, EventBody, HealthState};

use super::now::{Now, micros};
use super::table::{Fact, Table};

/// For how long a member is asked.
const ASKED_FOR: Duration = Duration::from_mins(10);
const KNOWN: [Directive; 2] = [Directive::Drain, Directive::Shutdown];

/// The directives asked of one member, each until a moment in virtual microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked([Option<u64>; KNOWN.len()]);

impl Asked {
    /// Those that have not lapsed by a moment.
    pub(crate) fn at(self, at: u64) -> impl Iterator<Item = Directive> {
        let asked = KNOWN.into_iter().zip(self.0);
        asked.filter(move |(_, until)| until.is_some_and(|until| at < until)).map(|(directive, _)| directive)
    }

    /// When the next one lapses.
    pub(super) fn next_lapse(self) -> Option<u64> {
        self.0.into_iter().flatten().min()
    }

    fn of(&mut self, directive: Directive) -> Option<&mut Option<u64>> {
        let place = KNOWN.iter().position(|known| *known == directive)?;
        Some(&mut self.0[place])
    }
}

impl Table {
    /// Asks a member for something; returns until when, in virtual microseconds, or its state if it would not hear of it.
    /// Asked again, it has as long again.
    pub(crate) fn ask(
        &mut self,
        slot: u32,
        directive: Directive,
        now: &Now,
        facts: &mut Vec<Fact>,
    ) -> Result<u64, HealthState> {
        let until = now.at + micros(ASKED_FOR);
        let (hot, cold) = self.both(slot);
        if !hot.state.is_online() {
            return Err(hot.state);
        }
        let asked = cold.asked.of(directive).expect("unknown directives are refused before");
        if asked.replace(until).is_none() {
            facts.push(self.became(slot, directive, DirectiveOutcome::Asked));
        }
        self.review(slot, now, facts);
        Ok(until)
    }

    /// Takes back what was asked of a member; tells whether it still was.
    pub(crate) fn withdraw(&mut self, slot: u32, directive: Directive, facts: &mut Vec<Fact>) -> bool {
        self.end(slot, directive, DirectiveOutcome::Withdrawn, facts)
    }

    /// A member did what it may have been asked for.
    pub(super) fn obey(&mut self, slot: u32, directive: Directive, facts: &mut Vec<Fact>) {
        self.end(slot, directive, DirectiveOutcome::Obeyed, facts);
    }

    /// Voids all that is asked of a member: its run is over.
    pub(super) fn void_all(&mut self, slot: u32, facts: &mut Vec<Fact>) {
        self.void_by(slot, u64::MAX, facts);
    }

    /// Voids what was asked of a member for long enough.
    pub(super) fn void_lapsed(&mut self, slot: u32, now: &Now, facts: &mut Vec<Fact>) {
        self.void_by(slot, now.at, facts);
    }

    fn void_by(&mut self, slot: u32, at: u64, facts: &mut Vec<Fact>) {
        let (_, cold) = self.both(slot);
        for (directive, until) in KNOWN.into_iter().zip(cold.asked.0) {
            if until.is_some_and(|until| until <= at) {
                self.end(slot, directive, DirectiveOutcome::Void, facts);
            }
        }
    }

    fn end(&mut self, slot: u32, directive: Directive, outcome: DirectiveOutcome, facts: &mut Vec<Fact>) -> bool {
        let (_, cold) = self.both(slot);
        let was_asked = cold.asked.of(directive).and_then(Option::take).is_some();
        if was_asked {
            facts.push(self.became(slot, directive, outcome));
        }
        was_asked
    }

    fn became(&self, slot: u32, directive: Directive, outcome: DirectiveOutcome) -> Fact {
        self.fact(slot, EventBody::Directive { directive, outcome })
    }
}
