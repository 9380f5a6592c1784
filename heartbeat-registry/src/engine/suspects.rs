//! Members past their suspect edge, for whoever looks into why they are silent.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use heartbeat_contract::{Kind, MemberId, ProbeStats, ProcessExit};
use tokio::sync::Notify;

use super::Engine;
use crate::core::{Finding, Found, KindIndex, Noticed, Now, Source};
use crate::lock::lock;

/// How many wait at most; beyond it the longest waiting is dropped, since its deadline is nearest or past.
const CAPACITY: usize = 1_024;

/// A bounded queue. Nobody's verdict ever waits for it.
#[derive(Debug, Default)]
pub(crate) struct Suspects {
    queue: Mutex<VecDeque<Noticed>>,
    news: Notify,
    /// How many take them.
    takers: AtomicUsize,
    dropped: AtomicU64,
    probed: AtomicU64,
}

impl Suspects {
    pub(super) fn add(&self, suspects: Vec<Noticed>) {
        if suspects.is_empty() || self.takers.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut queue = lock(&self.queue);
        for suspect in suspects {
            if queue.len() == CAPACITY {
                queue.pop_front();
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            queue.push_back(suspect);
        }
        self.news.notify_one();
    }

    /// Begins or ceases to take them.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) fn want(&self, is_wanted: bool) {
        if is_wanted {
            self.takers.fetch_add(1, Ordering::AcqRel);
        } else if self.takers.fetch_sub(1, Ordering::AcqRel) == 1 {
            lock(&self.queue).clear();
        }
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// None is lost if the future is dropped.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) async fn next(&self) -> Noticed {
        loop {
            let next = lock(&self.queue).pop_front();
            if let Some(next) = next {
                return next;
            }
            self.news.notified().await;
        }
    }

    /// Counts one that was looked into.
    #[cfg_attr(not(feature = "verify"), allow(dead_code, reason = "probes are what takes them"))]
    pub(crate) fn probed(&self) {
        self.probed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> ProbeStats {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProbeStats { done: read(&self.probed), dropped: read(&self.dropped) }
    }
}

impl Engine {
    /// A hive reports that processes of workers on its host ended.
    pub(super) fn ended(&self, hive: &MemberId, exits: &[ProcessExit], now: &Now) {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        let Some(workers) = kinds.all().find_map(|(index, kind)| (*kind == Kind::WORKER).then_some(index)) else {
            return;
        };
        drop(kinds);
        for exit in exits {
            let finding = Finding { found: Found::Gone, at: now.at, words: format!("hive {hive} reports: {exit}") };
            let ended = exit.age_ms.map(|age| now.at.saturating_sub(age.saturating_mul(1000)));
            let source = Source::Hive { hive, incarnation: exit.incarnation, ended };
            self.found(workers, &exit.worker_id, source, finding);
        }
    }

    /// Something was found out about a member.
    pub(crate) fn found(&self, kind: KindIndex, id: &MemberId, source: Source<'_>, finding: Finding) {
        let key = self.key(kind, id);
        let mut table = self.table(key);
        let Some(slot) = table.find(key) else { return };
        let now = self.now();
        let mut facts = Vec::new();
        let due = table.found(slot, source, finding, &now, &mut facts);
        self.tell(facts, &now);
        drop(table);
        self.expect_by(due);
    }
}
