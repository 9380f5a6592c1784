use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::{
    error::{PidFileError, RunningProcess},
    process::Process,
};
use crate::{clock::Stopwatch, daemon::anyone_runs};

/// How long a killed process may take to go.
const KILL_GRACE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Whether whoever was there is gone.
pub(super) async fn evict(refused: &PidFileError, grace: Duration) -> bool {
    let Some(occupant) = Occupant::of(refused) else { return false };
    // A frozen one is thawed to hear the first signal.
    occupant.signal(Signal::TERM);
    occupant.signal(Signal::CONT);
    if occupant.goes_within(grace).await {
        return true;
    }
    occupant.signal(Signal::KILL);
    occupant.goes_within(KILL_GRACE).await
}

enum Occupant {
    One(Process, Pid),
    /// Found with its daemon alive, and kept from being another's by whoever of it is left.
    Group(Pid),
}

impl Occupant {
    fn of(refused: &PidFileError) -> Option<Self> {
        match refused {
            PidFileError::Running { process, .. } => {
                let process = process.as_ref().map(RunningProcess::process)?;
                Some(Self::One(process, process.id()?))
            }
            PidFileError::LeftBehind { group, .. } => Process { pid: *group, start: None }.id().map(Self::Group),
            PidFileError::Io { .. } => None,
        }
    }

    fn signal(&self, signal: Signal) {
        // Who is gone needs none; who may not be signalled stays, which is told.
        match self {
            Self::One(process, pid) if process.lives() => kill_process(*pid, signal).ok(),
            Self::One(..) => None,
            Self::Group(group) => kill_process_group(*group, signal).ok(),
        };
    }

    fn is_gone(&self) -> bool {
        match self {
            Self::One(process, _) => !process.lives(),
            Self::Group(group) => !anyone_runs(*group, None),
        }
    }

    async fn goes_within(&self, bound: Duration) -> bool {
        let since = Stopwatch::start();
        while !self.is_gone() {
            if since.elapsed() >= bound {
                return false;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        true
    }
}
