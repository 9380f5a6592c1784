//! The signals that come in.

use std::io;
use std::thread::{self, JoinHandle};

use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::iterator::{Handle, SignalsInfo};
use tokio::sync::mpsc;

use crate::cli::signal::Signal;

/// All that is passed on.
const PASSED_ON: [Signal; 7] =
    [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2, Signal::WINCH];
/// More than there are kinds of signals, so that none is lost.
const ROOM: usize = 64;

/// A signal that came in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Incoming {
    pub(super) signal: Signal,
    /// Whether the kernel sent it, as it does for a terminal: to all of the foreground group, so that the command has it, too.
    pub(super) is_from_terminal: bool,
}

/// Hears signals from now on, on a thread of its own, until dropped.
pub(super) struct Signals {
    incoming: mpsc::Receiver<Incoming>,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    /// What was ignored when this process started, as by nohup(1), stays so, for the command as well.
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let heard = PASSED_ON.iter().map(|signal| signal.number()).filter(|number| !ignored.contains(number));
        let mut signals = SignalsInfo::<WithOrigin>::new(heard)?;
        let handle = signals.handle();
        let (sender, incoming) = mpsc::channel(ROOM);
        let hear = move || {
            for origin in signals.forever() {
                let Some(signal) = Signal::from_number(origin.signal) else { continue };
                let incoming = Incoming { signal, is_from_terminal: origin.process.is_none() };
                // Signals of which many wait are as good as one.
                sender.try_send(incoming).ok();
            }
        };
        let thread = thread::Builder::new().name("signals".to_owned()).spawn(hear)?;
        Ok(Self { incoming, handle, thread: Some(thread) })
    }

    /// Waits for the next one.
    ///
    /// # Cancel safety
    /// None is lost if the future is dropped.
    pub(super) async fn next(&mut self) -> Incoming {
        match self.incoming.recv().await {
            Some(incoming) => incoming,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
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
