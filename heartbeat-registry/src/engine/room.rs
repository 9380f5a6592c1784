//! Room for new members, up to the cap.

use std::sync::MutexGuard;
use std::sync::atomic::Ordering;

use heartbeat_contract::ForgetReason;

use super::Engine;
use crate::core::{Key, Table};
use crate::error::RecordError;
use crate::lock::lock;

impl Engine {
    /// Locks the table of a member, with room reserved for it if it is not yet known.
    pub(super) fn table_with_room(&self, key: Key<'_>) -> Result<MutexGuard<'_, Table>, RecordError> {
        let table = self.table(key);
        if table.find(key).is_some() {
            return Ok(table);
        }
        drop(table);
        self.make_room()?;
        let table = self.table(key);
        if table.find(key).is_some() {
            // Somebody else was faster, and reserved as well.
            self.members.fetch_sub(1, Ordering::AcqRel);
        }
        Ok(table)
    }

    /// Reserves room for one more member, forgetting another if need be.
    fn make_room(&self) -> Result<(), RecordError> {
        let now = self.now();
        loop {
            let more = |members: usize| (members < self.max_members).then_some(members + 1);
            if self.members.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok() {
                return Ok(());
            }
            let oldest = self
                .shards
                .iter()
                .enumerate()
                .filter_map(|(shard, table)| Some((lock(table).oldest_retired(&now)?, shard)))
                .min();
            let Some(((failed, since, slot), shard)) = oldest else {
                return Err(RecordError::TooManyMembers { max: self.max_members });
            };
            let mut table = lock(&self.shards[shard]);
            if table.oldest_retired(&now) == Some((failed, since, slot)) {
                let fact = table.forget(slot, ForgetReason::Room, &now);
                self.tell(fact, &now);
            }
        }
    }
}
