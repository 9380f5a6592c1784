//! The load on one server.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::beats::{Beats, Shape};
use crate::clock;
use crate::connection::Connection;
use crate::outcome::Outcome;
use crate::subject::Subject;

/// A few connections, each with members of its own.
pub(crate) struct Load {
    subject: Subject,
    senders: Vec<Sender>,
}

struct Sender {
    connection: Connection,
    beats: Beats,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lasting {
    For(Duration),
    /// Until each member has beaten so often.
    EachBeats(usize),
}

impl Load {
    pub(crate) async fn connect(
        subject: Subject,
        address: SocketAddr,
        members: usize,
        connections: usize,
    ) -> Outcome<Self> {
        let mut senders = Vec::new();
        for beats in Beats::of(members, connections)? {
            senders.push(Sender { connection: Connection::open(address).await?, beats });
        }
        Ok(Self { subject, senders })
    }

    /// Sends on all connections at once, and returns how many beats were taken.
    ///
    /// # Errors
    /// If a single answer is wrong.
    pub(crate) async fn run(&mut self, shape: Shape, lasting: Lasting) -> Outcome<u64> {
        let subject = self.subject;
        let mut running: JoinSet<Outcome<(Sender, u64)>> = JoinSet::new();
        for mut sender in self.senders.drain(..) {
            running.spawn(async move {
                let taken = sender.run(subject, shape, lasting).await?;
                Ok((sender, taken))
            });
        }
        let mut sum = 0;
        while let Some(ended) = running.join_next().await {
            let (sender, taken) = ended??;
            self.senders.push(sender);
            sum += taken;
        }
        Ok(sum)
    }
}

impl Sender {
    async fn run(&mut self, subject: Subject, shape: Shape, lasting: Lasting) -> Outcome<u64> {
        let started = clock::instant();
        let mut taken = 0;
        let goes_on = |taken: usize, members: usize| match lasting {
            Lasting::For(duration) => clock::instant().duration_since(started) < duration,
            Lasting::EachBeats(times) => taken < times * members,
        };
        while goes_on(taken, self.beats.members()) {
            let answer = self.connection.ask(self.beats.next_request(shape)).await?;
            if !subject.accepts(shape, &answer) {
                let body = String::from_utf8_lossy(answer.body);
                return Err(format!("{subject} answered {} to a good beat: {body}", answer.status).into());
            }
            taken += shape.beats();
        }
        Ok(taken as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::http::StatusCode;
    use tokio::net::TcpListener;

    use super::*;
    use crate::floor;
    use crate::obvious::{self, Members, Stats};

    /// What 3 connections with 10 members have taken once each member has beaten 4 times.
    fn taken(subject: Subject, shape: Shape, app: Router) -> Outcome<u64> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let address = listener.local_addr()?;
            let server = tokio::spawn(axum::serve(listener, app).into_future());
            let taken = Load::connect(subject, address, 10, 3).await?.run(shape, Lasting::EachBeats(4)).await;
            server.abort();
            taken
        })
    }

    #[test]
    fn what_is_said_to_be_taken_is_what_the_server_counts() {
        let members = Members::start();
        let app = || obvious::app(&members);
        assert_eq!(taken(Subject::Obvious, Shape::Single, app()).unwrap(), 40);
        assert_eq!(taken(Subject::Obvious, Shape::Batch(4), app()).unwrap(), 40);
        assert_eq!(members.stats(), Stats { members: 10, overdue: 0, beats: 80 });
        assert_eq!(taken(Subject::Floor, Shape::Batch(2), floor::app()).unwrap(), 40);
    }

    #[test]
    fn a_single_wrong_answer_ends_the_bench() {
        let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let app = Router::new().fallback(move || {
            let fails = !first.swap(false, std::sync::atomic::Ordering::Relaxed);
            std::future::ready(if fails { StatusCode::TOO_MANY_REQUESTS } else { StatusCode::NO_CONTENT })
        });
        let wrong = taken(Subject::Floor, Shape::Single, app).unwrap_err();
        assert_eq!(wrong.to_string(), "floor answered 429 to a good beat: ");
    }
}
