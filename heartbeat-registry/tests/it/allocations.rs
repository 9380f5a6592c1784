//! A beat of a known member allocates nothing.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use heartbeat_registry::FleetConfig;
use heartbeat_registry::contract::{Detector, Policy, WorkerHeartbeat, decode};

use crate::world::{World, id};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Counts the allocations of each thread.
struct Counting;

#[expect(unsafe_code, reason = "an allocator cannot be written without")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps what `GlobalAlloc` asks.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps what `GlobalAlloc` asks.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps what `GlobalAlloc` asks.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn record_allocates_nothing_for_a_known_member_while_its_history_wraps() {
    assert_eq!(allocations_of_known_members(&World::new()), 0);
}

#[test]
fn nor_does_it_for_a_member_whose_allowance_is_learnt() {
    let policy = Policy { detector: Detector::Adaptive, ..Policy::default() };
    let world = World::with(FleetConfig { policy: policy.clone(), ..FleetConfig::default() });
    assert_eq!(allocations_of_known_members(&world), 0);
    let world = World::new();
    world.workers.start_monitoring(&id("worker-123"), policy).unwrap();
    assert_eq!(allocations_of_known_members(&world), 0);
}

fn allocations_of_known_members(world: &World) -> u64 {
    let full: WorkerHeartbeat =
        decode(include_bytes!("../../../heartbeat-contract/tests/golden/worker_full.json")).unwrap();
    let mut beats: Vec<_> = (0..400_u64)
        .map(|seq| {
            let mut beat = full.clone();
            let info = beat.beat.as_mut().unwrap();
            info.seq = Some(seq);
            info.tick = Some(seq);
            // Metadata changes now and then, as it does.
            if seq % 7 == 0 {
                beat.metadata = None;
            }
            beat
        })
        .collect();
    let measured = beats.split_off(150);
    for beat in beats {
        world.accept(beat);
    }
    let before = ALLOCATIONS.get();
    for beat in measured {
        world.accept(beat);
    }
    ALLOCATIONS.get() - before
}
