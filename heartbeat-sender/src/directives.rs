//! What the registry asks of the member, for the application to obey.

use heartbeat_contract::Directive;
use tokio::sync::watch;

use crate::asked::Asked;

/// The requests of a registry, to look at or to wait on. Acks repeat a request until it is obeyed or withdrawn; here it is
/// told once, and once more if it was withdrawn and made again. Holds what is asked at present, never a queue: a request
/// that was withdrawn before anybody looked is not told. Words this version does not know are not told either.
#[derive(Clone, Debug)]
pub struct Directives {
    asked: watch::Receiver<Asked>,
    /// The number of the last request returned.
    told: u64,
}

impl Directives {
    pub(crate) fn new(asked: watch::Receiver<Asked>) -> Self {
        Self { asked, told: 0 }
    }

    /// All that is asked at present, whether it was returned before or not.
    #[must_use]
    pub fn current(&self) -> Vec<Directive> {
        self.asked.borrow().directives().collect()
    }

    /// Waits for a request that stands and that this subscription has not returned yet, and returns it; `None` once the
    /// loop has ended and everything was returned. What was asked before this subscription began, and still is, comes
    /// first.
    ///
    /// # Cancel safety
    /// Cancel safe: a request is marked as returned only when it is.
    pub async fn next(&mut self) -> Option<Directive> {
        loop {
            let next = self.asked.borrow_and_update().next_after(self.told);
            if let Some(request) = next {
                self.told = request.number;
                return Some(request.directive);
            }
            self.asked.changed().await.ok()?;
        }
    }
}
