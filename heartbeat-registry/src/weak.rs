//! Handles that keep no fleet alive.

use std::marker::PhantomData;
use std::sync::{Arc, Weak};

use heartbeat_contract::Payload;

use crate::driver::DriverThread;
use crate::engine::Engine;
use crate::fleet::Fleet;
use crate::registry::Registry;

/// A fleet, as long as somebody else keeps it: for callbacks of [`Alerts`](crate::Alerts) that belong to it.
#[derive(Clone)]
pub struct WeakFleet {
    engine: Weak<Engine>,
    driver: Option<Weak<DriverThread>>,
}

impl WeakFleet {
    pub(crate) fn new(engine: &Arc<Engine>, driver: Option<&Arc<DriverThread>>) -> Self {
        Self { engine: Arc::downgrade(engine), driver: driver.map(Arc::downgrade) }
    }

    /// The fleet, unless the last handle of it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Fleet> {
        let driver = match &self.driver {
            Some(driver) => Some(driver.upgrade()?),
            None => None,
        };
        Some(Fleet { engine: self.engine.upgrade()?, driver })
    }
}

/// A registry, as long as somebody else keeps its fleet: for callbacks of [`Alerts`](crate::Alerts) that belong to it.
pub struct WeakRegistry<P> {
    fleet: WeakFleet,
    payload: PhantomData<fn() -> P>,
}

impl<P: Payload> WeakRegistry<P> {
    pub(crate) fn new(fleet: WeakFleet) -> Self {
        Self { fleet, payload: PhantomData }
    }

    /// The registry, unless the last handle of its fleet is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<Registry<P>> {
        Some(Registry::new(&self.fleet.upgrade()?))
    }
}

impl<P> Clone for WeakRegistry<P> {
    fn clone(&self) -> Self {
        Self { fleet: self.fleet.clone(), payload: PhantomData }
    }
}

impl std::fmt::Debug for WeakFleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakFleet").finish_non_exhaustive()
    }
}

impl<P: Payload> std::fmt::Debug for WeakRegistry<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeakRegistry").field("kind", &P::KIND).finish_non_exhaustive()
    }
}
