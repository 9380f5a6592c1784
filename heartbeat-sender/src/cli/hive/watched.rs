//! Workers whose processes are to be watched.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use heartbeat_contract::MemberId;

use super::pids::started_after;

/// A worker, and where to learn which process is its.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Watched {
    pub(super) id: MemberId,
    pub(super) place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Pid(u32),
    /// It holds the pid in its first line; read again when the process is gone.
    File(PathBuf),
}

impl FromStr for Watched {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (id, place) = text.split_once('=').ok_or("ID=PID or ID=FILE is expected")?;
        let id = MemberId::new(id).map_err(|error| error.to_string())?;
        let place = match place.parse() {
            Ok(0 | 1) | Err(_) if place.is_empty() || place.parse::<u32>().is_ok() => {
                return Err("the pid of a worker is expected, or a file that holds it".to_owned());
            }
            Ok(pid) => Place::Pid(pid),
            Err(_) => Place::File(place.into()),
        };
        Ok(Self { id, place })
    }
}

impl Watched {
    /// The process to watch now, if there is one: a pid that began after its file was written is another's by now.
    pub(super) fn pid(&self) -> Option<u32> {
        match &self.place {
            Place::Pid(pid) => Some(*pid),
            Place::File(path) => {
                let pid = in_file(path)?;
                let written = path.metadata().ok()?.modified().ok()?;
                (!started_after(pid, written)).then_some(pid)
            }
        }
    }
}

fn in_file(path: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().next()?.trim().parse().ok().filter(|pid| *pid > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_watched_by_pid_or_by_file() {
        let place = |text: &str| text.parse::<Watched>().map(|watched| watched.place);
        assert_eq!(place("w-1=4711"), Ok(Place::Pid(4711)));
        assert_eq!(place("w-1=/run/w-1.pid"), Ok(Place::File("/run/w-1.pid".into())));
        for text in ["w-1", "w 1=4711", "w-1=", "w-1=0", "w-1=1"] {
            assert!(place(text).is_err(), "{text}");
        }
    }
}
