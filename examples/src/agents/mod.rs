//! Agents that take messages, beat to a registry of the same process and answer health probes, and a monitor that shuts
//! down those that fall silent.

mod agent;
mod monitor;

pub use agent::{Agent, AgentMessage};
pub use monitor::Monitor;
