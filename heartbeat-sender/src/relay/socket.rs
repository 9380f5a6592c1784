//! The socket of a relay, as a file.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// A listening socket; its file goes with it.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, so that another's file is not taken for ours.
    file: (u64, u64),
}

impl Socket {
    /// The file appears with its permissions, in one step, so that nobody gets in before they are set.
    pub(super) fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        make_way(path).map_err(|error| about(path, &error))?;
        let mut beside = path.as_os_str().to_owned();
        beside.push(format!(".{}", std::process::id()));
        let beside = PathBuf::from(beside);
        let bound = bind_at(&beside, path, mode);
        if bound.is_err() {
            // Whatever was made of it is of no use to anybody.
            fs::remove_file(&beside).ok();
        }
        let (listener, file) = bound.map_err(|error| about(path, &error))?;
        Ok(Self { listener, path: path.to_owned(), file })
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(connection, _)| connection)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = fs::symlink_metadata(&self.path).is_ok_and(|file| (file.dev(), file.ino()) == self.file);
        if is_ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the relay's socket");
        }
    }
}

fn bind_at(beside: &Path, path: &Path, mode: u32) -> io::Result<(UnixListener, (u64, u64))> {
    // Left behind by a process of the same number.
    match fs::remove_file(beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(beside)?;
    fs::set_permissions(beside, Permissions::from_mode(mode))?;
    let file = fs::symlink_metadata(beside)?;
    fs::rename(beside, path)?;
    Ok((listener, (file.dev(), file.ino())))
}

/// Says what is in the way, if it is more than a socket that nobody listens at.
fn make_way(path: &Path) -> io::Result<()> {
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !file.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "something else than a socket is there"));
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        Err(error) => Err(error),
    }
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory of this test's own, removed in the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("relay-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn socket(&self) -> PathBuf {
            self.0.join("relay.sock")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let scratch = Scratch::new("stale");
        let path = scratch.socket();
        // Rust's own listener leaves its file behind, as a killed process does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = Socket::bind(&path, 0o600).unwrap();
        let refused = Socket::bind(&path, 0o600).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AddrInUse);
        assert!(refused.to_string().contains("another process listens there"), "{refused}");
        drop(socket);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn the_socket_has_its_permissions_and_anything_else_in_its_place_is_left_alone() {
        let scratch = Scratch::new("mode");
        let path = scratch.socket();
        let socket = Socket::bind(&path, 0o640).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        // Another relay has taken the place by force: its file stays.
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        drop(socket);
        assert!(path.exists());
        assert_eq!(Socket::bind(&path, 0o640).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert!(path.exists());
    }
}
