//! What a registry concludes of a member.

use crate::HealthStatus;
use crate::words::words;

words! {
    /// What a registry concludes of a member, from best to worst, then `left`.
    ///
    /// With the age of the last beat counted in intervals (and an allowance on top of each edge): healthy below 1,
    /// degraded from 1 to 2, critical from 2 to the threshold, failed beyond it.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum HealthState {
        /// Beats arrive in time.
        #[default]
        Healthy = "healthy",
        /// One beat is missing, or the member calls itself degraded.
        Degraded = "degraded",
        /// More than one beat is missing, the member calls itself unhealthy, or a hold keeps it from failed.
        Critical = "critical",
        /// Silent for longer than its policy allows. Also what an unknown word decodes to.
        Failed = "failed",
        /// Said goodbye.
        Left = "left",
    }
    fallback Failed;
}

impl HealthState {
    /// Neither failed nor left.
    #[must_use]
    pub const fn is_online(self) -> bool {
        !matches!(self, Self::Failed | Self::Left)
    }
}

impl From<HealthStatus> for HealthState {
    /// The least state that a self-report allows: degraded to degraded, unhealthy to critical, all else to healthy.
    fn from(report: HealthStatus) -> Self {
        match report {
            HealthStatus::Healthy | HealthStatus::Unknown => Self::Healthy,
            HealthStatus::Degraded => Self::Degraded,
            HealthStatus::Unhealthy => Self::Critical,
        }
    }
}

words! {
    /// Why a member is in a state worse than healthy.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum Cause {
        /// Its beats stopped, and nothing more is known.
        Silent = "silent",
        /// It was announced, but never sent a beat.
        NeverSeen = "never_seen",
        /// It says so itself.
        SelfReported = "self_reported",
        /// Its process is gone.
        ProcessDead = "process_dead",
        /// Its whole host is silent.
        HostDown = "host_down",
        /// It runs, but its beats do not get through.
        Network = "network",
        /// It beats, is busy, and does not get on.
        Stuck = "stuck",
        /// Its process exists, but does not answer.
        Hung = "hung",
        /// It was started again.
        Restarted = "restarted",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}
