//! What a member says of itself.

use crate::words::words;

words! {
    /// What a worker says it is doing.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum WorkerStatus {
        /// Not yet ready for work: loading a model, warming a cache.
        Starting = "starting",
        /// Ready and waiting for work.
        Idle = "idle",
        /// Working.
        Busy = "busy",
        /// Finishing what it has and taking nothing new.
        Draining = "draining",
        /// A word this version does not know.
        Unknown = "unknown",
    }
    fallback Unknown;
}

words! {
    /// How a member says it feels.
    ///
    /// A registry shows a member at least `degraded` for [`Degraded`](Self::Degraded) and at least `critical` for
    /// [`Unhealthy`](Self::Unhealthy), however punctual its beats.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    #[non_exhaustive]
    pub enum HealthStatus {
        /// All is well; also what an absent word means.
        #[default]
        Healthy = "healthy",
        /// Working, but not as it should.
        Degraded = "degraded",
        /// Not fit for work.
        Unhealthy = "unhealthy",
        /// A word this version does not know; judged as healthy.
        Unknown = "unknown",
    }
    fallback Unknown;
}
