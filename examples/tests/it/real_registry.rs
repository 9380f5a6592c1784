//! A registry on a port of its own.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use heartbeat_contract::{
    EventBody, EventsPage, HealthState, HiveHeartbeat, Kind, MemberId, MemberView, Payload, WorkerHeartbeat,
};
use heartbeat_registry::client::Client;
use heartbeat_registry::http::{self, Api, Secret, ServeConfig, Tokens};
use heartbeat_registry::{Fleet, FleetConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::waiting::until;

pub(crate) struct RealRegistry {
    pub(crate) url: String,
    pub(crate) client: Client,
    address: SocketAddr,
    fleet: Fleet,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl RealRegistry {
    /// On any free port.
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_on(address: SocketAddr) -> Self {
        let fleet = Fleet::start(FleetConfig::default()).unwrap();
        let app = http::router(&fleet);
        Self::serve(address, fleet, app).await
    }

    /// On any free port, for hives and members of this kind.
    pub(crate) async fn start_for<P: Payload>() -> Self {
        let fleet = Fleet::start(FleetConfig::default()).unwrap();
        let app = Api::new(&fleet).kind::<HiveHeartbeat>().kind::<P>().router();
        Self::serve("127.0.0.1:0".parse().unwrap(), fleet, app).await
    }

    /// On any free port, for those with tokens. The client is the operator's.
    pub(crate) async fn start_guarded(tokens: Tokens, operator: &Secret) -> Self {
        let fleet = Fleet::start(FleetConfig::default()).unwrap();
        let app = Api::new(&fleet).kind::<WorkerHeartbeat>().kind::<HiveHeartbeat>().tokens(tokens).router();
        let mut registry = Self::serve("127.0.0.1:0".parse().unwrap(), fleet, app).await;
        registry.client = registry.client.with_bearer_token(operator.expose()).unwrap();
        registry
    }

    /// On any free port, with each request told.
    pub(crate) async fn start_watched(told: impl Fn(&str) + Clone + Send + Sync + 'static) -> Self {
        let fleet = Fleet::start(FleetConfig::default()).unwrap();
        let tell = middleware::from_fn(move |request: Request, next: Next| {
            told(request.uri().path());
            next.run(request)
        });
        let app = http::router(&fleet).layer(tell);
        Self::serve("127.0.0.1:0".parse().unwrap(), fleet, app).await
    }

    async fn serve(address: SocketAddr, fleet: Fleet, app: Router) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(http::serve(listener, app, ServeConfig::default(), async {
            stopped.await.ok();
        }));
        let url = format!("http://{address}");
        let client = Client::new(&url).unwrap();
        Self { url, client, address, fleet, stop, serving }
    }

    /// Stops, and returns where it was.
    pub(crate) async fn stop(self) -> SocketAddr {
        drop(self.stop);
        self.serving.await.unwrap();
        self.fleet.shutdown().await;
        self.address
    }

    /// Waits until a worker is seen as it should be.
    pub(crate) async fn until_worker(&self, id: &str, what: &str, is_so: impl Fn(&MemberView) -> bool) -> MemberView {
        let id = MemberId::new(id).unwrap();
        until(what, async || self.client.member(&Kind::WORKER, &id).await.ok().filter(&is_so)).await
    }

    pub(crate) async fn until_healthy(&self, id: &str) -> MemberView {
        self.until_worker(id, "a healthy worker", |view| view.state == HealthState::Healthy).await
    }

    /// Waits until an event is told, and returns all told by then.
    pub(crate) async fn until_event(&self, what: &str, is_it: impl Fn(&EventBody) -> bool) -> EventsPage {
        let told = async || {
            let page = self.client.events(None, 1_000).await.unwrap();
            page.events.iter().any(|event| is_it(&event.body)).then_some(page)
        };
        until(what, told).await
    }
}
