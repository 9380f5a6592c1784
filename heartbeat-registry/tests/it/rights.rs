//! Which right each route asks for.

use axum::body::Body;
use axum::http::Request;
use heartbeat_registry::contract::{HiveHeartbeat, WorkerHeartbeat};
use heartbeat_registry::http::{Api, Secret, Tokens};
use heartbeat_registry::verify::{Verifier, VerifyConfig};
use heartbeat_registry::{Fleet, FleetConfig, ManualClock};
use tower::ServiceExt;

use crate::tokens::token;
use crate::world::dawn;

const SCOPES: [&str; 3] = ["beat:*:", "read", "operate"];
const BEAT: &[&str] = &["beat:*:"];
const READ: &[&str] = &["read", "operate"];
const OPERATE: &[&str] = &["operate"];

type Route = (&'static str, String, &'static [&'static str]);

/// Every route there is, with the scopes that allow it.
fn routes() -> Vec<Route> {
    let shared = [
        ("POST", "/v1/heartbeats", BEAT),
        ("GET", "/v1/stats", READ),
        ("GET", "/v1/events", READ),
        ("GET", "/v1/protection", READ),
        ("POST", "/v1/protection/_all/confirm", OPERATE),
        ("POST", "/v1/protection/rack-12/release", OPERATE),
    ];
    let of_a_kind = [
        ("POST", "/v1/KIND-heartbeat", BEAT),
        ("POST", "/v1/KIND/heartbeat", BEAT),
        ("GET", "/v1/KINDs", READ),
        ("GET", "/v1/KINDs/m", READ),
        ("GET", "/v1/KINDs/m/history", READ),
        ("GET", "/v1/KINDs/m/explain", READ),
        ("PUT", "/v1/KINDs/m/policy", OPERATE),
        ("POST", "/v1/KINDs/m/directives", OPERATE),
        ("DELETE", "/v1/KINDs/m/directives", OPERATE),
        ("POST", "/v1/KINDs/m/verify", OPERATE),
        ("DELETE", "/v1/KINDs/m", OPERATE),
    ];
    let of_kinds = ["worker", "hive"]
        .iter()
        .flat_map(|kind| of_a_kind.map(|(method, path, allowed)| (method, path.replace("KIND", kind), allowed)));
    shared.map(|(method, path, allowed)| (method, path.to_owned(), allowed)).into_iter().chain(of_kinds).collect()
}

/// An app that knows one token of each scope, and one of all scopes but this one; and those tokens.
struct Guarded {
    app: axum::Router,
    fleet: Fleet,
    /// By scope: a token for it alone, and one for all others.
    tokens: Vec<(&'static str, Secret, Secret)>,
}

fn guarded() -> Guarded {
    let (mut known, mut tokens) = (Vec::new(), Vec::new());
    for (n, scope) in SCOPES.into_iter().enumerate() {
        let others = SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>().join(" ");
        let (only, own) = token(&format!("only-{n}"), scope);
        let (all_but, rest) = token(&format!("all-but-{n}"), &others);
        known.extend([only, all_but]);
        tokens.push((scope, own, rest));
    }
    let fleet = Fleet::new(FleetConfig::default(), ManualClock::new(dawn())).unwrap();
    let verifier = Verifier::new(&fleet, VerifyConfig::default()).unwrap();
    let api = Api::new(&fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().verify(&verifier);
    let app = api.tokens(Tokens::fixed(known).unwrap()).router();
    Guarded { app, fleet, tokens }
}

impl Guarded {
    async fn status(&self, (method, path, _): &Route, token: Option<&Secret>) -> u16 {
        let mut request = Request::builder().method(*method).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {}", token.expose()));
        }
        let body = r#"{"worker_id": "m", "hive_id": "m", "directive": "drain"}"#;
        let body = if path.ends_with("/policy") { "{}" } else { body };
        self.app.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status().as_u16()
    }

    fn is_untouched(&self) -> bool {
        self.fleet.stats().members.total == 0 && self.fleet.events(None, 10).events.is_empty()
    }
}

#[tokio::test]
async fn every_route_is_for_those_who_hold_its_right_and_nobody_else() {
    let guarded = guarded();
    let unknown = Secret::generate().unwrap();
    for route in routes() {
        let (method, path, allowed) = &route;
        for credentials in [None, Some(&unknown)] {
            assert_eq!(guarded.status(&route, credentials).await, 401, "{method} {path}");
        }
        for (scope, own, _) in guarded.tokens.iter().filter(|(scope, ..)| !allowed.contains(scope)) {
            assert_eq!(guarded.status(&route, Some(own)).await, 403, "{method} {path} under {scope}");
        }
        if let [only] = allowed {
            let (_, _, rest) = guarded.tokens.iter().find(|(scope, ..)| scope == only).unwrap();
            assert_eq!(guarded.status(&route, Some(rest)).await, 403, "{method} {path} under all but {only}");
        }
    }
    assert!(guarded.is_untouched());
    for route in routes() {
        let (method, path, allowed) = &route;
        for (scope, own, _) in guarded.tokens.iter().filter(|(scope, ..)| allowed.contains(scope)) {
            let status = guarded.status(&route, Some(own)).await;
            // No member has an endpoint, and what is not there cannot be withdrawn or forgotten.
            let done = matches!(status, 200 | 204 | 404 | 422);
            assert!(done, "{method} {path} under {scope} is answered {status}");
        }
    }
    assert!(!guarded.is_untouched());
}
