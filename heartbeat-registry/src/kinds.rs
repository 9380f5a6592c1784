//! The kinds of members that a fleet knows.

use std::any::{Any, TypeId};

use heartbeat_contract::{BeatInfo, FailingSource, Kind};
use serde_json::Value;

use crate::core::KindIndex;

/// What views tell of a member's newest payload.
pub(crate) struct Described {
    /// `None` if it cannot be written as JSON.
    pub(crate) payload: Option<Value>,
    pub(crate) status: Option<&'static str>,
}

/// How what is kept with the members of a kind is read.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    pub(crate) describe: fn(&dyn Any) -> Option<Described>,
    /// What the newest beat tells; without a copy, since that is asked for under the lock of many members.
    pub(crate) beat: fn(&dyn Any) -> Option<&BeatInfo>,
    pub(crate) failing_sources: fn(&dyn Any) -> &[FailingSource],
    pub(crate) last_error: fn(&dyn Any) -> Option<&str>,
}

struct Known {
    kind: Kind,
    payload: TypeId,
    reading: Reading,
}

/// Kinds, numbered as they come.
#[derive(Default)]
pub(crate) struct Kinds(Vec<Known>);

impl Kinds {
    /// The number of a kind that is known.
    ///
    /// # Panics
    /// If it is known with payloads of another type.
    pub(crate) fn find(&self, kind: &Kind, payload: TypeId) -> Option<KindIndex> {
        let place = self.0.iter().position(|known| known.kind == *kind)?;
        assert!(self.0[place].payload == payload, "the kind {kind} has payloads of another type in this fleet");
        u8::try_from(place).ok().map(KindIndex)
    }

    /// The number of a kind, a new one if it is not yet known.
    ///
    /// # Panics
    /// If the kind is known with payloads of another type, or there are 255 already.
    pub(crate) fn add(&mut self, kind: &Kind, payload: TypeId, reading: Reading) -> KindIndex {
        self.find(kind, payload).unwrap_or_else(|| {
            let place = u8::try_from(self.0.len()).ok().filter(|place| *place < u8::MAX);
            self.0.push(Known { kind: kind.clone(), payload, reading });
            KindIndex(place.expect("a fleet has at most 255 kinds"))
        })
    }

    pub(crate) fn name(&self, kind: KindIndex) -> Kind {
        self.0[usize::from(kind.0)].kind.clone()
    }

    pub(crate) fn describe(&self, kind: KindIndex, attachment: &dyn Any) -> Option<Described> {
        (self.0[usize::from(kind.0)].reading.describe)(attachment)
    }

    pub(crate) fn beat<'a>(&self, kind: KindIndex, attachment: &'a dyn Any) -> Option<&'a BeatInfo> {
        (self.0[usize::from(kind.0)].reading.beat)(attachment)
    }

    pub(crate) fn failing_sources<'a>(&self, kind: KindIndex, attachment: &'a dyn Any) -> &'a [FailingSource] {
        (self.0[usize::from(kind.0)].reading.failing_sources)(attachment)
    }

    pub(crate) fn last_error<'a>(&self, kind: KindIndex, attachment: &'a dyn Any) -> Option<&'a str> {
        (self.0[usize::from(kind.0)].reading.last_error)(attachment)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (KindIndex, &Kind)> {
        (0..=u8::MAX).map(KindIndex).zip(self.0.iter().map(|known| &known.kind))
    }
}
