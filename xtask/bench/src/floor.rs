//! The floor: what taking a request costs before anything is done with it.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use heartbeat_contract::{Kind, routes};

/// Reads the body and answers 204.
pub(crate) fn app() -> Router {
    Router::new().route(&routes::beat(&Kind::WORKER), post(take)).route(routes::BATCH, post(take))
}

async fn take(_body: Bytes) -> StatusCode {
    StatusCode::NO_CONTENT
}
