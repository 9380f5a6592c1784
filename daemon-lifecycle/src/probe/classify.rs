use std::{
    error::Error,
    io::{self, ErrorKind},
};

use super::failure::ProbeFailure;

/// What an error of the operating system says about the other side.
pub(super) fn by_io(error: &io::Error) -> ProbeFailure {
    match error.kind() {
        // A socket that is not there is nobody listening either.
        ErrorKind::ConnectionRefused | ErrorKind::NotFound => ProbeFailure::Refused,
        ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied => ProbeFailure::Unreachable,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => ProbeFailure::Reset,
        ErrorKind::TimedOut => ProbeFailure::ConnectTimeout,
        _ => ProbeFailure::Other,
    }
}

/// Of a connection that stands.
pub(super) fn by_hyper(error: &hyper::Error) -> ProbeFailure {
    if error.is_parse() {
        ProbeFailure::Protocol
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        ProbeFailure::Reset
    } else {
        match error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(by_io) {
            // The kernel's patience with a connection that stands.
            Some(ProbeFailure::ConnectTimeout) => ProbeFailure::Timeout,
            found => found.unwrap_or(ProbeFailure::Other),
        }
    }
}
