//! Deadlines of many entries: arm and disarm in constant time, sweep at a cost of those due.
//!
//! A hierarchical timing wheel (Varghese and Lauck, 1987) that is eager and intrusive: each entry sits in exactly one
//! list, and its links live with the entry. Levels have 64 slots and are eight times coarser than the one below, so that
//! an entry waits in a slot that begins no sooner than after seven eighths of its time. Beats that come in time re-arm
//! before that: a sweep never touches a live member. Level 0 counts single microseconds, so that nothing is rounded.

const LEVELS: usize = 15;
const SLOTS: u64 = 64;
const NONE: u32 = u32::MAX;
const UNARMED: u64 = (1 << SLOT_BITS) - 1;
const SLOT_BITS: u32 = 10;
/// The farthest a deadline may be armed ahead, in microseconds: four and a half years. Farther ones fire early, and are
/// to be armed again.
const HORIZON: u64 = 1 << 47;

/// The part of an entry that the wheel owns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    /// The deadline in microseconds, and below it the slot, to fit sixteen bytes.
    due_and_slot: u64,
    prev: u32,
    next: u32,
}

impl Node {
    pub(super) const fn new() -> Self {
        Self { due_and_slot: UNARMED, prev: NONE, next: NONE }
    }

    const fn due(self) -> u64 {
        self.due_and_slot >> SLOT_BITS
    }

    const fn slot(self) -> usize {
        (self.due_and_slot & UNARMED) as usize
    }

    const fn is_armed(self) -> bool {
        self.due_and_slot & UNARMED != UNARMED
    }
}

impl AsMut<Self> for Node {
    fn as_mut(&mut self) -> &mut Self {
        self
    }
}

/// The lists; the entries' nodes are passed in with each call.
#[derive(Debug)]
pub(super) struct Wheel {
    heads: Box<[u32]>,
    occupied: [u64; LEVELS],
    now: u64,
    steps: u64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { heads: vec![NONE; LEVELS * SLOTS as usize].into(), occupied: [0; LEVELS], now: 0, steps: 0 }
    }

    /// Sets the deadline of an entry, in microseconds; one that is past is due at once.
    pub(super) fn arm<T: AsMut<Node>>(&mut self, entries: &mut [T], index: u32, due: u64) {
        self.disarm(entries, index);
        let due = due.clamp(self.now, self.now + HORIZON);
        let (level, slot) = self.place(due);
        let list = level * SLOTS as usize + slot;
        let next = std::mem::replace(&mut self.heads[list], index);
        if next != NONE {
            node(entries, next).prev = index;
        }
        *node(entries, index) = Node { due_and_slot: due << SLOT_BITS | list as u64, prev: NONE, next };
        self.occupied[level] |= 1 << slot;
    }

    pub(super) fn disarm<T: AsMut<Node>>(&mut self, entries: &mut [T], index: u32) {
        let Node { prev, next, .. } = *node(entries, index);
        if !node(entries, index).is_armed() {
            return;
        }
        let list = node(entries, index).slot();
        if next != NONE {
            node(entries, next).prev = prev;
        }
        if prev != NONE {
            node(entries, prev).next = next;
        } else {
            self.heads[list] = next;
            if next == NONE {
                self.occupied[list / SLOTS as usize] &= !(1 << (list as u64 % SLOTS));
            }
        }
        *node(entries, index) = Node::new();
    }

    /// Takes out the next entry that is due by `now`, in the order of deadlines; `None` once there is no other.
    pub(super) fn pop<T: AsMut<Node>>(&mut self, entries: &mut [T], now: u64) -> Option<u32> {
        while let Some((start, list)) = self.next_slot().filter(|(start, _)| *start <= now) {
            self.now = self.now.max(start);
            let index = self.heads[list];
            self.steps += 1;
            let due = node(entries, index).due();
            self.disarm(entries, index);
            if due <= self.now {
                return Some(index);
            }
            self.arm(entries, index, due);
        }
        self.now = self.now.max(now);
        None
    }

    /// When to call [`pop`](Self::pop) again: no deadline is sooner.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.next_slot().map(|(start, _)| start)
    }

    /// How many entries were looked at so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// The lowest level whose 64 slots, from the current one on, reach as far as the deadline.
    fn place(&self, due: u64) -> (usize, usize) {
        let bits = u64::BITS - (due - self.now).leading_zeros();
        let mut level = bits.saturating_sub(6).div_ceil(3);
        if (due >> (3 * level)) - (self.now >> (3 * level)) >= SLOTS {
            level += 1;
        }
        (level as usize, ((due >> (3 * level)) % SLOTS) as usize)
    }

    /// The occupied slot that begins first, and its list. No entry is due before its slot begins.
    fn next_slot(&self) -> Option<(u64, usize)> {
        let occupied = self.occupied.iter().enumerate().filter(|(_, slots)| **slots != 0);
        let first_of_each = occupied.map(|(level, slots)| {
            let shift = 3 * level as u32;
            let current = self.now >> shift;
            // All 64 turned around are where they were, so that the lowest bits of the number suffice.
            let ahead = u64::from(slots.rotate_right(current as u32).trailing_zeros());
            let start = ((current + ahead) << shift).max(self.now);
            (start, level * SLOTS as usize + ((current + ahead) % SLOTS) as usize)
        });
        first_of_each.min()
    }
}

fn node<T: AsMut<Node>>(entries: &mut [T], index: u32) -> &mut Node {
    entries[index as usize].as_mut()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Arm { entry: u32, ahead: u64 },
        Disarm { entry: u32 },
        Advance { by: u64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        // Distances of every order of magnitude, from a microsecond to beyond the horizon.
        let distance = || (0_u32..49).prop_flat_map(|bits| 0..(1_u64 << bits));
        prop_oneof![
            4 => (0_u32..40, distance()).prop_map(|(entry, ahead)| Step::Arm { entry, ahead }),
            1 => (0_u32..40).prop_map(|entry| Step::Disarm { entry }),
            2 => distance().prop_map(|by| Step::Advance { by }),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_wheel_fires_what_an_ordered_map_fires(steps in prop::collection::vec(step(), 1..120)) {
            let mut wheel = Wheel::new();
            let mut nodes = vec![Node::new(); 40];
            let mut oracle: BTreeMap<u32, u64> = BTreeMap::new();
            let mut now = 0_u64;
            for step in steps {
                match step {
                    Step::Arm { entry, ahead } => {
                        wheel.arm(&mut nodes, entry, now + ahead);
                        oracle.insert(entry, now + ahead.min(HORIZON));
                    }
                    Step::Disarm { entry } => {
                        wheel.disarm(&mut nodes, entry);
                        oracle.remove(&entry);
                    }
                    Step::Advance { by } => {
                        now += by;
                        let mut fired = Vec::new();
                        while let Some(entry) = wheel.pop(&mut nodes, now) {
                            fired.push((oracle[&entry], entry));
                            oracle.remove(&entry);
                        }
                        prop_assert!(fired.is_sorted_by_key(|(due, _)| *due), "out of order: {fired:?}");
                        prop_assert!(fired.iter().all(|(due, _)| *due <= now));
                        prop_assert!(oracle.values().all(|due| *due > now), "missed: {oracle:?} at {now}");
                    }
                }
                let soonest = oracle.values().min();
                match wheel.next_due() {
                    Some(due) => prop_assert!(due <= *soonest.unwrap(), "next is {due}, but {soonest:?} is sooner"),
                    None => prop_assert!(oracle.is_empty()),
                }
            }
        }
    }

    #[test]
    fn a_deadline_is_looked_at_a_few_times_however_far_ahead_it_was_and_those_of_others_are_not() {
        for ahead in [1, 1_000, 30_000_000, 86_400_000_000] {
            let mut wheel = Wheel::new();
            let mut nodes = vec![Node::new(); 3];
            wheel.arm(&mut nodes, 0, ahead);
            (1..3).for_each(|later| wheel.arm(&mut nodes, later, 2 * ahead));
            assert_eq!(wheel.pop(&mut nodes, ahead), Some(0));
            assert_eq!(wheel.pop(&mut nodes, ahead), None);
            assert!((1..=LEVELS as u64).contains(&wheel.steps()), "{} looks at {ahead}", wheel.steps());
        }
    }

    #[test]
    fn an_entry_that_is_due_at_the_beginning_of_time_can_be_taken_out() {
        let mut wheel = Wheel::new();
        let mut nodes = [Node::new()];
        wheel.arm(&mut nodes, 0, 0);
        wheel.disarm(&mut nodes, 0);
        assert_eq!(wheel.pop(&mut nodes, 0), None);
    }

    #[test]
    fn members_that_beat_in_time_are_never_touched_by_a_sweep() {
        for (count, interval) in [(1_000_u32, 30_000_000_u64), (1_000, 5_000_000), (1_000, 1_000_000), (100, 100_000)] {
            let mut wheel = Wheel::new();
            let mut nodes = vec![Node::new(); count as usize];
            let allowance = (interval / 4).min(5_000_000);
            for round in 0..20 {
                for entry in 0..count {
                    let at = round * interval + u64::from(entry) * interval / u64::from(count);
                    assert_eq!(wheel.pop(&mut nodes, at), None);
                    wheel.arm(&mut nodes, entry, at + interval + allowance);
                }
            }
            assert_eq!(wheel.steps(), 0, "at an interval of {interval} us");
        }
    }
}
