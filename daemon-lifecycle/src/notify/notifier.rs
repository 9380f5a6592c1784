use std::{
    env,
    ffi::{OsStr, OsString},
    io,
    os::unix::{
        ffi::OsStrExt,
        net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

const SOCKET: &str = "NOTIFY_SOCKET";

/// The telling side of systemd's `sd_notify` protocol, for a program that was started by systemd as `Type=notify`, or in
/// its way.
///
/// # Examples
///
/// ```
/// use daemon_lifecycle::Notifier;
///
/// if let Some(notifier) = Notifier::from_env()? {
///     notifier.send(&["READY=1", "STATUS=all loaded"])?;
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Notifier {
    named: OsString,
    address: SocketAddr,
    socket: UnixDatagram,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// Tells whom `NOTIFY_SOCKET` names; `None` if there is nobody. `WATCHDOG_USEC` counts unless `WATCHDOG_PID` is
    /// another process.
    ///
    /// # Errors
    ///
    /// If a variable makes no sense, which it names, or no socket can be had.
    pub fn from_env() -> io::Result<Option<Self>> {
        let Some(socket) = env::var_os(SOCKET) else { return Ok(None) };
        let watchdog = watchdog(env::var_os("WATCHDOG_USEC"), env::var_os("WATCHDOG_PID"), std::process::id())?;
        let notifier = Self::new(socket)?;
        Ok(Some(Self { watchdog, ..notifier }))
    }

    /// Tells whoever listens there: at an absolute path, or, on Linux, at a name after an `@` that is no file.
    ///
    /// # Errors
    ///
    /// If it is neither, or too long, or no socket can be had.
    pub fn new(socket: impl AsRef<OsStr>) -> io::Result<Self> {
        let named = socket.as_ref().to_owned();
        let address = address(&named).map_err(|error| about(&named, &error))?;
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { named, address, socket, watchdog: None })
    }

    /// So much time may pass between two `WATCHDOG=1`.
    #[must_use]
    pub fn watchdog_every(self, every: Duration) -> Self {
        Self { watchdog: Some(every), ..self }
    }

    /// How much time may pass between two `WATCHDOG=1`, if any are expected. Say it twice as often.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells these lines of the form `KEY=VALUE` in one datagram. Never blocks.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the listener has too much to read already: nothing was told. Another if
    /// nobody listens, or a line is none.
    pub fn send(&self, lines: &[impl AsRef<str>]) -> io::Result<()> {
        let datagram = datagram(lines)?;
        self.sent(self.socket.send_to_addr(&datagram, &self.address))
    }

    /// As [`send`](Self::send), but waits so long, above zero, for room.
    ///
    /// # Errors
    ///
    /// As `send`.
    pub fn send_within(&self, lines: &[impl AsRef<str>], patience: Duration) -> io::Result<()> {
        let datagram = datagram(lines)?;
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(patience))?;
        self.sent(socket.send_to_addr(&datagram, &self.address))
    }

    fn sent(&self, sent: io::Result<usize>) -> io::Result<()> {
        sent.map(drop).map_err(|error| about(&self.named, &error))
    }
}

fn datagram(lines: &[impl AsRef<str>]) -> io::Result<Vec<u8>> {
    let lines: Vec<&str> = lines.iter().map(AsRef::as_ref).collect();
    match lines.iter().find(|line| line.contains('\n')) {
        Some(line) => Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{line:?} is more than a line"))),
        None => Ok(lines.join("\n").into_bytes()),
    }
}

fn address(socket: &OsStr) -> io::Result<SocketAddr> {
    match socket.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(socket),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name)
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "neither an absolute path nor an @name")),
    }
}

fn about(socket: &OsStr, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{SOCKET}={}: {error}", socket.display()))
}

fn watchdog(usec: Option<OsString>, pid: Option<OsString>, this: u32) -> io::Result<Option<Duration>> {
    let Some(usec) = usec else { return Ok(None) };
    if pid.is_some_and(|pid| pid.to_str() != Some(&this.to_string())) {
        return Ok(None);
    }
    let number = usec.to_str().and_then(|usec| usec.parse().ok());
    let number = number.ok_or_else(|| {
        let error = format!("WATCHDOG_USEC={} is no number of microseconds", usec.display());
        io::Error::new(io::ErrorKind::InvalidInput, error)
    })?;
    Ok(Some(Duration::from_micros(number)).filter(|every| !every.is_zero()))
}

#[cfg(test)]
mod tests {
    use super::{Duration, Notifier, OsString, io, watchdog};

    #[test]
    fn a_watchdog_is_ours_unless_it_is_another_process() {
        let asked = |usec: &str, pid: Option<&str>| watchdog(Some(usec.into()), pid.map(OsString::from), 7);
        let second = Some(Duration::from_secs(1));
        assert_eq!(asked("1000000", None).expect("a number"), second);
        assert_eq!(asked("1000000", Some("7")).expect("a number"), second);
        for other in ["8", "", "seven"] {
            assert_eq!(asked("1000000", Some(other)).expect("not ours"), None);
        }
        assert_eq!(asked("0", None).expect("off"), None);
        assert_eq!(watchdog(None, None, 7).expect("nothing"), None);
        let error = asked("1s", None).expect_err("no number");
        assert_eq!(error.to_string(), "WATCHDOG_USEC=1s is no number of microseconds");
    }

    #[test]
    fn what_is_no_address_is_named() {
        for socket in ["", "socket", "./socket", "vsock:2:1234", &format!("/{}", "x".repeat(200))] {
            let error = Notifier::new(socket).expect_err("no address");
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().starts_with(&format!("NOTIFY_SOCKET={socket}: ")), "{error}");
        }
    }
}
