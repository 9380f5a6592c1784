//! Hosts that are down, until those of their members are back that failed with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heartbeat_contract::HealthState;

use super::{Lasting, Who};

/// By the number of the event that tells of a host.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<u64, Host>);

#[derive(Debug)]
struct Host {
    name: Option<String>,
    /// Those of its members that failed with it and are not back.
    down: BTreeSet<Who>,
    /// To be told, once it is known that the rule asks for one of its members.
    untold: Option<Arc<Lasting>>,
}

impl Hosts {
    /// A host is down. What is to be told of it is kept until one of its members is asked for.
    pub(super) fn add(&mut self, n: u64, name: &str, untold: Option<Arc<Lasting>>) {
        self.0.insert(n, Host { name: Some(name.to_owned()), down: BTreeSet::new(), untold });
    }

    /// A member failed with its host. Returns what is to be told of the host now, if the member is asked for. What told of
    /// the host may have been missed, or it seemed to be back: then `unknown` is what there is to tell.
    pub(super) fn failed(
        &mut self,
        n: u64,
        who: &Who,
        is_asked_for: bool,
        unknown: impl FnOnce() -> (Option<String>, Lasting),
    ) -> Option<Arc<Lasting>> {
        let host = self.0.entry(n).or_insert_with(|| {
            let (name, alert) = unknown();
            Host { name, down: BTreeSet::new(), untold: Some(Arc::new(alert)) }
        });
        host.down.insert(who.clone());
        host.untold.take_if(|_| is_asked_for)
    }

    /// A member is heard of again on a host, or forgotten. Returns the hosts of which none is down any more.
    pub(super) fn back(&mut self, who: &Who, name: Option<&str>) -> Vec<u64> {
        let is_over = |_: &u64, host: &mut Host| {
            let was_one = host.down.remove(who);
            host.down.is_empty() && (was_one || (name.is_some() && host.name.as_deref() == name))
        };
        self.0.extract_if(.., is_over).map(|(n, _)| n).collect()
    }

    /// Keeps only those of which somebody is down.
    pub(super) fn keep(&mut self, seen: impl Fn(&Who) -> Option<HealthState>) {
        self.0.retain(|_, host| {
            host.down.retain(|who| seen(who) == Some(HealthState::Failed));
            !host.down.is_empty()
        });
    }

    pub(super) fn contains(&self, n: u64) -> bool {
        self.0.contains_key(&n)
    }
}
