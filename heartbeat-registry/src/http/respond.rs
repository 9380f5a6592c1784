//! Answers.

use axum::Json;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use heartbeat_contract::{Problem, ProblemType};

use super::body;
use crate::query::InvalidQuery;

/// A problem as an answer; some close the connection, since more of the body is on its way than anyone wants to read.
#[derive(Debug)]
pub(super) struct Refusal {
    problem: Box<Problem>,
    close: bool,
}

impl Refusal {
    pub(super) fn closing(problem: Problem) -> Self {
        Self { problem: Box::new(problem), close: true }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self { problem: Box::new(problem), close: false }
    }
}

impl From<InvalidQuery> for Refusal {
    fn from(error: InvalidQuery) -> Self {
        Problem::new(ProblemType::InvalidPayload, error.to_string()).into()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self.problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("10"));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.close {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// Reads what is left of a body, so that the connection stays usable, and refuses.
pub(super) async fn refuse(body: Body, problem: Problem) -> Refusal {
    match body::drain(body).await {
        Ok(()) => problem.into(),
        Err(body::TooMuch) => Refusal::closing(problem),
    }
}

/// Answers a path that leads nowhere with a problem: a fallback for apps that have none of their own.
pub async fn not_found(request: Request) -> Response {
    let detail = format!("there is nothing at {}", request.uri().path());
    refuse(request.into_body(), Problem::new(ProblemType::NotFound, detail)).await.into_response()
}

pub(super) async fn method_not_allowed(request: Request) -> Response {
    let detail = format!("{} does not take {}", request.uri().path(), request.method());
    refuse(request.into_body(), Problem::new(ProblemType::MethodNotAllowed, detail)).await.into_response()
}
