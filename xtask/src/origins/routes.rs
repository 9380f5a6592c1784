//! Whether a route is one: by asking the routers themselves.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use daemon_lifecycle::Health;
use heartbeat_contract::{HiveHeartbeat, WorkerHeartbeat};
use heartbeat_registry::http::Api;
use heartbeat_registry::verify::{Verifier, VerifyConfig};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock};
use jiff::Timestamp;
use tower::ServiceExt;

use crate::outcome::Outcome;

const PROBLEM: &str = "application/problem+json";

/// The routes of a registry and of the health endpoint, in this process.
pub(super) struct Routes {
    router: Router,
    runtime: tokio::runtime::Runtime,
}

impl Routes {
    pub(super) fn new() -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let fleet = Fleet::new(FleetConfig::default(), ManualClock::new(Timestamp::UNIX_EPOCH))?;
        let verifier = Verifier::new(&fleet, VerifyConfig::default())?;
        let api = Api::new(&fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().verify(&verifier);
        Ok(Self { router: api.router().merge(Health::new().router()), runtime })
    }

    /// What is wrong with a route, if anything. Parameters stand in braces, as in `/v1/workers/{id}`.
    pub(super) fn complaint(&self, method: &str, path: &str) -> Outcome<Option<&'static str>> {
        let path: Vec<&str> = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part }).collect();
        let request = Request::builder().method(method).uri(path.join("/")).body(Body::empty())?;
        let answer = self.runtime.block_on(self.router.clone().oneshot(request))?;
        // Whoever is not known is told of as a problem, too; a path that nobody serves is answered with nothing.
        let is_problem = answer.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM);
        Ok(match answer.status() {
            StatusCode::NOT_FOUND if !is_problem => Some("no such route"),
            StatusCode::METHOD_NOT_ALLOWED => Some("no such method of this route"),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_path_or_method_is_no_route() {
        let routes = Routes::new().unwrap();
        let complaint = |method, path| routes.complaint(method, path).unwrap();
        for (method, path) in [
            ("POST", "/v1/worker-heartbeat"),
            ("POST", "/v1/hive/heartbeat"),
            ("GET", "/v1/workers/{id}"),
            ("GET", "/v1/events"),
            ("GET", "/healthz"),
        ] {
            assert_eq!(complaint(method, path), None, "{method} {path}");
        }
        assert_eq!(complaint("POST", "/v1/worker-heartbeats"), Some("no such route"));
        assert_eq!(complaint("GET", "/v1/worker-heartbeat"), Some("no such method of this route"));
        assert_eq!(complaint("PSOT", "/v1/worker-heartbeat"), Some("no such method of this route"));
    }
}
