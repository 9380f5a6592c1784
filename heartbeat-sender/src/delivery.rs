//! One beat's way: to the registry that took the last one, to the others if need be, and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use heartbeat_contract::{Ack, Payload};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::Instrument;

use crate::clock::monotonic;
use crate::config::timeout_at;
use crate::journal::Causes;
use crate::run::{Run, Stamped, send_within};
use crate::stamp::Stale;
use crate::verdict::{Verdict, verdict};
use crate::{Outcome, SendError, Transport};

/// What became of a beat that no registry took.
struct Miss {
    error: SendError,
    /// The most hopeful verdict.
    verdict: Verdict,
    /// The shortest wait, if every registry that was tried asks for one.
    wait: Option<Duration>,
}

impl<'a, P: Payload, T: Transport<P>, C: Fn() -> Timestamp> Run<'a, P, T, C> {
    /// Brings a beat to a registry: to each in turn, as long as the next slot has not come. Returns the run that has taken
    /// this one's place, if one has.
    pub(crate) async fn deliver(&mut self, beat: &Stamped<P>) -> Option<u64> {
        let begun = monotonic();
        let mut limit = timeout_at(self.agenda.interval(), self.request_timeout);
        if beat.is_repeated {
            limit = limit.min(self.until_slot());
        }
        let mut miss: Option<Miss> = None;
        let mut tried = 0;
        while let Some(registry) = self.route.choice(tried)
            && (tried == 0 || !limit.is_zero())
        {
            let sent_at = monotonic();
            let answer = self.send(registry, beat, limit).await;
            tried += 1;
            let error = match answer {
                Ok(ack) => {
                    self.took(registry, miss.as_ref());
                    self.acknowledged(beat, ack, sent_at);
                    return self.try_preferred(beat).await;
                }
                Err(error) => error,
            };
            let missed = Miss::after(miss.take(), error);
            let is_hopeless = missed.verdict == Verdict::Next;
            miss = Some(missed);
            if is_hopeless {
                break;
            }
            limit = limit.min(self.until_slot());
        }
        let miss = miss.expect("at least one registry was tried");
        if miss.verdict != Verdict::Next && self.route.gave_up_after(tried) {
            self.count_failover();
        }
        self.missed(beat, miss, begun)
    }

    pub(crate) async fn send(&mut self, registry: usize, beat: &Stamped<P>, limit: Duration) -> Result<Ack, SendError> {
        let transport = self.registry(registry);
        let (kind, id, seq, registry) = (&self.kind, &self.id, beat.seq, transport.place());
        let span = tracing::debug_span!("heartbeat", %kind, %id, seq, registry);
        self.shared.tally().counted.sent += 1;
        let answer = send_within(limit, transport, beat.beat.clone()).instrument(span).await;
        if let Err(error) = &answer {
            self.shared.tally().counted.failed.count(error);
        }
        answer
    }

    /// Tries, once in a while, whether a registry that is preferred to the one that has just taken a beat takes it, too:
    /// whatever comes of that, the beat has arrived. News does not wait for it, nor does the next slot.
    async fn try_preferred(&mut self, beat: &Stamped<P>) -> Option<u64> {
        let shared = Arc::clone(&self.shared);
        for registry in self.route.to_try(self.since_start(monotonic())) {
            let sent_at = monotonic();
            let limit = timeout_at(self.agenda.interval(), self.request_timeout).min(self.until_slot() / 2);
            let answer = tokio::select! {
                biased;
                () = shared.news() => return None,
                answer = self.send(registry, beat, limit) => answer,
            };
            match answer {
                Ok(ack) => {
                    self.took(registry, None);
                    self.acknowledged(beat, ack, sent_at);
                    return None;
                }
                Err(error) => {
                    if let Some(newest) = error.stale_incarnation()
                        && self.stamp.stale(newest) == Stale::Superseded
                    {
                        return Some(newest);
                    }
                }
            }
            self.route.rest(self.since_start(monotonic()));
        }
        None
    }

    /// A registry took a beat, after others missed it.
    fn took(&mut self, registry: usize, miss: Option<&Miss>) {
        let is_preferred = registry < self.route.current();
        if !self.route.took(registry, self.since_start(monotonic())) {
            return;
        }
        self.count_failover();
        let (kind, id, registry) = (&self.kind, &self.id, self.registry(registry).place());
        match miss {
            Some(Miss { error, .. }) => {
                tracing::warn!(%kind, %id, registry, error = %Causes(error), "heartbeats go to another registry");
            }
            None if is_preferred => tracing::info!(%kind, %id, registry, "heartbeats go to a preferred registry again"),
            None => {}
        }
    }

    fn acknowledged(&mut self, beat: &Stamped<P>, ack: Ack, sent_at: Instant) {
        let now = monotonic();
        let rtt = now - sent_at;
        self.stamp.acknowledged(rtt);
        self.sleep.acknowledged();
        self.agenda.acknowledged(self.since_start(now), &ack);
        self.asked.send_if_modified(|asked| asked.hear(&ack.directives));
        self.shared.tally().acknowledged(beat.edition, sent_at);
        self.failed = 0;
        self.tell(Outcome::Acknowledged { seq: beat.seq, ack, rtt });
    }

    /// Returns the run that has taken this one's place, if one has.
    fn missed(&mut self, beat: &Stamped<P>, miss: Miss, begun: Instant) -> Option<u64> {
        let now = self.since_start(monotonic());
        self.stamp.failed();
        self.agenda.failed(self.since_start(begun));
        if let Some(newest) = miss.error.stale_incarnation() {
            match self.stamp.stale(newest) {
                Stale::Superseded => return Some(newest),
                Stale::Raised if !self.raised => {
                    self.raised = true;
                    self.agenda.again(now);
                }
                Stale::Raised | Stale::Contradiction => {}
            }
        }
        if let Some(wait) = miss.wait {
            self.agenda.asked_to_wait(now, wait);
        }
        if miss.verdict == Verdict::Again {
            self.agenda.retry(now, self.failed == 0);
        }
        self.failed += u64::from(!beat.is_repeated);
        self.shared.tally().counted.consecutive_failures = self.failed;
        self.tell(Outcome::Failed { seq: beat.seq, error: miss.error, consecutive: self.failed });
        None
    }

    fn registry(&self, registry: usize) -> &'a T {
        match registry.checked_sub(1) {
            None => self.transport,
            Some(fallback) => &self.transport.fallbacks()[fallback],
        }
    }

    fn until_slot(&self) -> Duration {
        self.agenda.next_slot().saturating_sub(self.since_start(monotonic()))
    }

    fn count_failover(&self) {
        self.shared.tally().counted.failovers += 1;
    }
}

impl Miss {
    fn after(before: Option<Self>, error: SendError) -> Self {
        let (verdict, wait) = (verdict(&error), error.retry_after());
        match before {
            // What is wrong with the beat is wrong everywhere, whatever was said before.
            Some(_) if verdict == Verdict::Next => Self { error, verdict, wait: None },
            Some(before) => Self {
                error,
                verdict: verdict.max(before.verdict),
                wait: before.wait.zip(wait).map(|(before, wait)| before.min(wait)),
            },
            None => Self { error, verdict, wait },
        }
    }
}
