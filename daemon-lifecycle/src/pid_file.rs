//! Who runs here: at most one at a time.

mod error;
mod evict;
mod process;
mod prune;
mod record;

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

pub use self::{
    error::{PidFileError, RunningProcess},
    prune::Pruned,
};
use self::{
    evict::evict,
    process::{Process, boot_id},
    record::Record,
};
use crate::Daemon;

/// Longest content that is taken for one of ours.
const MAX_LENGTH: usize = 4 * 1024;
/// How many in a row are asked to make room.
const MAX_EVICTIONS: u32 = 8;

/// A file that says who runs, under a lock that goes with whoever holds it, however that one ends.
///
/// The first line is the pid of the process that claimed it, which is whom to send a signal. Below stand when that
/// process was started, in which boot of the machine, and the daemon that it [`record`](Self::record)ed. A pid alone is
/// taken for nobody: after a restart it is soon another's.
///
/// Whoever finds it claimed is told by whom, and since when; what a crash left behind is found stale and overwritten. A
/// file that holds something else than a pid is refused, and left as it is.
/// If the one that claimed it is dead, but its daemon lives on, the claim is refused too, because the daemon still
/// holds its ports; that much is known on Linux only.
///
/// [`prune`](Self::prune) ends what was left behind. The file is removed on drop.
#[derive(Debug)]
#[must_use = "the claim ends when it is dropped"]
pub struct PidFile {
    path: PathBuf,
    file: File,
    record: Record,
}

impl PidFile {
    /// Claims the file for this process; makes it if need be.
    ///
    /// # Errors
    ///
    /// [`PidFileError::Running`] and [`PidFileError::LeftBehind`] if somebody else is there;
    /// [`PidFileError::Io`] if the file cannot be used.
    pub fn claim(path: impl Into<PathBuf>) -> Result<Self, PidFileError> {
        let path = path.into();
        match Self::try_claim(&path) {
            Ok(Ok(claimed)) => Ok(claimed),
            Ok(Err(refused)) => Err(refused),
            Err(source) => Err(PidFileError::Io { path, source }),
        }
    }

    /// As [`claim`](Self::claim), and ends whoever is there: `SIGTERM`, and `SIGKILL` after `grace`. A daemon that was
    /// left behind is ended with its process group.
    ///
    /// # Errors
    ///
    /// As `claim`: if whoever is there does not go, or may not be sent a signal, it is told as there.
    ///
    /// # Cancel safety
    ///
    /// Nothing is claimed; signals that were sent stay sent.
    pub async fn replace(path: impl Into<PathBuf>, grace: Duration) -> Result<Self, PidFileError> {
        let path = path.into();
        for _ in 1..MAX_EVICTIONS {
            let refused = match Self::claim(&path) {
                Err(refused) if refused.is_occupied() => refused,
                outcome => return outcome,
            };
            if !evict(&refused, grace).await {
                return Err(refused);
            }
        }
        Self::claim(path)
    }

    /// Notes the daemon that was started, so that it is found if this process is killed and leaves it behind.
    ///
    /// # Errors
    ///
    /// If the file cannot be written; it then holds less than it should.
    pub fn record(&mut self, daemon: &Daemon) -> io::Result<()> {
        self.record.daemon = Process::find(daemon.pid()).map(|process| (process, daemon.process_group()));
        self.write()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn try_claim(path: &Path) -> io::Result<Result<Self, PidFileError>> {
        loop {
            let mut file = open(OpenOptions::new().create(true), path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let process = Record::parse(&content(&mut file)?).map(|record| record.owner);
                    return Ok(Err(PidFileError::Running { path: path.to_owned(), process: process.map(Into::into) }));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The one before may have removed it between the two steps: then this lock is on a file without a name.
            if !is_at(&file, path)? {
                continue;
            }
            if let Some((daemon, group)) = read(&mut file)?.and_then(|record| record.daemon_left_behind()) {
                let (path, process) = (path.to_owned(), daemon.into());
                return Ok(Err(PidFileError::LeftBehind { path, process, group }));
            }
            let record = Record { owner: Process::this(), boot: boot_id(), daemon: None };
            let mut claimed = Self { path: path.to_owned(), file, record };
            claimed.write()?;
            return Ok(Ok(claimed));
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(self.record.to_string().as_bytes())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Under the lock, so that it is ours. A stale one that stays does no harm.
        fs::remove_file(&self.path).ok();
    }
}

/// What is no regular file, such as `/dev/null`, is not ours to write to, and still less to remove.
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.read(true).write(true).truncate(false).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(foreign("it is no regular file"))
}

/// What a file says that nobody holds, if whoever wrote it got that far. What does not begin with a pid is somebody's data.
fn read(file: &mut File) -> io::Result<Option<Record>> {
    let text = content(file)?;
    // After a crash of the machine, some file systems leave as many zeros as there was text.
    if text.trim_matches('\0').is_empty() {
        return Ok(None);
    }
    let record = Record::parse(&text).filter(|_| text.len() <= MAX_LENGTH);
    record.map(Some).ok_or_else(|| foreign("it holds no pid"))
}

fn content(file: &mut File) -> io::Result<String> {
    let mut text = Vec::new();
    file.rewind()?;
    file.take(MAX_LENGTH as u64 + 1).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn foreign(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
