//! Tells the wrapper something, from a shell program.

use std::env;
use std::time::Duration;

use daemon_lifecycle::Notifier;

use super::args::NotifyArgs;
use super::{FAILED, Failed, OK};

/// How long a wrapper that reads nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Without a wrapper there is nobody to tell, which is no failure: the same program runs with and without.
pub(super) fn notify(args: &NotifyArgs) -> Result<u8, Failed> {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return Ok(OK) };
    let lines: Vec<&str> = args.fields.iter().flat_map(|field| field.split('\n')).collect();
    let told = Notifier::new(socket).and_then(|notifier| notifier.send_within(&lines, PATIENCE));
    told.map(|()| OK).map_err(|error| Failed { message: format!("cannot tell {error}"), code: FAILED })
}
