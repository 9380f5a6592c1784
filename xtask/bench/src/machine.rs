//! What it was measured on.

use std::fs;
use std::process::Command;
use std::thread;

use crate::outcome::Outcome;

/// Processor, kernel, compiler and load, line by line.
pub(crate) fn description() -> Outcome<String> {
    let cpu = read("/proc/cpuinfo")?;
    let cpu = cpu_model(&cpu).unwrap_or("unknown processor");
    let cores = thread::available_parallelism()?;
    let kernel = read("/proc/sys/kernel/osrelease")?;
    let rustc = Command::new("rustc").arg("--version").output().map_err(|error| format!("rustc: {error}"))?;
    let rustc = String::from_utf8(rustc.stdout)?;
    let profile = if cfg!(debug_assertions) { "dev: the figures say little" } else { "release" };
    let (kernel, rustc, load) = (kernel.trim(), rustc.trim(), load()?);
    Ok(format!(
        "machine   {cpu}, {cores} cores, Linux {kernel}\nbuilt by  {rustc}, profile {profile}\nload      {load}"
    ))
}

/// How many programs wanted a processor, over the last minute, 5 and 15 minutes.
pub(crate) fn load() -> Outcome<String> {
    let load = read("/proc/loadavg")?;
    Ok(load.split(' ').take(3).collect::<Vec<_>>().join(" "))
}

fn cpu_model(cpuinfo: &str) -> Option<&str> {
    let model = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    model.split_once(": ").map(|(_, model)| model)
}

fn read(path: &str) -> Outcome<String> {
    Ok(fs::read_to_string(path).map_err(|error| format!("{path}: {error} (the bench runs on Linux alone)"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_that_of_the_first_processor() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: AMD EPYC: 7\nmodel name\t: x\n"), Some("AMD EPYC: 7"));
        assert_eq!(cpu_model("processor\t: 0\n"), None);
    }
}
