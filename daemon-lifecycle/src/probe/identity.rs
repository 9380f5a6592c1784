//! Whether the answer came from the daemon that was meant.

use std::fmt;

use super::{answer::Answer, error::ProbeError, failure::ProbeFailure};

/// Who says to have answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Identity {
    pub(super) instance_id: Option<String>,
    pub(super) pid: Option<u32>,
}

/// Who has to have answered. Nothing is expected by default.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(super) instance_id: Option<String>,
    pub(super) pid: Option<ExpectedPid>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum ExpectedPid {
    Is(u32),
    /// A child or whoever is in one process group with it: a shell or a wrapper stands for the program it starts.
    #[cfg(all(feature = "daemon", unix))]
    Child(u32),
}

impl Expected {
    /// What is wrong with who answered. A healthy answer has to say who gave it; an unhealthy one need not, but one from
    /// somebody else is no word about the daemon.
    pub(super) fn check(
        &self,
        asked: &impl ToString,
        outcome: Result<Answer, ProbeError>,
    ) -> Result<Answer, ProbeError> {
        let wrong = match &outcome {
            Ok(answer) => self.objection(&Identity { instance_id: answer.instance_id.clone(), pid: answer.pid }, true),
            Err(error) => self.objection(error.identity(), false),
        };
        match wrong {
            Some(wrong) => Err(ProbeError::new(asked, ProbeFailure::WrongIdentity).with_detail(wrong)),
            None => outcome,
        }
    }

    fn objection(&self, found: &Identity, must_tell: bool) -> Option<String> {
        self.wrong_instance(found.instance_id.as_deref(), must_tell).or_else(|| self.wrong_pid(found.pid, must_tell))
    }

    fn wrong_instance(&self, found: Option<&str>, must_tell: bool) -> Option<String> {
        let expected = self.instance_id.as_deref()?;
        match found {
            Some(found) if found == expected => None,
            Some(found) => Some(format!("instance {found}, expected {expected}")),
            None => must_tell.then(|| format!("no instance_id in the answer, expected {expected}")),
        }
    }

    fn wrong_pid(&self, found: Option<u32>, must_tell: bool) -> Option<String> {
        let expected = self.pid.as_ref()?;
        match found {
            Some(found) if expected.is(found) => None,
            Some(found) => Some(format!("process {found}, expected {expected}")),
            None => must_tell.then(|| format!("no pid in the answer, expected {expected}")),
        }
    }
}

impl ExpectedPid {
    fn is(self, pid: u32) -> bool {
        match self {
            Self::Is(expected) => pid == expected,
            #[cfg(all(feature = "daemon", unix))]
            Self::Child(child) => pid == child || group_of(pid).is_some_and(|group| Some(group) == group_of(child)),
        }
    }
}

#[cfg(all(feature = "daemon", unix))]
fn group_of(pid: u32) -> Option<u32> {
    use rustix::process::{Pid, getpgid};
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    u32::try_from(getpgid(Some(pid)).ok()?.as_raw_pid()).ok()
}

impl fmt::Display for ExpectedPid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(pid) => write!(f, "{pid}"),
            #[cfg(all(feature = "daemon", unix))]
            Self::Child(child) => write!(f, "{child} or one of its group"),
        }
    }
}
