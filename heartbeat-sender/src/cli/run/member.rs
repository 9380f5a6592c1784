//! The member that a command is told as.

use std::path::Path;

use heartbeat_contract::{Kind, MemberId, WorkerHeartbeat};

use super::told::Told;
use crate::cli::Failed;
use crate::cli::args::RunArgs;
use crate::cli::kind::OfKind;
use crate::relay::letter::Fields;
use crate::{HeartbeatHandle, HttpTransport, WorkerHeartbeatConfig, start_over};

/// The last of ids that are made up, so that they stay within the contract's limit.
const MAX_ID_BYTES: usize = 128;

/// Who beats, and how; each run is a new incarnation of it.
pub(super) struct Member {
    id: MemberId,
    config: WorkerHeartbeatConfig,
}

impl Member {
    /// # Errors
    /// Of the usage: what cannot work is said before the command is started.
    pub(super) fn of(args: &RunArgs) -> Result<Self, Failed> {
        let id = match &args.id {
            Some(id) => id.clone(),
            None => made_up(&host_name(), Path::new(&args.command[0]))?,
        };
        if args.kind == Kind::HIVE {
            return Err(Failed::usage("a hive is no command: `heartbeat-sender hive` beats for one"));
        }
        let told = Told::new(&args.metadata);
        if told.is_too_long() {
            return Err(Failed::usage("--metadata is longer than 1 KiB"));
        }
        let mut config = WorkerHeartbeatConfig::new(id.as_str(), "").initially(|worker| told.fill(worker));
        args.to.apply(&mut config);
        args.place.apply(&mut config);
        config.interval = args.interval;
        config.hive_id.clone_from(&args.hive);
        config.kind.clone_from(&args.kind);
        args.to.transport(&config)?;
        Ok(Self { id, config })
    }

    pub(super) fn id(&self) -> &MemberId {
        &self.id
    }

    /// Begins to beat for a run. `None` if that cannot be, which the command is not to suffer from.
    pub(super) fn begin(&self, told: &Told) -> Option<HeartbeatHandle<WorkerHeartbeat>> {
        let config = self.config.clone().initially(|worker| told.fill(worker));
        let transport = HttpTransport::for_config(&config);
        let transport = transport.map(|http| OfKind::over(http, &self.config.kind, &Fields::new()));
        match transport.and_then(|transport| start_over(config, transport)) {
            Ok(heartbeat) => {
                heartbeat.beat_now();
                Some(heartbeat)
            }
            Err(error) => {
                tracing::error!(%error, "running the command without heartbeats");
                None
            }
        }
    }
}

pub(in crate::cli) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn made_up(host: &str, program: &Path) -> Result<MemberId, Failed> {
    let program = program.file_name().unwrap_or_default().to_string_lossy();
    as_id(&format!("{host}-{program}"))
}

/// An id that looks like this text.
pub(in crate::cli) fn as_id(text: &str) -> Result<MemberId, Failed> {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._:@-".contains(c) { c } else { '-' };
    let id: String = text.chars().map(allowed).skip_while(|c| !c.is_ascii_alphanumeric()).take(MAX_ID_BYTES).collect();
    MemberId::new(id).map_err(|_| Failed::usage(format!("`{text}` makes no id: give one with --id")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_host_and_program() {
        let id = |host: &str, program: &str| made_up(host, Path::new(program)).map(|id| id.to_string());
        assert_eq!(id("gpu7", "/usr/bin/python3").unwrap(), "gpu7-python3");
        assert_eq!(id("_gpu 7", "./my worker.sh").unwrap(), "gpu-7-my-worker.sh");
        assert_eq!(id(&"x".repeat(200), "sh").unwrap().len(), 128);
        assert!(id("", "").is_err());
    }
}
