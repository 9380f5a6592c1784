//! A kind of the consumer's own.

use heartbeat_registry::contract::{BatchAnswer, BeatInfo, Kind, MemberId, MemberView, MembersPage, Payload};
use heartbeat_registry::http::{Api, ServeConfig, serve};
use heartbeat_registry::{Fleet, FleetConfig, Registry};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Connection;
use crate::world::id;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct AgentHeartbeat {
    agent_id: MemberId,
    #[serde(default)]
    beat: Option<BeatInfo>,
    #[serde(default)]
    task: Option<String>,
}

impl Payload for AgentHeartbeat {
    const KIND: Kind = Kind::from_static("agent");
    const ID_FIELD: &'static str = "agent_id";

    fn id(&self) -> &MemberId {
        &self.agent_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }
}

#[tokio::test]
async fn a_kind_of_ones_own_has_the_same_routes_from_one_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let app = Api::new(&fleet).kind::<AgentHeartbeat>().router();
    tokio::spawn(serve(listener, app, ServeConfig::default(), std::future::pending()));
    let mut connection = Connection { stream: TcpStream::connect(address).await.unwrap() };
    let beat = br#"{"agent_id": "a-1", "task": "dig"}"#;
    for path in ["/v1/agent-heartbeat", "/v1/agent/heartbeat"] {
        assert_eq!(connection.post(path, beat).await.status, 200);
    }
    let batch = connection.post("/v1/heartbeats", br#"{"agents": [{"agent_id": "a-2"}]}"#).await;
    assert_eq!(batch.json::<BatchAnswer>().accepted, 1);
    let agents: MembersPage = connection.get("/v1/agents").await.json();
    assert_eq!(agents.total, Some(2));
    let agent: MemberView = connection.get("/v1/agents/a-1").await.json();
    assert_eq!(agent.payload.unwrap()["task"], "dig");
    assert_eq!(connection.send("DELETE", "/v1/agents/a-1", "", b"").await.status, 204);
    let registry = Registry::<AgentHeartbeat>::new(&fleet);
    assert_eq!(registry.online(), [id("a-2")]);
}
