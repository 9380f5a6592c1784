//! The typed client against a real server.

use heartbeat_registry::client::Client;
use heartbeat_registry::contract::{EventId, HealthState, HealthStatus, Kind};
use heartbeat_registry::http::{ServeConfig, not_found, router, serve};
use heartbeat_registry::{Fleet, FleetConfig, MembersQuery, WorkerRegistry};
use tokio::net::TcpListener;

use crate::world::{feeling, id, plain};

async fn served(fleet: &Fleet) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let app = router(fleet).fallback(not_found);
    tokio::spawn(serve(listener, app, ServeConfig::default(), std::future::pending()));
    Client::new(&url).unwrap()
}

#[tokio::test]
async fn reads_are_typed_and_pages_are_followed() {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let workers = WorkerRegistry::new(&fleet);
    for n in 0..25 {
        workers.record(plain(&format!("worker-{n}"))).unwrap();
    }
    workers.record(feeling(plain("worker-7"), HealthStatus::Unhealthy)).unwrap();
    let client = served(&fleet).await;
    let all = MembersQuery { limit: Some(10), ..MembersQuery::default() };
    assert_eq!(client.all_members(&Kind::WORKER, &all).await.unwrap().len(), 25);
    let critical = MembersQuery { states: vec![HealthState::Critical], ..MembersQuery::default() };
    assert_eq!(client.all_members(&Kind::WORKER, &critical).await.unwrap()[0].id, id("worker-7"));
    assert_eq!(client.member(&Kind::WORKER, &id("worker-7")).await.unwrap().state, HealthState::Critical);
    assert_eq!(client.stats().await.unwrap().members.total, 25);
    let page = client.events(Some(&EventId { log: None, n: 25 }), 10).await.unwrap();
    assert_eq!(page.events.len(), 1);
}

#[tokio::test]
async fn what_went_wrong_is_told_apart() {
    let fleet = Fleet::start(FleetConfig::default()).unwrap();
    let client = served(&fleet).await;
    let unknown = client.member(&Kind::WORKER, &id("ghost")).await.unwrap_err();
    assert!(unknown.is_not_found());
    assert_eq!(unknown.to_string(), "no worker \"ghost\" is known");
    let misused = MembersQuery { cursor: Some("x".to_owned()), ..MembersQuery::default() };
    assert!(client.members(&Kind::WORKER, &misused).await.unwrap_err().is_usage());

    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let unreachable = Client::new(&format!("http://{closed}")).unwrap().stats().await.unwrap_err();
    assert!(unreachable.is_unreachable() && !unreachable.is_timeout(), "{unreachable}");
    for url in ["127.0.0.1:8500", "ftp://127.0.0.1", "http://"] {
        assert!(Client::new(url).unwrap_err().is_usage(), "{url}");
    }
    for url in [
        "http://me:s3cret@127.0.0.1",
        "http://s3cret@h",
        "http://:s3cret@h",
        "ftp://me:s3cret@h",
        "http://me:s3/cret@h",
    ] {
        let refused = Client::new(url).unwrap_err();
        assert!(refused.is_usage() && !format!("{refused} {refused:?}").contains("s3"), "{refused:?}");
    }
    let https = Client::new("https://127.0.0.1");
    if cfg!(feature = "rustls") {
        assert!(https.is_ok());
    } else {
        assert!(https.unwrap_err().to_string().contains("the feature `rustls` of heartbeat-registry"));
    }
}
