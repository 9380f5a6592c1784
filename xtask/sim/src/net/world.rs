//! Machines, members and the registry in one simulated network, and what is done to them.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use heartbeat_contract::{HealthStatus, Kind, routes};
use turmoil::Sim;

use super::machine::{Machine, Process};
use super::odd;
use super::plan::{Deed, Plan, Way};
use super::queen::Queen;
use super::time::Time;
use super::wire::{QUEEN, post};
use crate::check::{Checker, Fact, Rules};

/// One step of the simulation. Messages travel from step to step.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// How often members are counted and those overdue are looked at.
const INSPECTION: u32 = 20;
/// Where beats come from that no proper sender sends.
const STRANGER: &str = "stranger";
/// How many connections wait to be accepted while the registry is stopped, and how many segments to be read.
const QUEUE: usize = 1 << 16;
/// How many beats of the stranger wait at most.
const STRANGE: usize = 1_000;

/// A simulation as it stands.
pub(crate) struct World {
    pub(super) sim: Sim<'static>,
    pub(super) time: Time,
    pub(super) queen: Queen,
    registry_is_up: bool,
    pub(super) machines: Vec<Machine>,
    pub(super) processes: Vec<Process>,
    stranger: tokio::sync::mpsc::Sender<(String, Bytes)>,
    pub(super) plan: Plan,
    rng: fastrand::Rng,
    steps: u32,
}

impl World {
    pub(crate) fn new(seed: u64, tells: bool) -> Self {
        let plan = Plan::draw(seed);
        let time = Time::default();
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .epoch(SystemTime::UNIX_EPOCH)
            .tick_duration(TICK)
            .simulation_duration(Duration::MAX)
            .tcp_capacity(QUEUE)
            .min_message_latency(Duration::ZERO)
            .max_message_latency(plan.slowest_message)
            .enable_random_order()
            .build();
        let queen = Queen::new(plan.setup.clone(), Checker::new(rules(&plan)), &time, tells);
        let registry = queen.clone();
        sim.host(QUEEN, move || registry.clone().live());
        let mut machines = Vec::new();
        for place in 0..plan.machines {
            let machine = Machine::new(&format!("machine-{place}"), seed ^ (place as u64 + 1), &time);
            sim.host(machine.host.as_str(), machine.software());
            machines.push(machine);
        }
        let (stranger, mut strange) = tokio::sync::mpsc::channel::<(String, Bytes)>(STRANGE);
        sim.client(STRANGER, async move {
            while let Some((path, body)) = strange.recv().await {
                drop(tokio::time::timeout(Duration::from_secs(5), post(&path, body)).await);
            }
            Ok(())
        });
        let rng = fastrand::Rng::with_seed(seed.rotate_left(32));
        let (processes, registry_is_up) = (Vec::new(), true);
        Self { sim, time, queen, registry_is_up, machines, processes, stranger, plan, rng, steps: 0 }
    }

    /// Lets one tick pass.
    pub(crate) fn step(&mut self) -> turmoil::Result {
        self.sim.step()?;
        self.time.stands_at(self.sim.elapsed());
        self.queen.read_log();
        self.steps += 1;
        if self.steps.is_multiple_of(INSPECTION) {
            self.queen.inspect();
        }
        Ok(())
    }

    pub(crate) fn pass(&mut self, time: Duration) -> turmoil::Result {
        let until = self.time.now() + time;
        while self.time.now() < until {
            self.step()?;
        }
        Ok(())
    }

    pub(crate) fn apply(&mut self, deed: &Deed) {
        match *deed {
            Deed::Start(member) => self.start(member, self.plan.members[member].home),
            Deed::Twin(member, machine) => self.start_beside(member, machine),
            Deed::Kill(member) => self.each_process_of(member, Process::kill),
            Deed::Leave(member) => self.each_process_of(member, |process| process.helm.leave()),
            Deed::Freeze(member) => self.each_process_of(member, |process| process.gate.close()),
            Deed::Thaw(member) => self.each_process_of(member, |process| process.gate.open(|_| {})),
            Deed::Interval(member, interval) => {
                self.each_process_of(member, |process| process.helm.set_interval(interval));
            }
            Deed::Report(member, health) => self.each_process_of(member, |process| process.helm.report(health)),
            Deed::CrashMachine(machine) => self.crash(machine),
            Deed::BootMachine(machine) => self.boot(machine),
            Deed::Cut(machine, way) => self.cut(machine, way),
            Deed::Mend(machine) => self.sim.repair(self.address(machine), QUEEN),
            Deed::Hold(machine) => self.sim.hold(self.address(machine), QUEEN),
            Deed::Release(machine) => self.sim.release(self.address(machine), QUEEN),
            Deed::Mischief(machine, twice, late) => self.machines[machine].mischief.set(twice, late),
            Deed::MachineWall(machine, by) => self.machines[machine].wall.jump(by),
            Deed::RegistryWall(by) => self.queen.wall.jump(by),
            Deed::StopRegistry => self.stop_registry(),
            Deed::ContinueRegistry => self.continue_registry(),
            Deed::CrashRegistry => self.crash_registry(),
            Deed::BootRegistry => self.boot_registry(),
            Deed::Odd(oddity, member) => {
                let name = self.plan.members[member].name();
                let view = self.queen.view(&name);
                let kind = if self.plan.members[member].is_hive { Kind::HIVE } else { Kind::WORKER };
                for body in odd::beats(oddity, &self.plan.members[member], view.as_ref(), self.queen.wall.read()) {
                    drop(self.stranger.try_send((routes::beat(&kind), body)));
                }
            }
        }
    }

    /// Ends all that is still wrong, and starts every member that does not live.
    pub(crate) fn heal(&mut self) {
        self.continue_registry();
        self.boot_registry();
        self.queen.wall.set_right();
        for machine in 0..self.machines.len() {
            self.sim.release(self.address(machine), QUEEN);
            self.sim.repair(self.address(machine), QUEEN);
            self.boot(machine);
            self.machines[machine].mischief.set(0.0, 0.0);
            self.machines[machine].wall.set_right();
        }
        for process in &self.processes {
            process.gate.open(|_| {});
            if process.lives() {
                process.helm.report(HealthStatus::Healthy);
            }
        }
    }

    /// Starts those anew whose run began while their clock was more than a day ahead.
    pub(crate) fn restart_those_refused(&mut self) {
        for member in 0..self.plan.members.len() {
            let name = self.plan.members[member].name();
            if self.queen.has_refused(&name) {
                self.each_process_of(member, Process::kill);
                self.start(member, self.plan.members[member].home);
            }
        }
    }

    /// Asks every member whether it is what it should be in the end.
    pub(crate) fn settle(&self) {
        for member in &self.plan.members {
            let name = member.name();
            let lives = self.processes.iter().any(|process| process.name == name && process.lives());
            let state = self.queen.view(&name).map(|view| view.state);
            self.queen.tell(Fact::Settled { name, lives, state });
        }
    }

    pub(super) fn start(&mut self, member: usize, machine: usize) {
        let name = self.plan.members[member].name();
        let lives = self.processes.iter().any(|process| process.name == name && process.lives());
        if !lives {
            self.start_beside(member, machine);
        }
    }

    fn start_beside(&mut self, member: usize, machine: usize) {
        let machine = &self.machines[machine];
        if machine.is_up {
            self.processes.extend(machine.start(&self.plan.members[member]));
        }
    }

    fn each_process_of(&mut self, member: usize, mut act: impl FnMut(&mut Process)) {
        let name = self.plan.members[member].name();
        self.processes.iter_mut().filter(|process| process.name == name && process.lives()).for_each(&mut act);
    }

    fn crash(&mut self, machine: usize) {
        let Machine { host, is_up, .. } = &mut self.machines[machine];
        *is_up = false;
        self.sim.crash(host.as_str());
        let host = &self.machines[machine].host;
        self.processes.iter_mut().filter(|process| process.host == *host).for_each(Process::kill);
    }

    /// Those that live on it start with it.
    fn boot(&mut self, machine: usize) {
        let Machine { host, is_up, .. } = &mut self.machines[machine];
        if std::mem::replace(is_up, true) {
            return;
        }
        self.sim.bounce(host.as_str());
        for member in 0..self.plan.members.len() {
            if self.plan.members[member].home == machine {
                self.start(member, machine);
            }
        }
    }

    fn cut(&self, machine: usize, way: Way) {
        let address = self.address(machine);
        match way {
            Way::Both => self.sim.partition(address, QUEEN),
            Way::ToRegistry => self.sim.partition_oneway(address, QUEEN),
            Way::FromRegistry => self.sim.partition_oneway(QUEEN, address),
        }
    }

    fn address(&self, machine: usize) -> IpAddr {
        self.sim.lookup(self.machines[machine].host.as_str())
    }

    fn stop_registry(&mut self) {
        if self.registry_is_up && !self.queen.gate.is_closed() {
            self.queen.gate.close();
            self.queen.tell(Fact::Stopped);
        }
    }

    fn continue_registry(&mut self) {
        if self.queen.gate.is_closed() {
            self.queen.tell(Fact::Continued);
            let rng = &mut self.rng;
            self.queen.gate.open(|wakers| rng.shuffle(wakers));
        }
    }

    fn crash_registry(&mut self) {
        if std::mem::replace(&mut self.registry_is_up, false) {
            self.queen.has_died();
            self.sim.crash(QUEEN);
            self.queen.gate.open(|_| {});
        }
    }

    fn boot_registry(&mut self) {
        if !std::mem::replace(&mut self.registry_is_up, true) {
            self.sim.bounce(QUEEN);
        }
    }
}

fn rules(plan: &Plan) -> Rules {
    let of_own = |(id, policy): &(heartbeat_contract::MemberId, heartbeat_contract::Policy)| {
        (format!("{}/{id}", Kind::WORKER), policy.clone())
    };
    Rules {
        policy: plan.setup.config.policy.clone(),
        own_policies: plan.setup.announced.iter().map(of_own).collect(),
        max_members: plan.setup.config.max_members as u64,
        tick: TICK,
    }
}
