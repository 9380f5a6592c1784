//! The registries over HTTP: a router to mount in an app of your own, and an accept loop with timeouts.
//!
//! ```
//! use heartbeat_registry::{Fleet, FleetConfig, http};
//!
//! let fleet = Fleet::start(FleetConfig::default())?;
//! let app: axum::Router = axum::Router::new().merge(http::router(&fleet));
//! # Ok::<(), heartbeat_registry::StartError>(())
//! ```

mod accept;
mod access;
mod api;
mod beats;
mod body;
mod canary;
mod errand;
mod events;
mod hosts;
mod operate;
mod pace;
mod protection;
mod reads;
mod respond;
mod serve;
mod sse;
#[cfg(feature = "verify")]
mod verify;

pub use api::{Api, router};
pub use canary::{Canary, CanaryHandle};
pub use hosts::{Host, Hosts, InvalidHost};
pub use respond::not_found;
pub use serve::{ServeConfig, serve};

pub use crate::tokens::{
    Holder, InvalidScope, InvalidToken, Members, Scope, Secret, Token, TokenFile, TokenFileError, Tokens,
};
