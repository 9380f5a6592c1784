use std::{
    error::Error,
    io::{self, ErrorKind},
};

use super::{error::ProbeFailure, target::Target};

/// Reads the kind of a failure off the error's chain of sources.
pub(crate) fn classify(target: &Target, error: &reqwest::Error) -> ProbeFailure {
    if error.is_dns() {
        return ProbeFailure::Dns;
    }
    let found = by_io(error).or_else(|| by_hyper(error));
    match found {
        _ if !error.is_connect() => found.unwrap_or(ProbeFailure::Other),
        Some(failure @ (ProbeFailure::Refused | ProbeFailure::Unreachable)) => failure,
        _ if error.is_timeout() => ProbeFailure::ConnectTimeout,
        // TCP stands by now; what else goes wrong before the request is the handshake.
        _ if target.is_https() => ProbeFailure::Tls,
        _ => found.unwrap_or(ProbeFailure::Other),
    }
}

fn by_io(error: &(dyn Error + 'static)) -> Option<ProbeFailure> {
    let io = chain(error).find_map(|cause| cause.downcast_ref::<io::Error>())?;
    match io.kind() {
        ErrorKind::ConnectionRefused => Some(ProbeFailure::Refused),
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied => Some(ProbeFailure::Unreachable),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(ProbeFailure::Reset),
        ErrorKind::TimedOut => Some(ProbeFailure::Timeout),
        _ => None,
    }
}

fn by_hyper(error: &(dyn Error + 'static)) -> Option<ProbeFailure> {
    let hyper = chain(error).find_map(|cause| cause.downcast_ref::<hyper::Error>())?;
    if hyper.is_parse() {
        Some(ProbeFailure::Protocol)
    } else if hyper.is_incomplete_message() || hyper.is_closed() || hyper.is_canceled() {
        Some(ProbeFailure::Reset)
    } else {
        None
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}
