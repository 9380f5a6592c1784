//! Threads that read, so that whoever asks never waits.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use std::{io, thread};

use heartbeat_contract::FailingSource;

use super::record::{Answer, Record};
use crate::clock::steady;

/// The threads of this process that read one kind of source, by what they read.
///
/// Nothing is read by two. Whoever starts to read what hangs shares the thread that hangs in it, or a process that starts
/// again and again would lose a thread each time.
#[derive(Debug)]
pub(super) struct Collectors<T> {
    source: &'static str,
    running: Mutex<Vec<(PathBuf, Weak<Shared<T>>)>>,
}

/// One of those that want a source to be read. Its thread ends with the last of them, once it is not in the source.
#[derive(Debug)]
pub(super) struct Collector<T> {
    source: &'static str,
    deadline: Duration,
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    left: Condvar,
}

#[derive(Debug)]
struct State<T> {
    record: Record<T>,
    collectors: usize,
    has_ended: bool,
    /// How the source fails, as it was logged last.
    logged: Option<String>,
}

impl<T: Clone + Send + 'static> Collectors<T> {
    pub(super) const fn new(source: &'static str) -> Self {
        Self { source, running: Mutex::new(Vec::new()) }
    }

    /// Reads what is there at once, then `refresh` after each answer, unless this is done already. What reads is made on the
    /// thread that uses it, as that may hang too.
    pub(super) fn start<F, R>(
        &self,
        place: &Path,
        (refresh, deadline): (Duration, Duration),
        open: F,
    ) -> io::Result<Collector<T>>
    where
        F: Fn() -> R + Send + 'static,
        R: FnMut() -> Answer<T>,
    {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(_, shared)| shared.strong_count() > 0);
        let mut there = running.iter().filter(|(known, _)| known == place).filter_map(|(_, shared)| shared.upgrade());
        let source = self.source;
        if let Some(shared) = there.find(|shared| shared.is_joined()) {
            return Ok(Collector { source, deadline, shared });
        }
        let shared = Arc::new(Shared::new(steady()));
        let of_thread = Arc::clone(&shared);
        thread::Builder::new().name(format!("host-{source}")).spawn(move || collect(&of_thread, refresh, open))?;
        running.push((place.to_owned(), Arc::downgrade(&shared)));
        Ok(Collector { source, deadline, shared })
    }
}

fn collect<T, F, R>(shared: &Shared<T>, refresh: Duration, open: F)
where
    T: Clone,
    F: Fn() -> R,
    R: FnMut() -> Answer<T>,
{
    loop {
        let mut read = open();
        while shared.goes_on(read(), refresh) {}
        // Closing a source may hang as well, and somebody may come meanwhile.
        drop(read);
        if shared.ends() {
            return;
        }
    }
}

impl<T: Clone> Collector<T> {
    /// The figures that were read last, however old. Adds how the source fails, if it does, and logs it when that changes.
    pub(super) fn latest(&self, now: Instant, failing: &mut Vec<FailingSource>) -> Option<T> {
        let mut state = self.shared.lock();
        let fails = state.record.failing(self.source, self.deadline, now);
        let words = fails.as_ref().map(ToString::to_string);
        if state.logged != words {
            match &words {
                Some(words) => tracing::warn!("figures of the host are out of date: {words}"),
                None => tracing::info!("figures of the host are up to date: {} answers", self.source),
            }
            state.logged = words;
        }
        failing.extend(fails);
        state.record.latest()
    }
}

impl<T> Drop for Collector<T> {
    fn drop(&mut self) {
        self.shared.lock().collectors -= 1;
        self.shared.left.notify_one();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Shared<T> {
    fn new(now: Instant) -> Self {
        let state = State { record: Record::asked_first(now), collectors: 1, has_ended: false, logged: None };
        Self { state: Mutex::new(state), left: Condvar::new() }
    }

    /// Adds one that wants the source to be read, unless the thread has ended.
    fn is_joined(&self) -> bool {
        let mut state = self.lock();
        state.collectors += usize::from(!state.has_ended);
        !state.has_ended
    }

    /// Takes an answer, and waits until it is time for the next, or nobody wants one any more.
    fn goes_on(&self, answer: Answer<T>, refresh: Duration) -> bool {
        let mut state = self.lock();
        state.record.answered(answer, steady());
        let is_wanted = |state: &mut State<T>| state.collectors > 0;
        let (mut state, _) =
            self.left.wait_timeout_while(state, refresh, is_wanted).unwrap_or_else(PoisonError::into_inner);
        state.record.asked(steady());
        is_wanted(&mut state)
    }

    /// Whether still nobody wants the source to be read. Then nobody can come any more.
    fn ends(&self) -> bool {
        let mut state = self.lock();
        state.has_ended = state.collectors == 0;
        state.has_ended
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};

    use super::*;
    use crate::host_metrics::record::Reading;

    const LONG: Duration = Duration::from_secs(60);
    const EAGER: (Duration, Duration) = (Duration::ZERO, LONG);
    const LAZY: (Duration, Duration) = (LONG, LONG);

    type Read = Box<dyn FnMut() -> Answer<u32>>;

    fn latest(collector: &Collector<u32>) -> Option<u32> {
        collector.latest(steady(), &mut Vec::new())
    }

    /// A source that can be made to hang: it tells each time it is opened (0) or asked (1, 2 ..), and hangs in the second
    /// reading until it is released.
    fn hanging() -> (impl Fn() -> Read + Send, mpsc::Receiver<u32>, mpsc::Sender<()>) {
        let (tell, told) = mpsc::channel();
        let (release, hang) = mpsc::channel::<()>();
        let hang = Arc::new(Mutex::new(hang));
        let open = move || {
            let (tell, hang) = (tell.clone(), Arc::clone(&hang));
            // The thread may outlive the test, which by then listens no more.
            tell.send(0).ok();
            let mut round = 0;
            let read = move || {
                round += 1;
                tell.send(round).ok();
                if round == 2 {
                    hang.lock().unwrap().recv().ok();
                }
                Ok(Reading::complete(round))
            };
            Box::new(read) as Read
        };
        (open, told, release)
    }

    fn wait_for(told: &mpsc::Receiver<u32>, round: u32) {
        while told.recv_timeout(LONG).unwrap() != round {}
    }

    #[test]
    fn a_hung_collector_yields_its_last_figures_and_is_used_again_when_it_comes_back() {
        let collectors = Collectors::new("test");
        let (open, told, release) = hanging();
        let collector = collectors.start(Path::new("a"), EAGER, open).unwrap();
        wait_for(&told, 2);
        assert_eq!(latest(&collector), Some(1), "the second round hangs");
        drop(release);
        wait_for(&told, 3);
        assert!(latest(&collector) >= Some(2));
    }

    #[test]
    fn the_thread_of_a_hung_collector_is_never_started_a_second_time() {
        let collectors = Collectors::new("test");
        let (open, told, release) = hanging();
        let first = collectors.start(Path::new("a"), EAGER, open).unwrap();
        wait_for(&told, 2);
        drop(first);
        let never = || -> Read { unreachable!("a second thread") };
        for _ in 0..3 {
            let again = collectors.start(Path::new("a"), EAGER, never).unwrap();
            assert_eq!(latest(&again), Some(1), "what was known before");
        }
        let last = collectors.start(Path::new("a"), EAGER, never).unwrap();
        drop(release);
        wait_for(&told, 3);
        assert!(latest(&last) >= Some(2));
    }

    #[test]
    fn a_source_is_read_once_for_all_who_ask_and_others_beside_it() {
        let collectors = Collectors::new("test");
        let (tell, told) = mpsc::channel();
        let open = |n: u32| {
            let tell = tell.clone();
            move || {
                tell.send(n).unwrap();
                move || Ok(Reading::complete(n))
            }
        };
        let a = collectors.start(Path::new("a"), LAZY, open(1)).unwrap();
        let again = collectors.start(Path::new("a"), LAZY, open(2)).unwrap();
        let b = collectors.start(Path::new("b"), LAZY, open(3)).unwrap();
        assert_eq!([told.recv_timeout(LONG).unwrap(), told.recv_timeout(LONG).unwrap()].iter().sum::<u32>(), 4);
        drop((a, again, b, tell));
        assert_eq!(told.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected), "the threads have ended");
    }

    #[test]
    fn dropping_a_collector_ends_its_thread_and_another_starts_anew() {
        let collectors = Collectors::new("test");
        for _ in 0..2 {
            let (alive, ended) = mpsc::channel::<()>();
            let open = move || {
                let alive = alive.clone();
                move || {
                    let _ = &alive;
                    Ok(Reading::complete(1))
                }
            };
            drop(collectors.start(Path::new("a"), LAZY, open).unwrap());
            assert_eq!(ended.recv_timeout(LONG), Err(RecvTimeoutError::Disconnected));
        }
    }
}
