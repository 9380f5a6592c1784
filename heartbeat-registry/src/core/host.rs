//! Where members live together, so that one failure may silence all of them.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use heartbeat_contract::{HostFrom, MemberId};

use super::origin::Origin;

/// What a host is known by: the hive that its members name, else the address of their beats.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum HostKey {
    Unknown,
    /// This very process.
    Local,
    Address(IpAddr),
    Hive(MemberId),
}

impl HostKey {
    /// No other is less.
    pub(super) const FIRST: Self = Self::Unknown;

    pub(crate) fn of(hive: Option<&MemberId>, origin: Origin) -> Self {
        match (hive, origin) {
            (Some(hive), _) => Self::Hive(hive.clone()),
            (None, Origin::Peer(address)) => Self::Address(address),
            (None, Origin::Process) => Self::Local,
            (None, Origin::Unknown) => Self::Unknown,
        }
    }

    /// How the host is known.
    pub(crate) fn from(&self) -> HostFrom {
        match self {
            Self::Hive(_) => HostFrom::HiveId,
            Self::Address(_) => HostFrom::Address,
            Self::Local => HostFrom::Local,
            Self::Unknown => HostFrom::Unknown,
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hive(hive) => hive.fmt(f),
            Self::Address(address) => address.fmt(f),
            Self::Local => f.write_str("local"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// What beats of any member touch of their host, without going through the book of hosts.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) key: HostKey,
    /// When the newest beat of any member came, in virtual microseconds.
    heard: AtomicU64,
    /// Whether the book has it among the silent.
    is_silent: AtomicBool,
}

impl Host {
    pub(super) fn new(key: HostKey, at: u64) -> Self {
        Self { key, heard: AtomicU64::new(at), is_silent: AtomicBool::new(false) }
    }

    /// A member of it beat.
    pub(super) fn hear(&self, at: u64) {
        self.heard.fetch_max(at, Ordering::Relaxed);
    }

    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    pub(super) fn set_silent(&self, is_silent: bool) {
        self.is_silent.store(is_silent, Ordering::Relaxed);
    }
}
