//! Token files: changed by one, noticed by the other.

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use heartbeat_registry::ManualClock;
use heartbeat_registry::http::{Secret, TokenFile, Tokens};
use jiff::Timestamp;
use tracing::subscriber::with_default;
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::tokens::token;

/// A folder of a test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("tokens-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// A file with one token, `a`, and a registry's view of it by a clock that stands still.
struct World {
    folder: Folder,
    file: TokenFile,
    clock: ManualClock,
    tokens: Tokens,
    a: Secret,
}

impl World {
    fn new() -> Self {
        let folder = Folder::new();
        let file = TokenFile::at(folder.path("tokens"));
        let (token, a) = token("a", "read");
        file.add(&token).unwrap();
        let clock = ManualClock::new(Timestamp::UNIX_EPOCH);
        let tokens = Tokens::open_by(folder.path("tokens"), clock.clone()).unwrap();
        Self { folder, file, clock, tokens, a }
    }

    fn path(&self) -> PathBuf {
        self.folder.path("tokens")
    }

    fn add(&self, name: &str) -> Secret {
        let (token, secret) = token(name, "read");
        self.file.add(&token).unwrap();
        secret
    }

    fn after_millis(&self, millis: u64) -> &Self {
        self.clock.advance(Duration::from_millis(millis));
        self
    }

    fn knows(&self, secret: &Secret) -> bool {
        self.tokens.holder(secret.expose()).is_some()
    }
}

#[test]
fn a_change_counts_within_a_second_and_nobody_looks_more_often_than_every_250_ms() {
    let world = World::new();
    let b = world.add("b");
    assert!(world.file.remove("a").unwrap());
    assert!(world.after_millis(249).knows(&world.a) && !world.knows(&b), "nobody has looked yet");
    assert!(!world.after_millis(1).knows(&world.a) && world.knows(&b));
    world.after_millis(3_600_000).add("a");
    assert!(world.file.remove("b").unwrap());
    assert!(!world.knows(&b), "after an hour without a request, the first one looks");
    world.after_millis(3_600_000);
    let c = world.add("c");
    assert!(world.knows(&c));
}

#[test]
fn a_second_change_that_leaves_length_and_times_as_they_are_is_seen() {
    let world = World::new();
    let (b, c) = (token("b", "read"), token("c", "read"));
    let write = |line: String| {
        fs::write(world.path(), line).unwrap();
        File::options()
            .write(true)
            .open(world.path())
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
    };
    write(b.0.to_string());
    assert!(world.after_millis(10_000).knows(&b.1));
    write(c.0.to_string());
    assert!(world.after_millis(1_000).knows(&c.1) && !world.knows(&b.1));
}

#[test]
fn what_is_no_token_file_is_logged_once_and_the_tokens_from_before_stay() {
    let world = World::new();
    let errors = Errors::default();
    with_default(errors.clone(), || {
        let looks = || (0..20).all(|_| world.after_millis(300).knows(&world.a));
        let good = fs::read_to_string(world.path()).unwrap();
        assert!(looks());
        assert_eq!(errors.count(), 0);
        fs::write(world.path(), format!("{good}nonsense\n")).unwrap();
        assert!(looks());
        assert_eq!(errors.count(), 1);
        fs::write(world.path(), format!("{good}other nonsense\n")).unwrap();
        assert!(looks());
        assert_eq!(errors.count(), 2, "another change");
        fs::remove_file(world.path()).unwrap();
        assert!(looks());
        assert_eq!(errors.count(), 3, "no file at all");
        fs::write(world.path(), "# none\n").unwrap();
        assert!(!world.after_millis(300).knows(&world.a), "none is none");
        fs::write(world.path(), good).unwrap();
        assert!(looks());
        assert_eq!(errors.count(), 3);
    });
}

#[test]
fn who_is_let_in_can_tell_that_it_is_over() {
    let world = World::new();
    let holder = world.tokens.holder(world.a.expose()).unwrap();
    world.add("b");
    assert!(world.after_millis(250).knows(&world.a) && holder.is_still_valid(), "another token changes nothing");
    let text = fs::read_to_string(world.path()).unwrap();
    fs::write(world.path(), text.replacen("\"read\"", "\"operate\"", 1)).unwrap();
    assert!(!world.after_millis(250).tokens.is_empty() && !holder.is_still_valid(), "it is for something else now");
    let holder = world.tokens.holder(world.a.expose()).unwrap();
    assert!(holder.is_still_valid() && holder.may_operate());
    assert!(world.file.remove("a").unwrap());
    assert!(!world.after_millis(250).knows(&world.a) && !holder.is_still_valid());
}

#[test]
fn a_file_that_is_wrong_is_refused_by_line_at_the_start() {
    let folder = Folder::new();
    let path = folder.path("tokens");
    let missing = Tokens::open(&path).unwrap_err();
    assert!(missing.is_not_found() && missing.to_string().contains("tokens"), "{missing}");
    fs::write(&path, "# ours\n\n{\"name\": \"a\"}\n").unwrap();
    let wrong = Tokens::open(&path).unwrap_err();
    assert!(wrong.to_string().ends_with("tokens is wrong in line 3"), "{wrong}");
    let why = std::error::Error::source(&wrong).unwrap().to_string();
    assert_eq!(why, "missing field `scopes`, at column 13");
    assert!(TokenFile::at(&path).add(&token("b", "read").0).is_err(), "it is not made worse");
    assert_eq!(fs::read_to_string(&path).unwrap(), "# ours\n\n{\"name\": \"a\"}\n");
}

#[test]
fn changes_keep_remarks_and_the_other_lines() {
    let world = World::new();
    let text = fs::read_to_string(world.path()).unwrap();
    fs::write(world.path(), format!("# ours\n\n{}", text.trim_end())).unwrap();
    world.add("b");
    assert!(world.file.remove("a").unwrap());
    assert!(!world.file.remove("a").unwrap());
    let lines: Vec<String> = fs::read_to_string(world.path()).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(
        lines[..3],
        ["# ours", "", "# Tokens of a heartbeat-registry, one a line: see `heartbeat-registry token --help`."]
    );
    assert!(lines.len() == 4 && lines[3].starts_with(r#"{"name":"b""#), "{lines:?}");
    assert!(world.file.add(&token("b", "read").0).unwrap_err().is_usage(), "names are given once");
    assert_eq!(world.file.tokens().unwrap().len(), 1);
}

#[test]
fn a_file_that_is_not_there_leaves_nothing_behind_when_it_should_be_changed() {
    let folder = Folder::new();
    assert!(TokenFile::at(folder.path("tokens")).remove("a").unwrap_err().is_not_found());
    assert_eq!(fs::read_dir(folder.path(".")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn the_lock_belongs_to_whom_the_file_belongs_to() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let world = World::new();
    let owned = |name: &str| {
        let metadata = fs::metadata(world.folder.path(name)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
    };
    fs::set_permissions(world.path(), PermissionsExt::from_mode(0o660)).unwrap();
    let is_root = owned("tokens").0 == 0;
    if is_root {
        std::os::unix::fs::chown(world.path(), Some(4711), Some(4712)).unwrap();
    }
    world.add("b");
    assert_eq!(owned("tokens.lock"), owned("tokens"));
    assert_eq!(owned("tokens").2, 0o660);
    assert_eq!(owned("tokens").0 == 4711, is_root);
}

#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_mode_and_its_link() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    let world = World::new();
    let mode = || fs::metadata(world.path()).unwrap().mode() & 0o777;
    assert_eq!(mode(), 0o600);
    fs::set_permissions(world.path(), fs::Permissions::from_mode(0o640)).unwrap();
    let link = world.folder.path("link");
    symlink(world.path(), &link).unwrap();
    TokenFile::at(&link).add(&token("b", "read").0).unwrap();
    assert_eq!(mode(), 0o640);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(world.file.tokens().unwrap().len(), 2);
}

/// Counts errors that are logged.
#[derive(Clone, Default)]
struct Errors(Arc<AtomicUsize>);

impl Errors {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
