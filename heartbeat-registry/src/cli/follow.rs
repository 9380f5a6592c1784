//! Events as they happen.

use std::io::{self, Write};

use daemon_lifecycle::program::Output;
use heartbeat_contract::{Event, EventId};

use super::output::{event_row, tell};
use super::read::failed;
use super::{Failed, SIGNAL, UNHEALTHY, USAGE};
use crate::client::{Client, Followed};

/// Prints events until a signal comes or nobody reads them any more; what else there is to tell goes to standard error.
pub(super) async fn follow(client: &Client, since: Option<EventId>, output: Output) -> Result<(), Failed> {
    if output == Output::Json {
        let message = "--output json is one document, which would never end here: use --output jsonl".to_owned();
        return Err(Failed { message, code: USAGE });
    }
    let signal = signal().map_err(|error| Failed::new(&error, UNHEALTHY))?;
    tokio::select! {
        printed = print(client, since, output) => printed,
        number = signal => Err(Failed { message: String::new(), code: SIGNAL + number }),
        () = abandoned() => Ok(()),
    }
}

async fn print(client: &Client, since: Option<EventId>, output: Output) -> Result<(), Failed> {
    let mut events = client.follow(since);
    let mut reached = false;
    loop {
        match events.next().await.map_err(failed)? {
            Followed::Connected if !reached => reached = true,
            Followed::Connected => tell("connected again"),
            Followed::Event(event) => match write(&event, output) {
                // Whoever reads has seen enough.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| Failed::new(&error, UNHEALTHY))?,
            },
            Followed::Reset(reset) => {
                tell(&format!("some events are no longer kept, or are of another log: going on from {}", reset.oldest));
            }
            Followed::Lagged(lagged) => {
                tell(&format!("too slow: {} events were dropped before they came", lagged.missed));
            }
            Followed::Lost { error, .. } if !reached => return Err(failed(error)),
            Followed::Lost { error, again_in } => {
                tell(&format!("{}: trying again in {:.1} s", super::with_causes(&error), again_in.as_secs_f64()));
            }
        }
    }
}

fn write(event: &Event, output: Output) -> io::Result<()> {
    let line = if output == Output::Table { event_row(event) } else { serde_json::to_string(event)? };
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// Waits for a signal to end, and says its number.
#[cfg(unix)]
fn signal() -> io::Result<impl Future<Output = u8>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        }
    })
}

#[cfg(not(unix))]
fn signal() -> io::Result<impl Future<Output = u8>> {
    Ok(async {
        match tokio::signal::ctrl_c().await {
            Ok(()) => 2,
            Err(_) => std::future::pending().await,
        }
    })
}

/// Waits until nobody reads standard output any more, if that can be seen at all: a fleet may be quiet for hours.
#[cfg(unix)]
async fn abandoned() {
    use std::os::fd::AsFd;
    use tokio::io::Interest;
    use tokio::net::unix::pipe::Sender;
    let pipe = io::stdout().as_fd().try_clone_to_owned().and_then(Sender::from_owned_fd_unchecked);
    // Files cannot be waited for.
    if let Ok(pipe) = pipe
        && pipe.ready(Interest::ERROR).await.is_ok()
    {
        return;
    }
    std::future::pending::<()>().await;
}

#[cfg(not(unix))]
async fn abandoned() {
    std::future::pending::<()>().await;
}
