//! A registry's members as a table for terminals.

use std::fmt;
use std::io::IsTerminal;

use heartbeat_contract::{HealthState, MemberStats, MemberView};

const RULE: &str = "==================================================";

/// How the health of members is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// In words.
    Plain,
    /// With an icon before the words.
    Icons,
}

/// All members of a registry, by kind and id, and how many are in which state.
///
/// ```
/// use examples::dashboard::{Dashboard, Look};
///
/// let shown = Dashboard::new(vec![], Look::Plain).to_string();
/// assert!(shown.contains("Total: 0 members"));
/// ```
#[derive(Debug)]
pub struct Dashboard {
    members: Vec<MemberView>,
    look: Look,
}

impl Look {
    /// With icons on a terminal, unless `NO_COLOR` is set.
    #[must_use]
    pub fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::new(std::io::stdout().is_terminal(), refused)
    }

    fn new(is_terminal: bool, without_colours: bool) -> Self {
        if is_terminal && !without_colours { Self::Icons } else { Self::Plain }
    }

    fn icon(self, state: HealthState) -> &'static str {
        match (self, state) {
            (Self::Plain, _) => "",
            (Self::Icons, HealthState::Healthy) => "✅ ",
            (Self::Icons, HealthState::Degraded) => "⚠️ ",
            (Self::Icons, HealthState::Critical) => "🔴 ",
            (Self::Icons, HealthState::Failed) => "❌ ",
            (Self::Icons, HealthState::Left) => "👋 ",
        }
    }
}

impl Dashboard {
    /// Shows these members and no others: who is not monitored is not there.
    #[must_use]
    pub fn new(mut members: Vec<MemberView>, look: Look) -> Self {
        members.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
        Self { members, look }
    }

    fn totals(&self) -> MemberStats {
        let mut totals = MemberStats::default();
        for member in &self.members {
            totals.total += 1;
            let count = match member.state {
                HealthState::Healthy => &mut totals.healthy,
                HealthState::Degraded => &mut totals.degraded,
                HealthState::Critical => &mut totals.critical,
                HealthState::Failed => &mut totals.failed,
                HealthState::Left => &mut totals.left,
            };
            *count += 1;
        }
        totals
    }
}

impl fmt::Display for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { members, look } = self;
        let totals = self.totals();
        writeln!(f, "{RULE}\nMEMBER HEALTH\n{RULE}")?;
        for MemberView { kind, id, state, .. } in members {
            writeln!(f, "{}{kind} {id}: {}", look.icon(*state), state.as_str().to_uppercase())?;
        }
        writeln!(f, "{RULE}")?;
        writeln!(f, "Total: {} members", totals.total)?;
        writeln!(f, "Healthy: {}", totals.healthy)?;
        writeln!(f, "Issues: {}", totals.degraded + totals.critical)?;
        writeln!(f, "Failed: {}", totals.failed)?;
        writeln!(f, "Left: {}", totals.left)?;
        write!(f, "{RULE}")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use heartbeat_contract::{BeatInfo, HealthStatus, HiveHeartbeat, MemberId, WorkerHeartbeat};
    use heartbeat_registry::{Fleet, FleetConfig, HiveRegistry, ManualClock, MembersQuery, WorkerRegistry};

    use super::*;

    fn worker(id: &str) -> WorkerHeartbeat {
        WorkerHeartbeat::new(MemberId::new(id).unwrap())
    }

    /// A healthy hive, and workers in every state.
    fn members() -> Vec<MemberView> {
        let clock = ManualClock::new(jiff::Timestamp::UNIX_EPOCH);
        let fleet = Fleet::new(FleetConfig::default(), clock.clone()).unwrap();
        let (workers, hives) = (WorkerRegistry::new(&fleet), HiveRegistry::new(&fleet));
        workers.record(worker("failed")).unwrap();
        while let Some(wake) = fleet.next_wake().filter(|_| workers.unhealthy(HealthState::Failed).is_empty()) {
            clock.advance_to(wake);
            fleet.sweep();
        }
        let reporting = |report| WorkerHeartbeat { health_status: Some(report), ..worker(report.as_str()) };
        let goodbye = BeatInfo { leaving: Some("shutdown".to_owned()), ..BeatInfo::default() };
        let left = WorkerHeartbeat { beat: Some(goodbye), ..worker("left") };
        for beat in [
            worker("left"),
            left,
            reporting(HealthStatus::Unhealthy),
            reporting(HealthStatus::Degraded),
            reporting(HealthStatus::Healthy),
        ] {
            workers.record(beat).unwrap();
        }
        hives.record(HiveHeartbeat::new(MemberId::new("hive-1").unwrap())).unwrap();
        clock.advance(Duration::from_millis(1));
        let all = MembersQuery::default();
        [workers.page(&all).unwrap().members, hives.page(&all).unwrap().members].concat()
    }

    #[test]
    fn every_member_shows_once_by_kind_and_id_and_the_totals_add_up() {
        let shown = Dashboard::new(members(), Look::Plain).to_string();
        let expected = "\
==================================================
MEMBER HEALTH
==================================================
hive hive-1: HEALTHY
worker degraded: DEGRADED
worker failed: FAILED
worker healthy: HEALTHY
worker left: LEFT
worker unhealthy: CRITICAL
==================================================
Total: 6 members
Healthy: 2
Issues: 2
Failed: 1
Left: 1
==================================================";
        assert_eq!(shown, expected);
    }

    #[test]
    fn icons_stand_before_the_words_on_a_terminal_that_may_have_colours() {
        let shown = Dashboard::new(members(), Look::Icons).to_string();
        for line in ["✅ worker healthy: HEALTHY", "⚠️ worker degraded: DEGRADED", "❌ worker failed: FAILED"] {
            assert!(shown.contains(line), "{shown}");
        }
        assert_eq!(Look::new(true, false), Look::Icons);
        for (is_terminal, without_colours) in [(true, true), (false, false), (false, true)] {
            assert_eq!(Look::new(is_terminal, without_colours), Look::Plain);
        }
    }
}
