//! What a registry keeps with a member: its newest payload and its history.

use std::any::Any;

use heartbeat_contract::{BeatInfo, FailingSource, Payload};

use crate::core::{Attachment, Now};
use crate::history::History;
use crate::kinds::{Described, Reading};

/// What a registry keeps with a member.
pub(super) struct Kept<P> {
    pub(super) latest: P,
    pub(super) history: History,
}

/// Puts a payload with its member, and gives back the one that it replaces.
pub(super) fn keep<P: Payload>(attachment: &mut Option<Attachment>, payload: P, now: &Now, history: u32) -> Option<P> {
    let kept = attachment.as_deref_mut().and_then(|kept| kept.downcast_mut::<Kept<P>>());
    match kept {
        Some(kept) => {
            kept.history.push(&payload, kept.latest.metadata(), now, history);
            Some(std::mem::replace(&mut kept.latest, payload))
        }
        None => {
            let mut recent = History::default();
            recent.push(&payload, None, now, history);
            *attachment = Some(Box::new(Kept { latest: payload, history: recent }));
            None
        }
    }
}

/// How it is read without knowing its type.
pub(super) fn reading<P: Payload>() -> Reading {
    Reading {
        describe: describe::<P>,
        beat: beat::<P>,
        failing_sources: failing_sources::<P>,
        last_error: last_error::<P>,
    }
}

fn describe<P: Payload>(attachment: &dyn Any) -> Option<Described> {
    let Kept { latest, .. } = attachment.downcast_ref::<Kept<P>>()?;
    Some(Described { payload: serde_json::to_value(latest).ok(), status: latest.status() })
}

fn beat<P: Payload>(attachment: &dyn Any) -> Option<&BeatInfo> {
    attachment.downcast_ref::<Kept<P>>()?.latest.beat()
}

fn failing_sources<P: Payload>(attachment: &dyn Any) -> &[FailingSource] {
    attachment.downcast_ref::<Kept<P>>().map_or(&[], |kept| kept.latest.failing_sources())
}

fn last_error<P: Payload>(attachment: &dyn Any) -> Option<&str> {
    attachment.downcast_ref::<Kept<P>>()?.latest.last_error()
}
