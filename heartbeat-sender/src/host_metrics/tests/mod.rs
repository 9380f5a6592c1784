//! What beats tell of hosts with devices, without, and with drivers that fail.

#[cfg(unix)]
mod amd;
#[cfg(all(feature = "nvidia", target_os = "linux"))]
mod beats;
mod fill;
mod folder;
#[cfg(all(feature = "nvidia", target_os = "linux"))]
mod nvidia;
#[cfg(all(feature = "nvidia", target_os = "linux"))]
mod stand_in;
