use std::{
    env, fs, io,
    os::unix::{fs::DirBuilderExt, net::SocketAddr},
    path::{Path, PathBuf},
};

/// A directory that only this user can enter, for one socket; removed with it on drop.
#[derive(Debug)]
pub(crate) struct Place {
    directory: PathBuf,
    socket: PathBuf,
}

impl Place {
    pub(crate) fn new() -> io::Result<Self> {
        let mut refused = None;
        for parent in parents() {
            match Self::below(&parent) {
                Ok(place) => return Ok(place),
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.expect("the directory for temporary files is always tried"))
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    fn below(parent: &Path) -> io::Result<Self> {
        // Nobody can have made a directory of this name but on purpose.
        let directory = parent.join(format!("notify-{:016x}", fastrand::u64(..)));
        let socket = directory.join("socket");
        // Fails where the path is too long for a socket, before anything is made.
        SocketAddr::from_pathname(&socket).map_err(|error| about(&socket, &error))?;
        fs::DirBuilder::new().mode(0o700).create(&directory).map_err(|error| about(&directory, &error))?;
        Ok(Self { directory, socket })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever removed them before has done what was to be done.
        fs::remove_file(&self.socket).ok();
        fs::remove_dir(&self.directory).ok();
    }
}

fn parents() -> impl Iterator<Item = PathBuf> {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|directory| directory.is_absolute());
    // The last is for a TMPDIR that is too long.
    runtime.into_iter().chain([env::temp_dir(), PathBuf::from("/tmp")])
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{io, os::unix::fs::PermissionsExt, path::Path};

    use super::Place;

    #[test]
    fn nobody_else_can_enter_the_directory_which_goes_with_its_socket() {
        let place = Place::new().expect("a directory");
        let directory = place.directory.clone();
        let mode = directory.metadata().expect("a directory").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        drop(place);
        assert!(!directory.exists());
    }

    #[test]
    fn a_path_too_long_for_a_socket_is_refused_before_anything_is_made() {
        let parent = std::env::temp_dir().join("x".repeat(100));
        let error = Place::below(&parent).expect_err("it is too long");
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("xxx/notify-"), "{error}");
    }

    #[test]
    fn a_parent_that_is_not_there_is_named() {
        let error = Place::below(Path::new("/no/such")).expect_err("there is no parent");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert!(error.to_string().starts_with("/no/such/notify-"), "{error}");
    }
}
