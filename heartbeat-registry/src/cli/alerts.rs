//! Where `serve` sends alerts: as a file says, and to those that flags name.

mod file;

use std::path::PathBuf;

use clap::Args;

use super::{Failed, USAGE};
use crate::alerts::{InvalidSink, SinkConfig};

#[derive(Debug, Args)]
pub(super) struct AlertArgs {
    /// Send alerts as this TOML file says: a table `[[webhook]]` or `[[alertmanager]]` for each receiver, with `url`,
    /// which alerts (`states`, `kinds`, `zones`, `ids`) and how (`name`, `headers`, `bearer_token_file`, `timeout`,
    /// `retries`, `first_pause`, `cooldown`).
    #[arg(long, env = "HEARTBEAT_ALERTS", value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Send alerts of failed members to this URL, as JSON; may be given more than once. One that holds a secret belongs in
    /// a file: see --alerts.
    #[arg(long, env = "HEARTBEAT_WEBHOOK", value_name = "URL", value_delimiter = ',', hide_env_values = true)]
    webhook: Vec<String>,
    /// Send alerts of failed members to the Alertmanager at this URL; may be given more than once.
    #[arg(long, env = "HEARTBEAT_ALERTMANAGER", value_name = "URL", value_delimiter = ',', hide_env_values = true)]
    alertmanager: Vec<String>,
    /// How people reach this registry: told with each alert.
    #[arg(long, env = "HEARTBEAT_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
}

/// All receivers, checked.
pub(super) fn sinks(args: AlertArgs) -> Result<Vec<SinkConfig>, Failed> {
    let AlertArgs { alerts, webhook, alertmanager, public_url } = args;
    if public_url.is_some() {
        let told = SinkConfig { registry_url: public_url.clone(), ..SinkConfig::webhook("http://localhost") };
        told.validate().map_err(|invalid| refused(&"--public-url", &invalid))?;
    }
    let mut sinks = match alerts {
        Some(path) => file::sinks(&path)?,
        None => Vec::new(),
    };
    let webhooks = webhook.into_iter().map(|url| ("--webhook", SinkConfig::webhook(url)));
    let alertmanagers = alertmanager.into_iter().map(|url| ("--alertmanager", SinkConfig::alertmanager(url)));
    for (flag, sink) in webhooks.chain(alertmanagers) {
        sink.validate().map_err(|invalid| refused(&flag, &invalid))?;
        sinks.push(sink);
    }
    let told = |sink| SinkConfig { registry_url: public_url.clone(), ..sink };
    Ok(sinks.into_iter().map(told).collect())
}

fn refused(whence: &dyn std::fmt::Display, why: &InvalidSink) -> Failed {
    Failed { message: format!("{whence}: {why}"), code: USAGE }
}
