//! Beats recorded in this process, without HTTP.

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use heartbeat_contract::{WorkerHeartbeat, decode};
use heartbeat_registry::{FleetConfig, Outcome as Became, WorkerRegistry};

use crate::beats::Beats;
use crate::clock;
use crate::cpu;
use crate::measured::{Measured, Sample};
use crate::obvious::{Beat, Members};
use crate::outcome::Outcome;
use crate::plan::{MEMBERS, Plan, WARM};
use crate::subject::Subject;

/// How many beats each thread makes before it records them. Making them is not measured.
const STRETCH: usize = 20_000;

/// Measures with one thread and with two.
pub(crate) fn measure(plan: Plan) -> Outcome<Vec<Measured>> {
    Ok(vec![rounds("recorded in process by 1 thread", 1, plan)?, rounds("recorded in process by 2 threads", 2, plan)?])
}

fn rounds(what: &str, threads: usize, plan: Plan) -> Outcome<Measured> {
    eprintln!("{what} ...");
    let mut measured = Measured::new(what);
    let mut obvious = Stand::set_up(Members::start(), threads)?;
    let mut registry = Stand::set_up(WorkerRegistry::start(FleetConfig::default())?, threads)?;
    let mut turns: [(Subject, &mut Turn<'_>); 2] = [
        (Subject::Obvious, &mut |lasting| obvious.turn(lasting)),
        (Subject::Registry, &mut |lasting| registry.turn(lasting)),
    ];
    for _ in 0..plan.rounds {
        for (subject, turn) in &mut turns {
            measured.add(*subject, turn(plan.turn_in_process())?);
        }
        // Nobody is always first.
        turns.rotate_left(1);
    }
    Ok(measured)
}

/// Lets a store take beats for so long.
type Turn<'a> = dyn FnMut(Duration) -> Outcome<Sample> + 'a;

/// What takes beats.
trait Store: Sync {
    type Beat: Send;

    fn decode(json: &[u8]) -> Outcome<Self::Beat>;

    /// Takes a beat; tells whether it counted.
    fn record(&self, beat: Self::Beat) -> bool;
}

impl Store for WorkerRegistry {
    type Beat = WorkerHeartbeat;

    fn decode(json: &[u8]) -> Outcome<WorkerHeartbeat> {
        Ok(decode(json)?)
    }

    fn record(&self, beat: WorkerHeartbeat) -> bool {
        Self::record(self, beat).is_ok_and(|recorded| matches!(recorded.outcome, Became::Registered | Became::Fresh))
    }
}

impl Store for Arc<Members> {
    type Beat = Beat;

    fn decode(json: &[u8]) -> Outcome<Beat> {
        Ok(serde_json::from_slice(json)?)
    }

    fn record(&self, beat: Beat) -> bool {
        Members::record(self, beat);
        true
    }
}

/// A store with the threads that record.
struct Stand<S> {
    store: S,
    shares: Vec<Beats>,
}

impl<S: Store> Stand<S> {
    /// Lets every member beat until its history is full.
    fn set_up(store: S, threads: usize) -> Outcome<Self> {
        let mut stand = Self { store, shares: Beats::of(MEMBERS, threads)? };
        for _ in 0..(MEMBERS * WARM).div_ceil(STRETCH * threads) {
            stand.stretch()?;
        }
        Ok(stand)
    }

    fn turn(&mut self, lasting: Duration) -> Outcome<Sample> {
        let started = clock::instant();
        let (mut beats, mut took, mut cpu) = (0, Duration::ZERO, Duration::ZERO);
        while clock::instant().duration_since(started) < lasting {
            let all = self.stretch()?;
            beats += (STRETCH * all.len()) as u64;
            took += all.iter().map(|(took, _)| *took).max().unwrap_or_default();
            cpu += all.iter().map(|(_, cpu)| *cpu).sum::<Duration>();
        }
        Ok(Sample::new(beats, took, cpu))
    }

    /// Lets all threads record a stretch of beats at the same time; tells how long each took, and how much of a processor.
    fn stretch(&mut self) -> Outcome<Vec<(Duration, Duration)>> {
        let (store, together) = (&self.store, &Barrier::new(self.shares.len()));
        thread::scope(|scope| {
            let threads = self.shares.iter_mut().map(|beats| scope.spawn(move || stretch(store, beats, together)));
            let threads: Vec<_> = threads.collect();
            threads.into_iter().map(|thread| thread.join().expect("what panics has said so")).collect()
        })
    }
}

fn stretch<S: Store>(store: &S, beats: &mut Beats, together: &Barrier) -> Outcome<(Duration, Duration)> {
    let made: Outcome<Vec<S::Beat>> = (0..STRETCH).map(|_| S::decode(beats.next())).collect();
    together.wait();
    let made = made?;
    let (started, cpu) = (clock::instant(), cpu::of_this_thread());
    let counted = made.into_iter().map(|beat| usize::from(store.record(beat))).sum::<usize>();
    let took = (clock::instant().duration_since(started), cpu::of_this_thread() - cpu);
    if counted == STRETCH { Ok(took) } else { Err(format!("{counted} of {STRETCH} good beats counted").into()) }
}
