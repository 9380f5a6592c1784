use std::{
    env, fs, io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt},
        net::{SocketAddr, UnixDatagram},
    },
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

const PREFIX: &str = "notify-";
/// Between a directory and the socket in it lies a moment, and it shall be over.
const SETTLED: Duration = Duration::from_secs(60);
/// How many names in a parent are looked at: the directory for temporary files may be a rubbish heap.
const MOST_NAMES: usize = 10_000;

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
                Ok(place) => {
                    static ONCE: Once = Once::new();
                    ONCE.call_once(|| clear(&parent, &place.directory));
                    return Ok(place);
                }
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
        let directory = parent.join(format!("{PREFIX}{:016x}", fastrand::u64(..)));
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

/// Removes what processes of this user that were killed have left behind in `parent`: places whose socket nobody holds. That
/// is asked of the kernel, not concluded from a process id, which in another container is another's.
fn clear(parent: &Path, ours: &Path) {
    // Nobody needs to know what could not be removed: the next process tries again.
    let (Ok(names), Ok(ours)) = (fs::read_dir(parent), ours.metadata()) else { return };
    for name in names.take(MOST_NAMES).flatten() {
        let directory = name.path();
        let socket = directory.join("socket");
        if is_place(&name) && is_like(&ours, &directory) && is_dead(&socket) {
            drop(Place { directory, socket });
        }
    }
}

fn is_place(entry: &fs::DirEntry) -> bool {
    let name = entry.file_name();
    let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    number.is_some_and(|number| number.len() == 16 && number.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether it is a directory of the same user, and older by so much that what was to be made in it has been made.
fn is_like(ours: &fs::Metadata, directory: &Path) -> bool {
    let Ok(theirs) = directory.symlink_metadata() else { return false };
    let older = ours.modified().and_then(|ours| Ok(ours.duration_since(theirs.modified()?)));
    theirs.is_dir() && theirs.uid() == ours.uid() && older.is_ok_and(|older| older.is_ok_and(|older| older >= SETTLED))
}

fn is_dead(socket: &Path) -> bool {
    // A file that is no socket refuses connections, too.
    if !socket.symlink_metadata().is_ok_and(|there| there.file_type().is_socket()) {
        return false;
    }
    let connected = UnixDatagram::unbound().and_then(|asking| asking.connect(socket));
    connected.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
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
    use std::{
        fs::{self, File},
        io,
        os::unix::{fs::PermissionsExt, net::UnixDatagram},
        path::Path,
        time::Duration,
    };

    use super::{Place, SETTLED, clear};

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

    #[test]
    fn only_old_places_whose_socket_nobody_holds_are_cleared() {
        let parent = std::env::temp_dir().join(format!("dl-place-{}", std::process::id()));
        fs::create_dir(&parent).expect("a new folder");
        let ours = Place::below(&parent).expect("a place");
        let now = ours.directory.metadata().and_then(|ours| ours.modified()).expect("a time");
        let place = |name: &str, age: Duration| {
            let directory = parent.join(name);
            fs::create_dir(&directory).expect("a new folder");
            let socket = UnixDatagram::bind(directory.join("socket")).expect("a socket");
            File::open(&directory).and_then(|file| file.set_modified(now - age)).expect("our own folder");
            socket
        };
        let hour = 60 * SETTLED;
        drop(place("notify-0123456789abcdef", SETTLED));
        let held = place("notify-1123456789abcdef", hour);
        drop(place("notify-2123456789abcdef", SETTLED / 2));
        drop(place("notify-3", hour));
        drop(place("notify-the-authorities", hour));
        let foreign = parent.join("notify-4123456789abcdef");
        fs::create_dir(&foreign).expect("a new folder");
        fs::write(foreign.join("socket"), "no socket at all").expect("a file");
        File::open(&foreign).and_then(|file| file.set_modified(now - hour)).expect("our own folder");

        clear(&parent, &ours.directory);
        let left = |name: &str| parent.join(name).exists();
        assert!(!left("notify-0123456789abcdef"));
        assert!(left("notify-1123456789abcdef"), "somebody listens");
        assert!(left("notify-2123456789abcdef"), "too young to tell");
        assert!(left("notify-3") && left("notify-the-authorities"), "other names");
        assert!(foreign.join("socket").exists(), "{}", foreign.display());
        drop(held);
        clear(&parent, &ours.directory);
        assert!(!left("notify-1123456789abcdef"), "nobody listens any more");
        drop(ours);
        fs::remove_dir_all(&parent).expect("our own folder");
    }
}
