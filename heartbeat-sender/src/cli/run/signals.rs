//! The signals that come in.

use std::collections::VecDeque;
use std::io;
use std::os::unix::net;

use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::WithOrigin;
use tokio::net::UnixStream;

use crate::cli::signal::Signal;

/// All that is passed on.
const PASSED_ON: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH];

/// A signal that came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    pub(super) signal: Signal,
    /// Whether the kernel sent it, as it does for a terminal: to all of the foreground group, so that the command has it, too.
    pub(super) is_from_terminal: bool,
}

/// Hears signals from now on, until dropped.
pub(super) struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
    heard: VecDeque<Incoming>,
}

impl Signals {
    /// What was ignored when this process started, as by nohup(1), stays so, for the command as well. To be called in a
    /// runtime.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let heard = PASSED_ON.iter().map(|signal| signal.number()).filter(|number| !ignored.contains(number));
        let (read, wake) = net::UnixStream::pair()?;
        read.set_nonblocking(true)?;
        wake.set_nonblocking(true)?;
        let delivery = SignalDelivery::with_pipe(UnixStream::from_std(read)?, wake, WithOrigin::default(), heard)?;
        Ok(Self { delivery, heard: VecDeque::new() })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// None is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Incoming {
        loop {
            if let Some(incoming) = self.arrived() {
                return incoming;
            }
            if let Err(error) = woken(self.delivery.get_read()).await {
                tracing::error!(%error, "hearing signals no more");
                return std::future::pending().await;
            }
        }
    }

    /// One that has arrived, without waiting.
    pub(super) fn arrived(&mut self) -> Option<Incoming> {
        let incoming = self.delivery.pending().filter_map(|origin| {
            let signal = Signal::from_number(origin.signal)?;
            Some(Incoming { signal, is_from_terminal: origin.process.is_none() })
        });
        self.heard.extend(incoming);
        self.heard.pop_front()
    }
}

/// Waits for what the handler of a signal writes.
async fn woken(read: &UnixStream) -> io::Result<()> {
    loop {
        read.readable().await?;
        match read.try_read(&mut [0]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => return Ok(()),
            // All of it was read together with what it was written for.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The signals that this process ignores. Elsewhere than on Linux nobody tells.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1).collect()
}
