//! The routes of a fleet.

use std::net::SocketAddr;
use std::ops::Bound;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::routing::{get, post, put};
use heartbeat_contract::{
    AskedDirective, Directive, Explanation, HistoryPage, HiveHeartbeat, Kind, MemberId, MemberView, MembersPage,
    Payload, Policy, Problem, ResolvedPolicy, WorkerHeartbeat, decode, routes,
};
use jiff::Timestamp;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::access::{Access, Principal};
#[cfg(feature = "verify")]
use super::verify;
use super::{beats, events, operate, protection, reads, respond};
use crate::core::Origin;
use crate::fleet::Fleet;
use crate::query::{InvalidQuery, MembersQuery};
use crate::registry::{Recorded, Registry};
use crate::tokens::Tokens;
#[cfg(feature = "verify")]
use crate::verify::Verifier;

/// The routes of a fleet's workers and hives: beats one by one and in batches, lists, views, histories, explanations,
/// policies, directives, statistics, events, and the guard against mass silence.
///
/// Beats carry the address they come from if the app is served by [`serve`](super::serve), or with axum's
/// `into_make_service_with_connect_info::<SocketAddr>()`. Else the hosts of members that tell no hive are `unknown`.
///
/// `/v1/events` is a page of the log, or a stream to those who ask for `text/event-stream`. A stream ends after about an
/// hour, so that who never reads cannot hold its place for ever; who resumes it, as browsers and `client::Client::follow`
/// do, has missed nothing. Under [`serve`](super::serve) streams end as it stops. A server of yours that waits for its
/// requests to end should call [`Fleet::shutdown`] once it begins to stop, which ends them too.
#[doc(alias = "handle_worker_heartbeat")]
#[doc(alias = "handle_hive_heartbeat")]
pub fn router<S: Clone + Send + Sync + 'static>(fleet: &Fleet) -> Router<S> {
    Api::new(fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().router()
}

/// The routes of a fleet, kind by kind.
#[must_use]
pub struct Api {
    shared: Shared,
    #[cfg(feature = "verify")]
    verifier: Option<Verifier>,
}

/// What all handlers need.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) fleet: Fleet,
    pub(super) kinds: Vec<Arc<dyn KindApi>>,
    pub(super) access: Access,
    /// Room for streams of events.
    pub(super) streams: Arc<Semaphore>,
}

impl Api {
    /// How many streams of events may be open at once unless told otherwise.
    pub const DEFAULT_MAX_STREAMS: usize = 1_000;

    /// No kind yet.
    pub fn new(fleet: &Fleet) -> Self {
        let streams = events::room(Self::DEFAULT_MAX_STREAMS);
        Self {
            shared: Shared { fleet: fleet.clone(), kinds: Vec::new(), access: Access::default(), streams },
            #[cfg(feature = "verify")]
            verifier: None,
        }
    }

    /// How many streams of events may be open at once; one more is answered 429. Each takes a connection.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.shared.streams = events::room(streams);
        self
    }

    /// Adds all routes of a kind: a worker's are `/v1/worker-heartbeat`, `/v1/worker/heartbeat`, `/v1/workers`,
    /// `/v1/workers/{id}` and what lies below; the batch route takes its members as `workers`.
    ///
    /// # Panics
    /// If the fleet knows the kind with payloads of another type, or 255 kinds already. [`router`](Self::router) panics if
    /// a kind was added twice.
    pub fn kind<P: Payload>(mut self) -> Self {
        self.shared.kinds.push(Arc::new(Registry::<P>::new(&self.shared.fleet)));
        self
    }

    /// Adds `POST /v1/workers/{id}/verify` and its like of all kinds: one probe of a member's endpoint, by a verifier of
    /// the same fleet. Without, there is no such route.
    ///
    /// Endpoints may be where the beats of their member come from, so an app that verifies should tell where that is, as
    /// [`router`] says; else they may only be in the networks that the verifier allows.
    #[cfg(feature = "verify")]
    pub fn verify(mut self, verifier: &Verifier) -> Self {
        self.verifier = Some(verifier.clone());
        self
    }

    /// Asks for bearer tokens: without one that is known, every route answers 401, and 403 where its scopes do not allow
    /// what is asked for. Only that a route does not take a method, 405, is told to anyone. Otherwise everyone may do
    /// everything.
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        self.shared.access = Access::Tokens(tokens);
        self
    }

    /// The router. It has no fallback, so that it can be merged into an app: see [`not_found`](super::not_found).
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        let shared = self.shared;
        let mut router = Router::new()
            .route(routes::BATCH, post(beats::batch))
            .route(routes::STATS, get(reads::stats))
            .route(routes::EVENTS, get(events::events))
            .route(routes::PROTECTION, get(protection::protections))
            .route(&routes::confirm_protection("{zone}"), post(protection::confirm))
            .route(&routes::release_protection("{zone}"), post(protection::release));
        for kind in &shared.kinds {
            router = router.merge(kind_router(Arc::clone(kind)));
            #[cfg(feature = "verify")]
            if let Some(verifier) = &self.verifier {
                router = router.merge(verify::router(&kind.kind(), verifier));
            }
        }
        router.method_not_allowed_fallback(respond::method_not_allowed).with_state(shared)
    }
}

fn kind_router(kind: Arc<dyn KindApi>) -> Router<Shared> {
    let name = kind.kind();
    Router::new()
        .route(&routes::beat(&name), post(beats::beat))
        .route(&routes::beat_alias(&name), post(beats::beat))
        .route(&routes::members(&name), get(reads::list))
        .route(&routes::member(&name, "{id}"), get(reads::view).delete(operate::forget))
        .route(&routes::history(&name, "{id}"), get(reads::history))
        .route(&routes::explain(&name, "{id}"), get(reads::explain))
        .route(&routes::policy(&name, "{id}"), put(operate::set_policy))
        .route(&routes::directives(&name, "{id}"), post(operate::ask).delete(operate::withdraw))
        .layer(axum::Extension(kind))
}

/// From when to when.
pub(super) type Range = (Bound<Timestamp>, Bound<Timestamp>);

/// A registry whose payload type is not known.
pub(super) trait KindApi: Send + Sync {
    fn kind(&self) -> Kind;
    fn take(&self, json: &[u8], from: Origin, who: &Principal) -> Result<(MemberId, Recorded), Problem>;
    fn page(&self, query: &MembersQuery) -> Result<MembersPage, InvalidQuery>;
    fn view(&self, id: &MemberId) -> Option<MemberView>;
    fn history(&self, id: &MemberId, range: Range) -> Result<HistoryPage, Problem>;
    fn explain(&self, id: &MemberId) -> Result<Explanation, Problem>;
    /// What comes with these is the number of the event that tells it.
    fn set_policy(&self, id: &MemberId, policy: Policy) -> Result<(ResolvedPolicy, u64), Problem>;
    fn ask(&self, id: &MemberId, directive: Directive) -> Result<(AskedDirective, u64), Problem>;
    fn withdraw(&self, id: &MemberId, directive: Directive) -> Result<Option<u64>, Problem>;
    fn forget(&self, id: &MemberId) -> Option<u64>;
    /// What a refused beat gave as its id.
    fn id_of(&self, json: &RawValue) -> Option<String>;
}

impl<P: Payload> KindApi for Registry<P> {
    fn kind(&self) -> Kind {
        P::KIND
    }

    fn take(&self, json: &[u8], from: Origin, who: &Principal) -> Result<(MemberId, Recorded), Problem> {
        let payload: P = decode(json).inspect_err(|_| self.fleet().engine.count_refused())?;
        let id = payload.id().clone();
        if !who.may_beat(&P::KIND, &id) {
            return Err(Principal::forbidden(&P::KIND, &id));
        }
        let recorded = self.record_from(payload, from)?;
        Ok((id, recorded))
    }

    fn page(&self, query: &MembersQuery) -> Result<MembersPage, InvalidQuery> {
        Self::page(self, query)
    }

    fn view(&self, id: &MemberId) -> Option<MemberView> {
        Self::view(self, id).ok()
    }

    fn history(&self, id: &MemberId, range: Range) -> Result<HistoryPage, Problem> {
        Ok(self.history_between(id, range)?)
    }

    fn explain(&self, id: &MemberId) -> Result<Explanation, Problem> {
        Ok(Self::explain(self, id)?)
    }

    fn set_policy(&self, id: &MemberId, policy: Policy) -> Result<(ResolvedPolicy, u64), Problem> {
        Ok(self.announce(id, policy)?)
    }

    fn ask(&self, id: &MemberId, directive: Directive) -> Result<(AskedDirective, u64), Problem> {
        Ok(self.ask_and_tell(id, directive)?)
    }

    fn withdraw(&self, id: &MemberId, directive: Directive) -> Result<Option<u64>, Problem> {
        Ok(self.withdraw_and_tell(id, directive)?)
    }

    fn forget(&self, id: &MemberId) -> Option<u64> {
        Self::forget(self, id)
    }

    fn id_of(&self, json: &RawValue) -> Option<String> {
        let fields: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(json.get()).ok()?;
        let id: String = serde_json::from_str(fields.get(P::ID_FIELD)?.get()).ok()?;
        Some(
            id.chars()
                .scan(0, |bytes, c| {
                    *bytes += c.len_utf8();
                    (*bytes <= 256).then_some(c)
                })
                .collect(),
        )
    }
}

/// Where a request comes from: the address of its connection, in its plainest form, with IPv4 in an IPv6 wrapping
/// unwrapped. No forwarding header is believed.
pub(super) fn origin(head: &Parts) -> Origin {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(Origin::Unknown, |peer| Origin::Peer(peer.0.ip().to_canonical()))
}
