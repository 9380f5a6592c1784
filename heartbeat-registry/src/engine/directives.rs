//! Asking members for something.

use heartbeat_contract::{AskedDirective, Directive, MemberId};

use super::Engine;
use crate::core::KindIndex;
use crate::error::{DirectiveError, UnknownMember};

impl Engine {
    /// Asks a member for something; returns that, and the number of the newest event.
    pub(crate) fn ask(
        &self,
        kind: KindIndex,
        id: &MemberId,
        directive: Directive,
    ) -> Result<(AskedDirective, u64), DirectiveError> {
        let key = self.key(kind, id);
        let mut table = self.table(key);
        let slot = table.find(key).ok_or_else(|| self.unknown(kind, id))?;
        let now = self.now();
        let mut facts = Vec::new();
        let asked = table.ask(slot, directive, &now, &mut facts);
        let incarnation = table.get(slot).and_then(|(hot, _)| hot.order()).map(|order| order.incarnation);
        let told = self.tell(facts, &now);
        let until = asked.map_err(|state| DirectiveError::NotOnline { id: id.clone(), state })?;
        Ok((AskedDirective { directive, incarnation, until: now.wall_at(until) }, told))
    }

    /// Takes back what was asked of a member; returns the number of the event that tells it, if it was still asked.
    pub(crate) fn withdraw(
        &self,
        kind: KindIndex,
        id: &MemberId,
        directive: Directive,
    ) -> Result<Option<u64>, UnknownMember> {
        let key = self.key(kind, id);
        let mut table = self.table(key);
        let slot = table.find(key).ok_or_else(|| self.unknown(kind, id))?;
        let now = self.now();
        let mut facts = Vec::new();
        let was_asked = table.withdraw(slot, directive, &mut facts);
        let told = self.tell(facts, &now);
        Ok(was_asked.then_some(told))
    }

    fn unknown(&self, kind: KindIndex, id: &MemberId) -> UnknownMember {
        UnknownMember { kind: self.kind_name(kind), id: id.clone() }
    }
}
