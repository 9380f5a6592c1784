//! Both sides of systemd's `sd_notify` protocol.

mod notification;
mod notifier;
mod place;
mod watchdog;

use std::{io, os::fd::AsFd, os::unix::net, path::Path};

use tokio::net::UnixDatagram;

use self::place::Place;
pub use self::{notification::Notification, notifier::Notifier, watchdog::Watchdog};

/// Longest datagram that is read; longer ones are ignored whole, since their last line may be half a line.
const MAX_DATAGRAM: usize = 64 * 1024;

/// A socket to which a child tells that it is ready, as it would tell systemd: `NOTIFY_SOCKET` in its environment says
/// [where](Self::path).
///
/// It lies in a directory of its own that only this user can enter, below `XDG_RUNTIME_DIR` or, where that cannot be
/// used, the directory for temporary files. Both go when the socket is dropped; a process that is killed leaves them
/// behind, and the first socket of a later one of this user takes them away.
///
/// Whoever of this user knows the path is heard: unlike systemd, the socket does not look at who sends.
///
/// # Examples
///
/// ```
/// use daemon_lifecycle::NotifySocket;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let socket = NotifySocket::bind()?;
/// let child = std::os::unix::net::UnixDatagram::unbound()?;
/// child.send_to(b"READY=1\nSTATUS=63 % loaded\n", socket.path())?;
///
/// let told = socket.recv().await?;
/// assert!(told.ready());
/// assert_eq!(told.status(), Some("63 % loaded"));
/// # Ok::<(), std::io::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    place: Place,
}

impl NotifySocket {
    /// Binds a new socket at a path of its own.
    ///
    /// # Errors
    ///
    /// If no directory can be made for it, or only one whose path is too long for a socket.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with I/O enabled.
    pub fn bind() -> io::Result<Self> {
        let place = Place::new()?;
        let socket = UnixDatagram::bind(place.socket())?;
        Ok(Self { socket, place })
    }

    /// What `NOTIFY_SOCKET` shall say.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.socket()
    }

    /// Waits, without bound, for the next datagram. Those of more than 64 KiB are skipped.
    ///
    /// File descriptors sent along are closed at once. `systemd-notify` and `sd_notify_barrier` wait for just that to
    /// know that they have been heard (`BARRIER=1`), so read on for as long as the child lives.
    ///
    /// # Errors
    ///
    /// If the socket cannot be read.
    ///
    /// # Cancel safety
    ///
    /// Safe: what has not been returned is returned by the next call.
    pub async fn recv(&self) -> io::Result<Notification> {
        loop {
            self.socket.readable().await?;
            let mut datagram = buffer();
            if let Some(told) = heard(self.socket.try_recv(&mut datagram), &datagram)? {
                return Ok(told);
            }
        }
    }

    /// The next datagram that is there already, without waiting; `None` if none is. Once a child is known to have ended,
    /// all that it sent is there.
    ///
    /// # Errors
    ///
    /// If the socket cannot be read.
    pub fn try_recv(&self) -> io::Result<Option<Notification>> {
        // Not tokio's own, which finds nothing before the runtime has looked whether something is there.
        let socket = net::UnixDatagram::from(self.socket.as_fd().try_clone_to_owned()?);
        let mut datagram = buffer();
        loop {
            match socket.recv(&mut datagram) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                length => {
                    if let Some(told) = heard(length, &datagram)? {
                        return Ok(Some(told));
                    }
                }
            }
        }
    }
}

/// Read without room for control messages, which is how the kernel is told to close what came with a datagram.
fn buffer() -> Vec<u8> {
    vec![0; MAX_DATAGRAM + 1]
}

/// What a datagram tells, unless it is too long or there is none.
fn heard(length: io::Result<usize>, datagram: &[u8]) -> io::Result<Option<Notification>> {
    match length {
        Ok(length @ ..=MAX_DATAGRAM) => Ok(Some(Notification::parse(&datagram[..length]))),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
