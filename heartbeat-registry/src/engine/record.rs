//! Taking beats.

use std::sync::MutexGuard;
use std::time::Duration;

use heartbeat_contract::{Directive, MemberId, Payload, Violations};

use super::Engine;
use crate::core::{Accepted, Attachment, Beat, Key, KindIndex, Now, Origin, Stale, Table, Verdict};
use crate::error::RecordError;

/// How far an incarnation may be ahead of the registry's wall clock.
const INCARNATION_LEAD: Duration = Duration::from_hours(24);

/// What became of a beat, with the number of the newest event there was then.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) verdict: Verdict,
    /// When to send the next.
    pub(crate) next_in: Duration,
    pub(crate) last_event: u64,
    pub(crate) directives: Vec<Directive>,
}

impl Engine {
    /// Takes a beat of a member, known or not. If it counts, `keep` puts its payload with the member; what that replaces
    /// is dropped outside the lock.
    pub(crate) fn record<P: Payload>(
        &self,
        kind: KindIndex,
        payload: P,
        origin: Origin,
        keep: impl FnOnce(&mut Option<Attachment>, P, &Now, u32) -> Option<P>,
    ) -> Result<Taken, RecordError> {
        let beat = Beat::of(&payload, origin);
        let key = self.key(kind, payload.id());
        let Some(mut table) = self.table_to_take(key, &beat)? else {
            let (next_in, last_event) = (beat.declared(), self.log.last());
            return Ok(Taken { verdict: Verdict::Left, next_in, last_event, directives: Vec::new() });
        };
        // Read under the lock, so that the beats of a member come in the order of their times.
        let now = self.now();
        let mut facts = Vec::new();
        let silent = table.find(key).and_then(|slot| table.silent_host(slot));
        let result = match table.find(key) {
            Some(slot) => table.hear(slot, &beat, &now, &mut facts),
            None => Ok(table.register(key, &beat, &now, &mut facts)),
        };
        let last_event = self.tell(facts, &now);
        let Accepted { slot, verdict, next_in, due, asked } = result.map_err(|stale| refusal(payload.id(), stale))?;
        let taken = Taken { verdict, next_in, last_event, directives: asked.at(now.at).collect() };
        if verdict == Verdict::Duplicate {
            return Ok(taken);
        }
        let changed = self.settle_home(&mut table, slot, silent, &now);
        let exits = payload.exited().to_vec();
        let hive = (!exits.is_empty()).then(|| payload.id().clone());
        let history = table.get(slot).map_or(0, |(_, cold)| cold.policy.history);
        let replaced = keep(table.attachment(slot), payload, &now, history);
        drop(table);
        drop(replaced);
        self.expect_by(due.min(self.rehold(changed, &now)));
        if let Some(hive) = hive {
            self.ended(&hive, &exits, &now);
        }
        Ok(taken)
    }

    /// Locks the table of a member, with room for it; `None` if it is not known and says goodbye.
    fn table_to_take(&self, key: Key<'_>, beat: &Beat<'_>) -> Result<Option<MutexGuard<'_, Table>>, RecordError> {
        let table = self.table(key);
        let known = table.find(key);
        let newest = known.and_then(|slot| table.get(slot)).map_or(0, |(hot, _)| hot.newest_run());
        self.check_incarnation(beat, newest)?;
        if known.is_some() {
            return Ok(Some(table));
        }
        drop(table);
        if beat.leaving().is_some() {
            return Ok(None);
        }
        self.table_with_room(key).inspect_err(|_| self.count_refused()).map(Some)
    }

    /// The newest run that is known, and the one that takes the number after it, count wherever the wall clock has gone
    /// since: they were not too far ahead once.
    fn check_incarnation(&self, beat: &Beat<'_>, newest: u64) -> Result<(), RecordError> {
        let Some(order) = beat.order() else { return Ok(()) };
        if order.incarnation <= newest.saturating_add(1) {
            return Ok(());
        }
        let latest = self.clock.wall().as_microsecond().saturating_add(INCARNATION_LEAD.as_micros() as i64);
        if i64::try_from(order.incarnation).is_ok_and(|incarnation| incarnation <= latest) {
            return Ok(());
        }
        let mut violations = Violations::default();
        let detail = format_args!("{} is more than 24 h ahead of the registry's clock", order.incarnation);
        violations.add("/beat/incarnation", detail);
        self.count_refused();
        Err(RecordError::Invalid(violations))
    }
}

fn refusal(id: &MemberId, stale: Stale) -> RecordError {
    match stale {
        Stale::Incarnation { newest } => RecordError::StaleIncarnation { id: id.clone(), newest },
        Stale::SeqTooFar { largest } => {
            let mut violations = Violations::default();
            violations
                .add("/beat/seq", format_args!("farther ahead than {largest}, which is as far as it can have got"));
            RecordError::Invalid(violations)
        }
    }
}
