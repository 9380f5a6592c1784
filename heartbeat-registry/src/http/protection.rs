//! Where the guard against mass silence holds members, and an operator's word on it.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use heartbeat_contract::{Problem, ProblemType, ProtectionView, ProtectionsPage};

use super::access::Right;
use super::api::Shared;
use super::reads::admit;
use super::respond::Refusal;
use crate::core::Word;

/// `GET /v1/protection`.
pub(super) async fn protections(
    State(shared): State<Shared>,
    request: Request,
) -> Result<Json<ProtectionsPage>, Refusal> {
    admit(&shared, request, Right::Read).await?;
    Ok(Json(shared.fleet.protections()))
}

/// `POST /v1/protection/{zone}/confirm`.
pub(super) async fn confirm(
    state: State<Shared>,
    zone: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<ProtectionView>, Refusal> {
    end(state, zone, request, Word::Confirm).await
}

/// `POST /v1/protection/{zone}/release`.
pub(super) async fn release(
    state: State<Shared>,
    zone: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Json<ProtectionView>, Refusal> {
    end(state, zone, request, Word::Release).await
}

async fn end(
    State(shared): State<Shared>,
    zone: Result<Path<String>, PathRejection>,
    request: Request,
    word: Word,
) -> Result<Json<ProtectionView>, Refusal> {
    admit(&shared, request, Right::Operate).await?;
    let zone = zone.map_or_else(|_| String::new(), |Path(zone)| zone);
    let ended = shared.fleet.engine.end_protection(&zone, word);
    let none = || Problem::new(ProblemType::NotFound, format!("{zone} is not protected just now"));
    let (ended, told) = ended.ok_or_else(none)?;
    shared.fleet.durable(told).await;
    Ok(Json(ended))
}
