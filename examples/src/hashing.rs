//! Real work of no use: hashing files over and over.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use crate::{NoFiles, ProcessorShare, Stopped, files_of};

/// How much is read and hashed at a time.
const CHUNK: usize = 64 * 1024;

/// One file was hashed, or could not be.
#[derive(Debug)]
pub struct Job {
    /// How many files of this round are left.
    pub left: usize,
    /// How many files were done since the start.
    pub done: u64,
    /// How long it took, rests included.
    pub took: Duration,
    /// Why the file could not be read, if so.
    pub error: Option<String>,
}

/// What goes on.
#[derive(Debug)]
pub enum Round {
    /// A round begins with so many files.
    Begins(usize),
    /// One more file is done.
    Job(Job),
    /// All files are done, after so long. Whoever is told may rest before the next round begins.
    Ends(Duration),
}

/// Hashes the files of a folder until it is stopped, and tells how it gets on.
///
/// A quarter of one processor while it works: if those who are told rest as long as each round took, eight of them keep one
/// processor busy at most.
///
/// # Errors
/// If there are no files.
pub fn hash_over_and_over(folder: &Path, stopped: &Stopped, mut tell: impl FnMut(Round)) -> Result<(), NoFiles> {
    let share = ProcessorShare::one_in(4, Duration::from_millis(10));
    let mut done = 0;
    loop {
        let began = now();
        let files = files_of(folder)?;
        tell(Round::Begins(files.len()));
        for (file, left) in files.iter().zip((0..files.len()).rev()) {
            let job_began = now();
            let Some(hashed) = hash(file, share, stopped) else { return Ok(()) };
            done += 1;
            let error = hashed.err().map(|error| format!("{}: {error}", file.display()));
            tell(Round::Job(Job { left, done, took: since(job_began), error }));
        }
        tell(Round::Ends(since(began)));
        if stopped.now() {
            return Ok(());
        }
    }
}

/// Hashes a file within the share; `None` if it was stopped.
fn hash(path: &Path, share: ProcessorShare, stopped: &Stopped) -> Option<io::Result<()>> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(Err(error)),
    };
    loop {
        let began = now();
        let read = match file.read(&mut chunk) {
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        hasher.update(&chunk[..read]);
        if stopped.within(share.rest_after(since(began))) {
            return None;
        }
        if read < CHUNK {
            std::hint::black_box(hasher.finalize());
            return Some(Ok(()));
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the share of the processor is measured in real time")]
fn now() -> Instant {
    Instant::now()
}

fn since(began: Instant) -> Duration {
    now().duration_since(began)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stop_pair;

    #[test]
    fn a_round_tells_every_file_until_none_is_left_and_stops_when_asked() {
        let (stop, stopped) = stop_pair();
        let (mut stop, mut files, mut last) = (Some(stop), 0, None);
        let told = |round: Round| match round {
            Round::Begins(count) => files = count,
            Round::Job(job) => last = Some((job.left, job.done)),
            Round::Ends(_) => drop(stop.take()),
        };
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        hash_over_and_over(folder, &stopped, told).unwrap();
        assert!(files > 0);
        assert_eq!(last, Some((0, files as u64)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_and_skipped() {
        let (_stop, stopped) = stop_pair();
        let share = ProcessorShare::one_in(1, Duration::ZERO);
        assert!(hash(Path::new("/no-file-has-this-name"), share, &stopped).unwrap().is_err());
    }
}
