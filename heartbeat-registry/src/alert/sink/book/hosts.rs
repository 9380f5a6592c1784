//! Hosts that are down, until their hive is back, or all of their members that failed with them.

use std::collections::BTreeMap;
use std::sync::Arc;

use heartbeat_contract::{HealthState, Kind};

use super::{Down, Lasting, Who};

/// By the number of the event that tells of a host.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<u64, Host>);

#[derive(Debug)]
struct Host {
    name: Option<String>,
    /// Those of its members that failed with it and are not back, each with what is to be told of it alone if the hive is
    /// back before it; `None` if it is not asked for.
    down: BTreeMap<Who, Option<Down>>,
    /// To be told, once it is known that the rule asks for one of its members.
    untold: Option<Arc<Lasting>>,
}

impl Hosts {
    /// A host is down. What is to be told of it is kept until one of its members is asked for.
    pub(super) fn add(&mut self, n: u64, name: &str, untold: Option<Arc<Lasting>>) {
        self.0.insert(n, Host { name: Some(name.to_owned()), down: BTreeMap::new(), untold });
    }

    /// A member failed with its host. Returns what is to be told of the host now, if the member is asked for. What told of
    /// the host may have been missed, or it seemed to be back: then `unknown` is what there is to tell.
    pub(super) fn failed(
        &mut self,
        n: u64,
        who: &Who,
        down: Option<Down>,
        unknown: impl FnOnce() -> (Option<String>, Lasting),
    ) -> Option<Arc<Lasting>> {
        let host = self.0.entry(n).or_insert_with(|| {
            let (name, alert) = unknown();
            Host { name, down: BTreeMap::new(), untold: Some(Arc::new(alert)) }
        });
        let is_asked_for = down.is_some();
        host.down.insert(who.clone(), down);
        host.untold.take_if(|_| is_asked_for)
    }

    /// A member is heard of again on a host, or forgotten. Returns the hosts that are down no more, since their hive is
    /// back or nobody else is down; with those who are, and are asked for.
    pub(super) fn back(&mut self, who: &Who, name: Option<&str>) -> Vec<(u64, Vec<Down>)> {
        let (kind, id) = who;
        let is_over = |_: &u64, host: &mut Host| {
            let was_one = host.down.remove(who).is_some();
            let is_on_it = name.is_some() && host.name.as_deref() == name;
            let is_its_hive = is_on_it && *kind == Kind::HIVE && host.name.as_deref() == Some(id.as_str());
            is_its_hive || (host.down.is_empty() && (was_one || is_on_it))
        };
        let over = self.0.extract_if(.., is_over);
        over.map(|(n, host)| (n, host.down.into_values().flatten().collect())).collect()
    }

    /// Keeps only those of which somebody is down.
    pub(super) fn keep(&mut self, seen: impl Fn(&Who) -> Option<HealthState>) {
        self.0.retain(|_, host| {
            host.down.retain(|who, _| seen(who) == Some(HealthState::Failed));
            !host.down.is_empty()
        });
    }

    pub(super) fn contains(&self, n: u64) -> bool {
        self.0.contains_key(&n)
    }
}
