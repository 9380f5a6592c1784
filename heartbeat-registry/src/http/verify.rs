//! Probing a member on demand.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::routing::post;
use axum::{Extension, Json, Router};
use heartbeat_contract::{Kind, Problem, Verification, routes};

use super::access::Right;
use super::api::Shared;
use super::reads::{admit, known_id};
use super::respond::Refusal;
use crate::verify::Verifier;

/// The route of one kind.
pub(super) fn router(kind: &Kind, verifier: &Verifier) -> Router<Shared> {
    Router::new()
        .route(&routes::verify(kind, "{id}"), post(verify))
        .layer(Extension(kind.clone()))
        .layer(Extension(verifier.clone()))
}

/// `POST /v1/workers/{id}/verify` and its like.
async fn verify(
    State(shared): State<Shared>,
    Extension(kind): Extension<Kind>,
    Extension(verifier): Extension<Verifier>,
    id: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<Verification>, Refusal> {
    admit(&shared, request, Right::Operate).await?;
    let id = known_id(&kind, id)?;
    Ok(Json(verifier.verify(&kind, &id).await.map_err(Problem::from)?))
}
