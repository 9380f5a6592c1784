//! What changes how members are judged, what they are asked, and who is known.

use std::time::Duration;

use heartbeat_contract::{AskedDirective, Directive, ForgetReason, MemberId, Payload, Policy, ResolvedPolicy};

use super::{Registry, is_older};
use crate::error::{DirectiveError, RecordError, UnknownMember};

impl<P: Payload> Registry<P> {
    /// Starts to monitor a member before its first beat: it ages from now on. Of a member that is known, the policy is
    /// replaced and nothing else; one that left is not expected before it beats.
    ///
    /// # Errors
    /// If the policy is not valid, or there is no room for the member.
    pub fn start_monitoring(&self, id: &MemberId, policy: Policy) -> Result<ResolvedPolicy, RecordError> {
        self.announce(id, policy).map(|(resolved, _)| resolved)
    }

    /// Forgets a member; tells whether it was known. If it beats again, it is a new one.
    pub fn stop_monitoring(&self, id: &MemberId) -> bool {
        self.forget(id).is_some()
    }

    /// Starts to monitor a member, or replaces its policy; returns what it is judged by now, and the number of the event
    /// that tells it.
    pub(crate) fn announce(&self, id: &MemberId, policy: Policy) -> Result<(ResolvedPolicy, u64), RecordError> {
        policy.validate()?;
        self.engine().announce(self.kind, id, policy)
    }

    /// Forgets a member; returns the number of the event that tells it, if it was known.
    pub(crate) fn forget(&self, id: &MemberId) -> Option<u64> {
        self.engine().forget(self.kind, id)
    }

    /// Forgets those that are [`stale`](Self::stale), and returns them.
    pub fn cleanup_stale(&self, age: Duration) -> Vec<MemberId> {
        self.engine().forget_all(self.kind, ForgetReason::Stale, |hot, now| is_older(hot, age, now))
    }

    /// Asks the present run of a member for something: each answer to its beats says so until it obeys. `drain` is obeyed
    /// once its status is `draining`, `shutdown` once it said goodbye. It lapses when the member fails, leaves or comes
    /// back as a newer run, and after 10 minutes; asked again, it has 10 more.
    ///
    /// # Errors
    /// If the member is not known, has failed or left.
    pub fn ask(&self, id: &MemberId, directive: Directive) -> Result<AskedDirective, DirectiveError> {
        self.ask_and_tell(id, directive).map(|(asked, _)| asked)
    }

    /// Takes back what was asked of a member; tells whether it still was.
    ///
    /// # Errors
    /// If the member is not known.
    pub fn withdraw(&self, id: &MemberId, directive: Directive) -> Result<bool, UnknownMember> {
        self.withdraw_and_tell(id, directive).map(|told| told.is_some())
    }

    /// Asks, and returns the number of the newest event, too.
    pub(crate) fn ask_and_tell(
        &self,
        id: &MemberId,
        directive: Directive,
    ) -> Result<(AskedDirective, u64), DirectiveError> {
        match directive {
            Directive::Drain | Directive::Shutdown => self.engine().ask(self.kind, id, directive),
            other => Err(DirectiveError::NoDirective(other)),
        }
    }

    /// Withdraws, and returns the number of the event that tells it, if there was something to withdraw.
    pub(crate) fn withdraw_and_tell(&self, id: &MemberId, directive: Directive) -> Result<Option<u64>, UnknownMember> {
        self.engine().withdraw(self.kind, id, directive)
    }
}
