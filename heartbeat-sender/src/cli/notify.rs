//! Tells the wrapper something, from a shell program.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use super::args::NotifyArgs;
use super::{FAILED, Failed, OK};

const SOCKET: &str = "NOTIFY_SOCKET";

/// Without a wrapper there is nobody to tell, which is no failure: the same program runs with and without.
pub(super) fn notify(args: &NotifyArgs) -> Result<u8, Failed> {
    let Some(socket) = env::var_os(SOCKET) else { return Ok(OK) };
    let message = args.fields.join("\n");
    send(&socket, message.as_bytes()).map(|()| OK).map_err(|error| Failed {
        message: format!("cannot tell {SOCKET}={}: {error}", socket.display()),
        code: FAILED,
    })
}

fn send(socket: &OsStr, message: &[u8]) -> std::io::Result<()> {
    let address = address(socket)?;
    UnixDatagram::unbound()?.send_to_addr(message, &address)?;
    Ok(())
}

/// A path, or after an `@` a name that is no file, as systemd's may be.
fn address(socket: &OsStr) -> std::io::Result<SocketAddr> {
    match socket.as_bytes().strip_prefix(b"@") {
        #[cfg(target_os = "linux")]
        Some(name) => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => SocketAddr::from_pathname(socket),
    }
}
