//! The obvious registry: axum, serde_json, a concurrent map of who was last seen when, and a look at everyone each
//! second. No order of beats, no history, no limits but those of its types, nobody told of anything.

mod beat;
mod members;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use heartbeat_contract::{Kind, routes};
use serde::{Deserialize, Serialize};

pub(crate) use self::beat::Beat;
pub(crate) use self::members::{Members, Stats};

/// The routes that the bench calls.
pub(crate) fn app(members: &Arc<Members>) -> Router {
    Router::new()
        .route(&routes::beat(&Kind::WORKER), post(beat))
        .route(routes::BATCH, post(batch))
        .route(routes::STATS, get(stats))
        .with_state(Arc::clone(members))
}

#[derive(Serialize)]
struct Ack {
    acknowledged: bool,
}

#[derive(Deserialize)]
struct Batch {
    workers: Vec<Beat>,
}

#[derive(Serialize)]
struct BatchAnswer {
    accepted: usize,
}

async fn beat(State(members): State<Arc<Members>>, Json(beat): Json<Beat>) -> Json<Ack> {
    members.record(beat);
    Json(Ack { acknowledged: true })
}

async fn batch(State(members): State<Arc<Members>>, Json(batch): Json<Batch>) -> Json<BatchAnswer> {
    let accepted = batch.workers.len();
    for beat in batch.workers {
        members.record(beat);
    }
    Json(BatchAnswer { accepted })
}

async fn stats(State(members): State<Arc<Members>>) -> Json<Stats> {
    Json(members.stats())
}
