//! Following the event log.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Cause, Event, EventBody, EventId, EventStats, HealthState, Kind, MemberId, Payload};
use jiff::Timestamp;
use tokio::sync::watch;

use crate::log::{EventLog, Head};

/// Follows all events of a fleet, from the moment of subscribing or from where another reader got to. A slow reader delays nobody: it reads from the log
/// itself, and is told when the log has dropped events that it had not yet read.
#[must_use = "a subscription does nothing until it is read"]
#[derive(Debug)]
pub struct Events {
    log: Arc<EventLog>,
    head: watch::Receiver<Head>,
    next: u64,
    /// What was asked for in vain, until that is told.
    astray: Option<EventId>,
}

/// Why a subscription has no event to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The log has dropped this many events that were not yet read; the next ones follow.
    #[error("{0} events were dropped before they were read")]
    Missed(u64),
    /// The number to go on from is of another log or no longer kept, so that events may have been missed; all that is
    /// kept follows.
    #[error("the log does not reach back that far: it goes on at {oldest}")]
    Reset {
        /// The oldest number kept; if there is none yet, the number the first will have.
        oldest: u64,
        /// The number that the next event will have.
        next: u64,
    },
    /// The fleet was shut down or dropped, and all events until then have been read.
    #[error("the fleet was shut down")]
    Closed,
}

impl Events {
    pub(crate) fn new(log: Arc<EventLog>) -> Self {
        let mut head = log.watch();
        let next = head.borrow_and_update().last + 1;
        Self { log, head, next, astray: None }
    }

    pub(crate) fn since(log: Arc<EventLog>, since: &EventId) -> Self {
        let head = log.watch();
        match log.after(since) {
            Some(next) => Self { log, head, next, astray: None },
            None => Self { log, head, next: 0, astray: Some(since.clone()) },
        }
    }

    /// Where to go on with [`Fleet::subscribe_from`](crate::Fleet::subscribe_from): the newest event that was read.
    #[must_use]
    pub fn position(&self) -> EventId {
        let here = || EventId { log: Some(self.log.id().clone()), n: self.next - 1 };
        self.astray.clone().unwrap_or_else(here)
    }

    /// Waits for the next event.
    ///
    /// # Errors
    /// If events were dropped before they were read, or there will be no other.
    ///
    /// # Cancel safety
    /// No event is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Event, SubscriptionError> {
        self.reset_if_astray()?;
        loop {
            let Head { last, closed } = *self.head.borrow_and_update();
            if self.next <= last {
                self.log.durable(self.next).await;
                return self.take();
            }
            if closed || self.head.changed().await.is_err() {
                return Err(SubscriptionError::Closed);
            }
        }
    }

    /// The next event if there is one already.
    ///
    /// # Errors
    /// If events were dropped before they were read, or there will be no other.
    pub fn try_next(&mut self) -> Result<Option<Event>, SubscriptionError> {
        self.reset_if_astray()?;
        let Head { last, closed } = *self.head.borrow_and_update();
        match (self.next <= last, closed) {
            (true, _) => self.take().map(Some),
            (false, true) => Err(SubscriptionError::Closed),
            (false, false) => Ok(None),
        }
    }

    fn reset_if_astray(&mut self) -> Result<(), SubscriptionError> {
        if self.astray.take().is_none() {
            return Ok(());
        }
        let EventStats { oldest, next, .. } = self.log.stats();
        self.next = oldest;
        Err(SubscriptionError::Reset { oldest, next })
    }

    fn take(&mut self) -> Result<Event, SubscriptionError> {
        match self.log.get(self.next) {
            Ok(event) => {
                self.next += 1;
                Ok(event)
            }
            Err(oldest) => {
                let missed = oldest - self.next;
                self.next = oldest;
                Err(SubscriptionError::Missed(missed))
            }
        }
    }
}

/// A member of one kind changed its health state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transition {
    /// The number of the event.
    pub n: u64,
    /// When it was concluded, by the registry's wall clock.
    pub at: Timestamp,
    /// Who.
    pub member: MemberId,
    /// Its run, if its beats are ordered.
    pub incarnation: Option<u64>,
    /// The state before.
    #[doc(alias = "previous_state")]
    pub from: HealthState,
    /// The state after.
    pub to: HealthState,
    /// How long it had been silent before.
    #[doc(alias = "elapsed_seconds")]
    pub age: Duration,
    /// How much of that was not held against it.
    pub credited: Duration,
    /// When its last beat before came, by the registry's wall clock; `None` if none ever had.
    pub last_beat: Option<Timestamp>,
    /// Why; `None` for a plain recovery or a goodbye.
    pub cause: Option<Cause>,
    /// What speaks for the cause, in words.
    pub evidence: Vec<String>,
}

/// Follows the transitions of one kind of members.
#[must_use = "a subscription does nothing until it is read"]
#[derive(Debug)]
pub struct Transitions<P> {
    events: Events,
    kind: PhantomData<fn() -> P>,
}

impl<P: Payload> Transitions<P> {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, kind: PhantomData }
    }

    /// Waits for the next transition.
    ///
    /// # Errors
    /// If events were dropped before they were read, or there will be no other.
    ///
    /// # Cancel safety
    /// No transition is lost if the future is dropped.
    pub async fn next(&mut self) -> Result<Transition, SubscriptionError> {
        loop {
            if let Some(transition) = transition(&P::KIND, self.events.next().await?) {
                return Ok(transition);
            }
        }
    }

    /// The next transition if there is one already.
    ///
    /// # Errors
    /// If events were dropped before they were read, or there will be no other.
    pub fn try_next(&mut self) -> Result<Option<Transition>, SubscriptionError> {
        while let Some(event) = self.events.try_next()? {
            if let Some(transition) = transition(&P::KIND, event) {
                return Ok(Some(transition));
            }
        }
        Ok(None)
    }
}

fn transition(kind: &Kind, event: Event) -> Option<Transition> {
    if event.kind.as_ref() != Some(kind) {
        return None;
    }
    let EventBody::Transition { from, to, age_ms, credited_ms, last_seen, cause, evidence, .. } = event.body else {
        return None;
    };
    Some(Transition {
        n: event.n,
        at: event.at,
        member: event.member?,
        incarnation: event.incarnation,
        from,
        to,
        age: Duration::from_millis(age_ms),
        credited: Duration::from_millis(credited_ms),
        last_beat: last_seen,
        cause,
        evidence,
    })
}
