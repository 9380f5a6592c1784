//! Many members through a virtual day, without a network: the fleet is driven by hand.

mod agenda;
mod books;
mod crowd;
mod memory;

use std::time::Duration;

use heartbeat_registry::contract::{EventId, Policy};
use heartbeat_registry::{Clock, Fleet, FleetConfig, ManualClock, WorkerRegistry};

use self::agenda::{Agenda, Task};
use self::books::Books;
use self::crowd::Crowd;

/// How many beats are kept: few, so that the rings are warm soon and memory tells what else grows.
const HISTORY: u32 = 3;
/// The interval that the registry asks for. Members declare shorter ones, and are granted up to ten times those.
const GRANTED: Duration = Duration::from_secs(300);
/// How often members are counted.
const COUNTING: Duration = Duration::from_secs(60);
/// How much memory may grow from the first quarter of the time to its end, in parts of a hundred.
const GROWTH: u64 = 5;

/// How large a day is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) members: u32,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) beats: u64,
    pub(crate) events: u64,
    pub(crate) failed: u64,
    /// Of all events, in their order.
    pub(crate) digest: u64,
    /// Resident memory after a quarter of the time and at its end, in KiB.
    pub(crate) memory: (u64, u64),
}

/// A hundred thousand members through a day, in a process where nothing else takes memory meanwhile.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn run() -> Result<(), String> {
    let size = Size { members: 100_000, time: Duration::from_hours(24), seed: 1 };
    let passed = pass(size)?;
    let Passed { beats, events, failed, digest, memory: (early, late) } = passed;
    println!(
        "{} members through {} h: {beats} beats, {events} events ({digest:016x}), {failed} deaths; memory {} MiB after a quarter, {} MiB in \
         the end",
        size.members,
        size.time.as_secs() / 3_600,
        early / 1_024,
        late / 1_024
    );
    if late > early + early * GROWTH / 100 {
        return Err(format!("I7: memory grew by more than {GROWTH} %: from {early} KiB to {late} KiB"));
    }
    Ok(())
}

/// Lets the time pass.
///
/// # Errors
/// The first promise that was broken.
pub(crate) fn pass(size: Size) -> Result<Passed, String> {
    let mut day = Day::begin(size);
    let quarter = size.time / 4;
    let mut early = 0;
    let mut counted = Duration::ZERO;
    while day.clock.monotonic() < size.time {
        day.go_on()?;
        let now = day.clock.monotonic();
        if now >= counted + COUNTING {
            counted = now;
            day.count()?;
        }
        if early == 0 && now >= quarter {
            early = memory::resident();
        }
    }
    let memory = (early, memory::resident());
    let Books { events, failed, digest, .. } = day.books;
    Ok(Passed { beats: day.crowd.beats, events, failed, digest, memory })
}

struct Day {
    clock: ManualClock,
    fleet: Fleet,
    workers: WorkerRegistry,
    agenda: Agenda,
    crowd: Crowd,
    books: Books,
    read: u64,
}

impl Day {
    fn begin(size: Size) -> Self {
        let clock = ManualClock::new(jiff::Timestamp::from_second(1_767_322_800).expect("a year of four digits"));
        let policy = Policy { history: HISTORY, ..Policy::every(GRANTED) };
        let max_members = size.members as usize;
        let config = FleetConfig { policy, max_members, seed: Some(size.seed), ..FleetConfig::default() };
        let fleet = Fleet::new(config, clock.clone()).expect("a valid config");
        let workers = WorkerRegistry::new(&fleet);
        let mut agenda = Agenda::default();
        // A few more than fit, since some are always dead.
        let crowd = Crowd::begin(size.members + size.members / 50, size.seed, &mut agenda);
        let books = Books::new(crowd.members.len(), max_members as u64);
        Self { clock, fleet, workers, agenda, crowd, books, read: 0 }
    }

    /// Goes to the next thing that happens, be it a deadline or something that a member does.
    fn go_on(&mut self) -> Result<(), String> {
        let next = self.agenda.next();
        let wake = self.fleet.next_wake().map_or(u64::MAX, micros);
        if wake < next {
            self.clock.advance_to(Duration::from_micros(wake));
            self.fleet.sweep();
            return self.read_log();
        }
        self.clock.advance_to(Duration::from_micros(next));
        let (mut tasks, mut now) = (self.agenda.take(), self.now());
        for (member, task) in tasks.drain(..) {
            match task {
                Task::Stall => {
                    self.stall()?;
                    now = self.now();
                }
                Task::Verdict(heard) => self.books.verdict_is_due(member, heard, now, &mut self.agenda)?,
                task => {
                    let (agenda, books) = (&mut self.agenda, &mut self.books);
                    let last_event = self.crowd.act((member, task), next, now, &self.workers, agenda, books)?;
                    if last_event.is_none_or(|last| last > self.read) {
                        self.read_log()?;
                    }
                }
            }
        }
        self.agenda.recycle(tasks);
        Ok(())
    }

    /// The whole process is stopped for a while: nobody sweeps.
    fn stall(&mut self) -> Result<(), String> {
        let (time, next) = self.crowd.draw_stall();
        self.books.stopped(time);
        self.clock.advance(Duration::from_micros(time));
        self.agenda.at(self.now() + next, 0, Task::Stall);
        self.fleet.sweep();
        self.read_log()
    }

    fn read_log(&mut self) -> Result<(), String> {
        let page = self.fleet.events(Some(&EventId { log: None, n: self.read }), usize::MAX);
        self.read = page.next - 1;
        let now = self.now();
        page.events.into_iter().try_for_each(|event| self.books.logged(&event, now))
    }

    fn count(&mut self) -> Result<(), String> {
        self.books.counted(&self.workers.stats())
    }

    fn now(&self) -> u64 {
        micros(self.clock.monotonic())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).expect("a day has fewer microseconds")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_two_hours_of_a_thousand_members_pass_the_same_way_each_time_and_break_no_promise() {
        let size = Size { members: 1_000, time: Duration::from_secs(7_200), seed: 3 };
        let (once, again) = (pass(size).unwrap(), pass(size).unwrap());
        assert!(once.failed > 5 && once.beats > 10_000, "{once:?}");
        assert_eq!((once.digest, once.events, once.beats), (again.digest, again.events, again.beats));
        assert_ne!(pass(Size { seed: 4, ..size }).unwrap().digest, once.digest);
    }
}
