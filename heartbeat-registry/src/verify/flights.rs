//! Probes under way, and what those found that ended a moment ago.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt, Shared, WeakShared};
use heartbeat_contract::{Kind, MemberId, Verification};

use super::error::VerifyError;
use crate::core::Origin;
use crate::lock::lock;

/// What becomes of a probe.
pub(super) type Found = Result<Verification, VerifyError>;
/// A probe under way. It is driven by whoever awaits it, and ends when nobody does any more.
pub(super) type Flight = Shared<BoxFuture<'static, Found>>;

/// Who is asked, and where: the same run of a member, at the same endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) kind: Kind,
    pub(super) id: MemberId,
    pub(super) incarnation: Option<u64>,
    pub(super) origin: Origin,
    pub(super) endpoint: String,
}

/// Every probe under way or landed a moment ago, by whom it asks. What is old is forgotten when the next question comes.
/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Flights(Arc<Mutex<Board>>);

#[derive(Default)]
struct Board {
    entries: HashMap<Arc<Asked>, Entry>,
    /// Those landed, in the order in which they are to be forgotten.
    landed: VecDeque<(u64, Arc<Asked>)>,
    under_way: usize,
    numbered: u64,
}

enum Entry {
    UnderWay { number: u64, flight: WeakShared<BoxFuture<'static, Found>> },
    Landed(Verification),
}

/// How a question is answered.
pub(super) enum Answer {
    /// By what a probe found a moment ago.
    Landed(Verification),
    /// By a probe that is under way.
    UnderWay(Flight),
}

impl Flights {
    /// What answers a question at a moment, if anything does yet; else a probe begins, or `None` if `at_once` are under
    /// way. What it finds is kept until the moment that it returns.
    pub(super) fn answer<F>(&self, asked: Asked, now: u64, at_once: usize, probe: impl FnOnce() -> F) -> Option<Answer>
    where
        F: Future<Output = (Found, u64)> + Send + 'static,
    {
        let mut board = lock(&self.0);
        board.forget(now);
        match board.entries.get(&asked) {
            Some(Entry::Landed(found)) => return Some(Answer::Landed(found.clone())),
            Some(Entry::UnderWay { flight, .. }) => {
                // None if all who waited for it have gone.
                if let Some(flight) = flight.upgrade() {
                    return Some(Answer::UnderWay(flight));
                }
            }
            None => {}
        }
        if board.under_way == at_once {
            return None;
        }
        let (asked, number) = (Arc::new(asked), board.numbered);
        let landing = Landing { flights: self.clone(), asked: Arc::clone(&asked), number, found: None };
        let flight = fly(probe(), landing).boxed().shared();
        let shared = flight.downgrade().expect("it has not ended, since it was not polled");
        board.entries.insert(asked, Entry::UnderWay { number, flight: shared });
        board.under_way += 1;
        board.numbered += 1;
        Some(Answer::UnderWay(flight))
    }
}

impl Board {
    fn forget(&mut self, now: u64) {
        while let Some((_, asked)) = self.landed.pop_front_if(|(until, _)| *until <= now) {
            self.entries.remove(&asked);
        }
    }
}

async fn fly(probe: impl Future<Output = (Found, u64)>, mut landing: Landing) -> Found {
    let (found, until) = probe.await;
    landing.found = found.clone().ok().map(|found| (found, until));
    found
}

/// Ends a flight on the board, however it ended.
struct Landing {
    flights: Flights,
    asked: Arc<Asked>,
    number: u64,
    /// None if it was given up.
    found: Option<(Verification, u64)>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        let mut board = lock(&self.flights.0);
        board.under_way -= 1;
        let is_own = |entry: &Entry| matches!(entry, Entry::UnderWay { number, .. } if *number == self.number);
        if !board.entries.get(&self.asked).is_some_and(is_own) {
            return;
        }
        match self.found.take() {
            Some((found, until)) => {
                board.entries.insert(Arc::clone(&self.asked), Entry::Landed(found));
                board.landed.push_back((until, Arc::clone(&self.asked)));
            }
            None => drop(board.entries.remove(&self.asked)),
        }
    }
}
