use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
};

type Check = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Checks by name.
#[derive(Default)]
pub(crate) struct Checks(RwLock<BTreeMap<String, Check>>);

/// What each check said, by name.
pub(crate) type Findings = BTreeMap<String, Result<(), String>>;

impl Checks {
    pub(crate) fn insert(&self, name: String, check: Check) {
        let mut checks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        checks.insert(name, check);
    }

    /// Runs every check, without holding the lock: one of them may register another.
    pub(crate) fn run(&self) -> Findings {
        let checks = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        checks.into_iter().map(|(name, check)| (name, run(&check))).collect()
    }
}

/// A check that panics has found something wrong; the endpoint must live to tell.
fn run(check: &Check) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| check())).unwrap_or_else(|_| Err("check panicked".to_owned()))
}
