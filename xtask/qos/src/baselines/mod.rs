//! Detectors of the literature and of the field, written from their formulas. Times are in intervals.

mod akka;
mod bertier;
mod cassandra;
mod chitchat;
mod nfd_e;
mod phi_normal;
mod two_window;
mod window;

pub(crate) use self::akka::Akka;
pub(crate) use self::bertier::Bertier;
pub(crate) use self::cassandra::Cassandra;
pub(crate) use self::chitchat::Chitchat;
pub(crate) use self::nfd_e::NfdE;
pub(crate) use self::phi_normal::PhiNormal;
pub(crate) use self::two_window::TwoWindow;

/// The window that comparisons since Hayashibara (SRDS 2004) use.
const WINDOW: usize = 1_000;
/// A float is eight bytes.
const FLOAT: usize = size_of::<f64>();
