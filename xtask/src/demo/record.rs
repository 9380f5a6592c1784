//! What this demo did to its members: the only source of what is expected of the registry.

use std::fmt;

use jiff::Timestamp;

/// Something done to a member: to its process, its line or its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Killed,
    Stopped,
    Continued,
    AskedToLeave,
    StartedAgain,
    /// The line between it and the registry was cut.
    CutOff,
    Mended,
    /// Its work was made to hang, while its beats go on.
    WorkHangs,
    WorkGoesOn,
}

impl Deed {
    /// The moment of it: `2.5 s after SIGKILL`.
    pub(super) fn moment(self) -> &'static str {
        match self {
            Self::Killed => "SIGKILL",
            Self::Stopped => "SIGSTOP",
            Self::Continued => "SIGCONT",
            Self::AskedToLeave => "SIGTERM",
            Self::StartedAgain => "restart",
            Self::CutOff => "the cut",
            Self::Mended => "the repair",
            Self::WorkHangs => "its work hung",
            Self::WorkGoesOn => "its work went on",
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CutOff => "cut off",
            Self::Mended => "mended",
            Self::WorkHangs => "work hangs",
            Self::WorkGoesOn => "goes on",
            process => process.moment(),
        })
    }
}

/// A deed, to whom, and when by this process's clock.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) member: String,
    pub(super) deed: Deed,
    pub(super) at: Timestamp,
}

/// Every deed, oldest first.
#[derive(Debug, Default)]
pub(super) struct Record(Vec<Entry>);

impl Record {
    pub(super) fn add(&mut self, member: &str, deed: Deed, at: Timestamp) {
        self.0.push(Entry { member: member.to_owned(), deed, at });
    }

    pub(super) fn of(&self, member: &str) -> Vec<Deed> {
        self.0.iter().filter(|entry| entry.member == member).map(|entry| entry.deed).collect()
    }

    /// What was done to a member last before a moment.
    pub(super) fn last_before(&self, member: &str, moment: Timestamp) -> Option<&Entry> {
        self.0.iter().rev().find(|entry| entry.member == member && entry.at <= moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_deed_before_a_moment_is_that_of_the_member_asked_for() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut record = Record::default();
        record.add("a", Deed::Stopped, at(1));
        record.add("b", Deed::Killed, at(2));
        record.add("a", Deed::Continued, at(3));
        assert_eq!(record.of("a"), [Deed::Stopped, Deed::Continued]);
        assert_eq!(record.last_before("a", at(2)).unwrap().deed, Deed::Stopped);
        assert_eq!(record.last_before("a", at(3)).unwrap().deed, Deed::Continued);
        assert!(record.last_before("b", at(1)).is_none());
    }
}
