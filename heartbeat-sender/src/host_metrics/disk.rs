//! The space of one file system.

use std::io;
use std::path::{Path, PathBuf};

use super::record::{Answer, Reading};

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Space {
    pub(super) used_gb: Option<f64>,
    pub(super) total_gb: Option<f64>,
}

/// Asks for one path alone: whoever lists all mounts hangs in that of a file server that is gone.
pub(super) fn open(path: PathBuf) -> impl FnMut() -> Answer<Space> {
    move || space(&path).map(Reading::complete).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(unix)]
fn space(path: &Path) -> io::Result<Space> {
    let told = rustix::fs::statvfs(path)?;
    let gb_of = |blocks: u64| super::gb(blocks.saturating_mul(told.f_frsize));
    // Some file systems have no size, such as those of processes and devices.
    let has_size = told.f_blocks > 0;
    Ok(Space {
        used_gb: has_size.then(|| gb_of(told.f_blocks.saturating_sub(told.f_bavail))),
        total_gb: has_size.then(|| gb_of(told.f_blocks)),
    })
}

#[cfg(not(unix))]
fn space(_: &Path) -> io::Result<Space> {
    Ok(Space::default())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_space_of_a_real_file_system_is_told() {
        let Reading { figures, missing } = open("/".into())().unwrap();
        let (used, total) = (figures.used_gb.unwrap(), figures.total_gb.unwrap());
        assert!(0.0 < used && used <= total, "{used} of {total} GB");
        assert_eq!(missing, None);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error_that_names_it() {
        let error = open("/no/such/folder".into())().unwrap_err();
        assert!(error.starts_with("/no/such/folder: No such file or directory"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_without_size_has_no_figures() {
        let Reading { figures, .. } = open("/proc".into())().unwrap();
        assert_eq!((figures.used_gb, figures.total_gb), (None, None));
    }
}
