//! Who was last seen when.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use dashmap::{DashMap, Entry};
use serde::{Deserialize, Serialize};

use super::beat::Beat;
use crate::clock;

/// A member is overdue when it was silent for as long as the registry's default policy allows.
const TIMEOUT: Duration = Duration::from_secs(95);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// All members by id.
pub(crate) struct Members {
    seen: DashMap<String, Seen>,
}

struct Seen {
    at: Instant,
    is_overdue: bool,
    beats: u64,
    latest: Beat,
}

/// What the bench checks its own count by.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stats {
    pub(crate) members: u64,
    pub(crate) overdue: u64,
    pub(crate) beats: u64,
}

impl Members {
    /// Nobody yet. A thread looks at everyone each second until the members are dropped.
    pub(crate) fn start() -> Arc<Self> {
        let members = Arc::new(Self { seen: DashMap::new() });
        let looked_at = Arc::downgrade(&members);
        thread::spawn(move || look_each_second(&looked_at));
        members
    }

    pub(crate) fn record(&self, beat: Beat) {
        let at = clock::instant();
        // Most beats come from members that are known: no key is made for those.
        if let Some(mut seen) = self.seen.get_mut(&beat.worker_id) {
            return seen.hear(beat, at);
        }
        match self.seen.entry(beat.worker_id.clone()) {
            Entry::Occupied(mut seen) => seen.get_mut().hear(beat, at),
            Entry::Vacant(place) => drop(place.insert(Seen { at, is_overdue: false, beats: 1, latest: beat })),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            members: self.seen.len() as u64,
            overdue: self.seen.iter().filter(|seen| seen.is_overdue).count() as u64,
            beats: self.seen.iter().map(|seen| seen.beats).sum(),
        }
    }

    fn mark_overdue(&self, now: Instant) {
        for mut seen in self.seen.iter_mut() {
            seen.is_overdue = now.saturating_duration_since(seen.at) > TIMEOUT;
        }
    }
}

impl Seen {
    fn hear(&mut self, beat: Beat, at: Instant) {
        self.at = at;
        self.is_overdue = false;
        self.beats += 1;
        self.latest = beat;
    }
}

fn look_each_second(members: &Weak<Members>) {
    loop {
        thread::sleep(LOOK_EVERY);
        let Some(members) = members.upgrade() else { return };
        members.mark_overdue(clock::instant());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat(id: &str) -> Beat {
        serde_json::from_str(&format!(r#"{{"worker_id":"{id}"}}"#)).unwrap()
    }

    #[test]
    fn whoever_is_silent_for_too_long_is_overdue_until_the_next_beat() {
        let members = Members::start();
        members.record(beat("a"));
        members.record(beat("a"));
        members.record(beat("b"));
        assert_eq!(members.stats(), Stats { members: 2, overdue: 0, beats: 3 });
        members.mark_overdue(clock::instant() + TIMEOUT + LOOK_EVERY);
        assert_eq!(members.stats(), Stats { members: 2, overdue: 2, beats: 3 });
        members.record(beat("b"));
        assert_eq!(members.stats(), Stats { members: 2, overdue: 1, beats: 4 });
    }
}
