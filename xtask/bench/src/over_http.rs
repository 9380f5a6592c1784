//! Beats over HTTP, to servers that are processes of their own.

use std::process::Command;
use std::time::Duration;

use heartbeat_contract::routes;
use serde::de::DeserializeOwned;

use crate::beats::Shape;
use crate::clock;
use crate::connection::Connection;
use crate::load::{Lasting, Load};
use crate::measured::{Measured, Sample};
use crate::obvious;
use crate::outcome::Outcome;
use crate::plan::{BATCH, CONNECTIONS, MEMBERS, Plan, WARM};
use crate::server::Server;
use crate::subject::Subject;

/// Measures single beats and batches.
pub(crate) fn measure(plan: Plan) -> Outcome<Vec<Measured>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stands = Vec::new();
        for subject in Subject::ALL {
            stands.push(Stand::set_up(subject).await?);
        }
        let measured = vec![
            rounds("single beats over HTTP", Shape::Single, &mut stands, plan).await?,
            rounds(&format!("batches of {BATCH} over HTTP"), Shape::Batch(BATCH), &mut stands, plan).await?,
        ];
        for stand in &stands {
            stand.check_the_books().await?;
        }
        Ok(measured)
    })
}

async fn rounds(what: &str, shape: Shape, stands: &mut [Stand], plan: Plan) -> Outcome<Measured> {
    eprintln!("{what} ...");
    let mut measured = Measured::new(what);
    for stand in &mut *stands {
        stand.turn(shape, plan.turn / 2).await?;
    }
    for _ in 0..plan.rounds {
        for stand in &mut *stands {
            measured.add(stand.subject, stand.turn(shape, plan.turn).await?);
        }
        // Nobody is always first.
        stands.rotate_left(1);
    }
    Ok(measured)
}

/// A server with the load on it.
struct Stand {
    subject: Subject,
    server: Server,
    load: Load,
    taken: u64,
}

impl Stand {
    /// Starts the server and lets every member beat until its history is full.
    async fn set_up(subject: Subject) -> Outcome<Self> {
        let server = Server::start(&mut command(subject)?)?;
        let mut load = Load::connect(subject, server.address(), MEMBERS, CONNECTIONS).await?;
        let taken = match subject {
            Subject::Floor => 0,
            Subject::Obvious | Subject::Registry => load.run(Shape::Batch(BATCH), Lasting::EachBeats(WARM)).await?,
        };
        Ok(Self { subject, server, load, taken })
    }

    async fn turn(&mut self, shape: Shape, lasting: Duration) -> Outcome<Sample> {
        let (started, cpu) = (clock::instant(), self.server.cpu()?);
        let taken = self.load.run(shape, Lasting::For(lasting)).await?;
        let (took, cpu) = (clock::instant().duration_since(started), self.server.cpu()? - cpu);
        self.taken += taken;
        Ok(Sample::new(taken, took, cpu))
    }

    /// Fails if the server counts other than what it said it took.
    async fn check_the_books(&self) -> Outcome {
        let told = match self.subject {
            Subject::Floor => return Ok(()),
            Subject::Obvious => {
                let obvious::Stats { members, overdue, beats } = self.stats().await?;
                (members - overdue, beats)
            }
            Subject::Registry => {
                let heartbeat_contract::Stats { members, beats, .. } = self.stats().await?;
                (members.healthy, beats.fresh)
            }
        };
        let expected = (MEMBERS as u64, self.taken);
        if told == expected {
            return Ok(());
        }
        let subject = self.subject;
        Err(format!("{subject} counts {told:?} healthy members and beats, and there were {expected:?}").into())
    }

    async fn stats<S: DeserializeOwned>(&self) -> Outcome<S> {
        let mut connection = Connection::open(self.server.address()).await?;
        let request = format!("GET {} HTTP/1.1\r\nhost: localhost\r\n\r\n", routes::STATS);
        let answer = connection.ask(request.as_bytes()).await?;
        Ok(serde_json::from_slice(answer.body)?)
    }
}

/// The references are this very program; the registry's lies beside it.
fn command(subject: Subject) -> Outcome<Command> {
    let this = std::env::current_exe()?;
    let (program, args): (_, &[&str]) = match subject {
        Subject::Floor => (this, &["floor"]),
        Subject::Obvious => (this, &["obvious"]),
        Subject::Registry => {
            (this.with_file_name("heartbeat-registry"), &["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
        }
    };
    let mut command = Command::new(program);
    command.args(args);
    Ok(command)
}
