//! All that happens in one simulation, drawn from its seed before it begins.

use std::time::Duration;

use heartbeat_contract::{Detector, HealthStatus, MemberId, Policy, Zone};
use heartbeat_registry::FleetConfig;

use super::machine::Member;
use super::queen::Setup;

/// For how long things happen.
const CHAOS: Duration = Duration::from_secs(200);
const HOUR_MS: i64 = 3_600_000;
/// The longest that anything is kept from how it should be.
const LONGEST_MS: u64 = 60_000;
/// Few enough members to fit that some do not.
const TIGHT: usize = 12;

/// Who takes part, and what is done to them when.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) setup: Setup,
    pub(crate) machines: usize,
    pub(crate) members: Vec<Member>,
    /// In the order of their times.
    pub(crate) deeds: Vec<(Duration, Deed)>,
    pub(crate) until: Duration,
    pub(crate) slowest_message: Duration,
}

/// Something that is done to a member, by its place among them, to a machine, or to the registry.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Start(usize),
    Kill(usize),
    Leave(usize),
    Freeze(usize),
    Thaw(usize),
    Interval(usize, Duration),
    Report(usize, HealthStatus),
    /// Another run of the same member, on another machine.
    Twin(usize, usize),
    CrashMachine(usize),
    BootMachine(usize),
    Cut(usize, Way),
    Mend(usize),
    Hold(usize),
    Release(usize),
    Mischief(usize, f64, f64),
    MachineWall(usize, i64),
    RegistryWall(i64),
    StopRegistry,
    ContinueRegistry,
    CrashRegistry,
    BootRegistry,
    Odd(Oddity, usize),
}

/// Which way messages are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Both,
    ToRegistry,
    FromRegistry,
}

/// A beat that no proper sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Oddity {
    /// Of a run that starts more than a day from now, in the name of a member.
    FromTheFuture,
    /// Of a run that is older than the member's.
    OfAnOlderRun,
    /// A goodbye of such a run.
    GoodbyeOfAnOlderRun,
    /// Of the member's own run, with a seq that it cannot have reached.
    SeqTooFar,
    /// Without order, in the name of a member.
    WithoutOrder,
    /// The first beat of a member of its own, with the largest seq there is, twice.
    SeqAtItsMaximum,
    /// No beat at all.
    Garbage,
}

const ODDITIES: [Oddity; 7] = [
    Oddity::FromTheFuture,
    Oddity::OfAnOlderRun,
    Oddity::GoodbyeOfAnOlderRun,
    Oddity::SeqTooFar,
    Oddity::WithoutOrder,
    Oddity::SeqAtItsMaximum,
    Oddity::Garbage,
];
const INTERVALS_MS: [u64; 6] = [500, 1_000, 1_000, 2_000, 5_000, 10_000];

impl Plan {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let machines = rng.usize(4..=9);
        let members = members(&mut rng, machines);
        let setup = setup(&mut rng, seed, &members);
        let mut deeds = Deeds { rng, deeds: Vec::new(), machines, members: members.len() };
        for member in 0..members.len() {
            let at = deeds.rng.u64(0..5_000);
            deeds.at(at, Deed::Start(member));
        }
        let pace = deeds.rng.u64(1_000..8_000);
        let mut at = 5_000;
        while at < millis(CHAOS) {
            deeds.draw(at);
            at += deeds.rng.u64(1..2 * pace);
        }
        let slowest_message = Duration::from_millis(deeds.rng.u64(5..400));
        let mut deeds = deeds.deeds;
        deeds.retain(|(at, _)| *at < CHAOS);
        deeds.sort_by_key(|(at, _)| *at);
        Self { setup, machines, members, deeds, until: CHAOS, slowest_message }
    }
}

fn members(rng: &mut fastrand::Rng, machines: usize) -> Vec<Member> {
    let zones = rng.usize(1..=3);
    let with_hives = rng.bool();
    let mut members = Vec::new();
    for home in 0..machines {
        let zone = Zone::new(format!("zone-{}", home % zones)).expect("letters and digits make an id");
        let id = |name: String| MemberId::new(name).expect("letters and digits make an id");
        let hive_id = with_hives.then(|| id(format!("hive-{home}")));
        if let Some(hive) = &hive_id {
            let interval = interval(rng);
            let (zone, hive_id) = (zone.clone(), None);
            members.push(Member { is_hive: true, id: hive.clone(), home, interval, zone, hive_id, endpoint: None });
        }
        for n in 0..rng.usize(1..=3) {
            let endpoint = rng.bool().then(|| format!("http://10.255.0.{home}:{}", 9_000 + n));
            members.push(Member {
                is_hive: false,
                id: id(format!("w{home}-{n}")),
                home,
                interval: interval(rng),
                zone: zone.clone(),
                hive_id: hive_id.clone(),
                endpoint,
            });
        }
    }
    members
}

fn setup(rng: &mut fastrand::Rng, seed: u64, members: &[Member]) -> Setup {
    let policy = Policy {
        interval: (rng.u8(0..4) == 0).then(|| Duration::from_secs(2)),
        threshold: rng.u32(2..=4),
        allowance: (rng.u8(0..4) == 0).then_some(Duration::ZERO),
        recover_after: 1,
        ..Policy::default()
    };
    let mut announced = Vec::new();
    for member in members.iter().filter(|member| !member.is_hive) {
        match rng.u8(0..6) {
            0 => announced.push((member.id.clone(), Policy { detector: Detector::Adaptive, ..policy.clone() })),
            1 => {
                let startup_grace = Duration::from_secs(rng.u64(0..30));
                announced.push((member.id.clone(), Policy { startup_grace, ..policy.clone() }));
            }
            _ => {}
        }
    }
    let max_members = if rng.u8(0..10) == 0 { TIGHT.max(announced.len()) } else { 100_000 };
    Setup { config: FleetConfig { policy, max_members, seed: Some(seed), ..FleetConfig::default() }, announced }
}

fn interval(rng: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(INTERVALS_MS[rng.usize(0..INTERVALS_MS.len())])
}

struct Deeds {
    rng: fastrand::Rng,
    deeds: Vec<(Duration, Deed)>,
    machines: usize,
    members: usize,
}

impl Deeds {
    fn at(&mut self, millis: u64, deed: Deed) {
        self.deeds.push((Duration::from_millis(millis), deed));
    }

    /// Done, and undone after a while.
    fn for_a_while(&mut self, at: u64, deed: Deed, undone: Deed) {
        // As many short whiles as long ones, by orders of magnitude.
        let while_ms = 10_f64.powf(2.0 + self.rng.f64() * (LONGEST_MS as f64 / 100.0).log10());
        self.at(at, deed);
        self.at(at + while_ms as u64, undone);
    }

    fn draw(&mut self, at: u64) {
        let (member, machine) = (self.rng.usize(0..self.members), self.rng.usize(0..self.machines));
        match self.rng.u8(0..30) {
            0..=3 => self.for_a_while(at, Deed::Kill(member), Deed::Start(member)),
            4 => self.at(at, Deed::Kill(member)),
            5..=6 => self.for_a_while(at, Deed::Leave(member), Deed::Start(member)),
            7..=9 => self.for_a_while(at, Deed::Freeze(member), Deed::Thaw(member)),
            10..=11 => {
                let interval = interval(&mut self.rng);
                self.at(at, Deed::Interval(member, interval));
            }
            12 => {
                let health = [HealthStatus::Degraded, HealthStatus::Unhealthy][self.rng.usize(0..2)];
                self.for_a_while(at, Deed::Report(member, health), Deed::Report(member, HealthStatus::Healthy));
            }
            13 => self.at(at, Deed::Twin(member, machine)),
            14..=15 => self.for_a_while(at, Deed::CrashMachine(machine), Deed::BootMachine(machine)),
            16..=18 => {
                let way = [Way::Both, Way::ToRegistry, Way::FromRegistry][self.rng.usize(0..3)];
                self.for_a_while(at, Deed::Cut(machine, way), Deed::Mend(machine));
            }
            19 => {
                let first = self.rng.usize(0..2);
                for machine in (first..self.machines).step_by(2) {
                    self.for_a_while(at, Deed::Cut(machine, Way::Both), Deed::Mend(machine));
                }
            }
            20..=21 => self.for_a_while(at, Deed::Hold(machine), Deed::Release(machine)),
            22..=23 => {
                let (twice, late) = (self.rng.f64() * 0.5, self.rng.f64() * 0.2);
                self.for_a_while(at, Deed::Mischief(machine, twice, late), Deed::Mischief(machine, 0.0, 0.0));
            }
            24 => {
                let jump = self.jump();
                self.at(at, Deed::MachineWall(machine, jump));
            }
            25 => {
                let jump = self.jump();
                self.at(at, Deed::RegistryWall(jump));
            }
            26..=27 => self.for_a_while(at, Deed::StopRegistry, Deed::ContinueRegistry),
            28 => self.for_a_while(at, Deed::CrashRegistry, Deed::BootRegistry),
            _ => {
                let oddity = ODDITIES[self.rng.usize(0..ODDITIES.len())];
                self.at(at, Deed::Odd(oddity, member));
            }
        }
    }

    fn jump(&mut self) -> i64 {
        let hours = [1, 24, 36][self.rng.usize(0..3)] * HOUR_MS;
        let jump = if self.rng.bool() { self.rng.i64(0..60_000) } else { hours };
        if self.rng.bool() { jump } else { -jump }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_each_time_and_others_draw_others() {
        let plan = |seed| format!("{:?}", Plan::draw(seed));
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
    }

    #[test]
    fn all_that_can_go_wrong_does_within_a_few_seeds() {
        let drawn: std::collections::BTreeSet<String> = (0..100)
            .flat_map(|seed| Plan::draw(seed).deeds)
            .map(|(_, deed)| {
                let text = format!("{deed:?}");
                let end = if matches!(deed, Deed::Odd(..)) { text.find(',') } else { text.find('(') };
                text[..end.unwrap_or(text.len())].to_owned()
            })
            .collect();
        assert_eq!(drawn.len(), 21 + ODDITIES.len(), "{drawn:?}");
    }
}
