use std::{
    fs::{File, OpenOptions, TryLockError, remove_file},
    io::{self, ErrorKind},
    path::Path,
    time::Duration,
};

use super::{
    PidFile, PidFileError, RunningProcess, content,
    evict::evict,
    foreign, is_at, open,
    process::{Process, boot_id},
    read,
    record::Record,
};

/// What has become of a pid file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pruned {
    /// There is none.
    Absent,
    /// Somebody holds it, and it was left alone, as was the daemon.
    Held(Option<RunningProcess>),
    /// Nobody was there any more; it was removed.
    Stale,
    /// The daemon that was left behind was ended with its process group, and the file removed.
    #[non_exhaustive]
    Ended {
        /// The daemon, as it was found.
        process: RunningProcess,
        /// The number of its process group.
        group: u32,
    },
}

impl PidFile {
    /// Ends the daemon that was left behind when whoever held this file was killed, and removes the file: `SIGTERM` to its
    /// process group, and `SIGKILL` after `grace`. What somebody holds is left alone. So is, off Linux, a daemon that was
    /// left behind, since it cannot be told from a later process of its number.
    ///
    /// # Errors
    ///
    /// [`PidFileError::LeftBehind`] if the daemon does not go, or may not be sent a signal; [`PidFileError::Io`] if the file
    /// cannot be used, or was not written by a `PidFile`. The file is then as it was.
    ///
    /// # Cancel safety
    ///
    /// Signals that were sent stay sent, and the file stays.
    pub async fn prune(path: impl AsRef<Path>, grace: Duration) -> Result<Pruned, PidFileError> {
        let path = path.as_ref();
        let failed = |source| PidFileError::Io { path: path.to_owned(), source };
        match found(path).map_err(failed)? {
            Found::Nobody(pruned) => Ok(pruned),
            Found::Stale(file) => remove(path, file).map(|()| Pruned::Stale).map_err(failed),
            Found::LeftBehind { file, process, group } => {
                let left = PidFileError::LeftBehind { path: path.to_owned(), process, group };
                if !evict(&left, grace).await {
                    return Err(left);
                }
                remove(path, file).map_err(failed)?;
                Ok(Pruned::Ended { process, group })
            }
        }
    }
}

/// What there is to be done, with the file under its lock.
enum Found {
    Nobody(Pruned),
    Stale(File),
    LeftBehind { file: File, process: RunningProcess, group: u32 },
}

fn found(path: &Path) -> io::Result<Found> {
    loop {
        let mut file = match open(&mut OpenOptions::new(), path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nobody(Pruned::Absent)),
            Err(error) => return Err(error),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let owner = Record::parse(&content(&mut file)?).map(|record| record.owner);
                return Ok(Found::Nobody(Pruned::Held(owner.map(Into::into))));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !is_at(&file, path)? {
            continue;
        }
        // Whoever claimed it may have been killed before it wrote.
        let Some(record) = read(&mut file)? else { return Ok(Found::Stale(file)) };
        if let Some((daemon, group)) = record.daemon_left_behind() {
            return Ok(Found::LeftBehind { file, process: daemon.into(), group });
        }
        if owner_may_live(&record) {
            return Err(foreign("the process that it names runs, but does not hold it"));
        }
        return Ok(Found::Stale(file));
    }
}

/// Whether another program may have written it, which takes no lock. A file of ours whose owner lives is held.
fn owner_may_live(record: &Record) -> bool {
    match record.owner.start {
        Some(_) => record.boot.is_some() && record.boot == boot_id() && record.owner.lives(),
        None => Process::find(record.owner.pid).is_some(),
    }
}

/// Under the lock, which goes with the file.
fn remove(path: &Path, file: File) -> io::Result<()> {
    remove_file(path)?;
    drop(file);
    Ok(())
}
