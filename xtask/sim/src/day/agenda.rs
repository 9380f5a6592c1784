//! What happens when: a ring of slots for the near future, and a map for the rest.

use std::collections::BTreeMap;

/// How much time a slot takes, in microseconds.
const SLOT: u64 = 10_000;
/// How many slots are near: a good two minutes.
const NEAR: u64 = 1 << 14;

/// The most room that is kept for tasks to come.
const SPARE: usize = 256;

/// Something that a member does, or that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// A beat of the run with this number.
    Beat(u32),
    /// A new run.
    Start,
    /// By now it should be failed, if it was last heard at this time.
    Verdict(u64),
    /// The process of the registry is stopped.
    Stall,
}

pub(super) struct Agenda {
    ring: Vec<Vec<(u32, Task)>>,
    far: BTreeMap<u64, Vec<(u32, Task)>>,
    /// The slot that is taken next.
    slot: u64,
    spare: Vec<(u32, Task)>,
}

impl Default for Agenda {
    fn default() -> Self {
        Self { ring: vec![Vec::new(); NEAR as usize], far: BTreeMap::new(), slot: 0, spare: Vec::new() }
    }
}

impl Agenda {
    /// Puts a task into the slot that ends no sooner than this time.
    pub(super) fn at(&mut self, at: u64, member: u32, task: Task) {
        let slot = at.div_ceil(SLOT).max(self.slot + 1);
        let tasks = if slot < self.slot + NEAR {
            &mut self.ring[(slot % NEAR) as usize]
        } else {
            self.far.entry(slot).or_default()
        };
        tasks.push((member, task));
    }

    /// When the next tasks are due.
    pub(super) fn next(&mut self) -> u64 {
        loop {
            if let Some(tasks) = self.far.remove(&self.slot) {
                self.ring[(self.slot % NEAR) as usize].extend(tasks);
            }
            if !self.ring[(self.slot % NEAR) as usize].is_empty() {
                return self.slot * SLOT;
            }
            self.slot += 1;
        }
    }

    /// Takes the tasks that are due next.
    pub(super) fn take(&mut self) -> Vec<(u32, Task)> {
        let spare = std::mem::take(&mut self.spare);
        std::mem::replace(&mut self.ring[(self.slot % NEAR) as usize], spare)
    }

    /// Gives back the room that they took.
    pub(super) fn recycle(&mut self, tasks: Vec<(u32, Task)>) {
        if tasks.capacity() <= SPARE {
            self.spare = tasks;
        }
    }
}
