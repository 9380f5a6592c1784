//! A kind of one's own: jobs, beside or instead of workers and hives. One type that implements `Payload` gets the sender,
//! the routes, the registry and the client that workers have.

use std::error::Error;
use std::future::pending;

use heartbeat_contract::{BeatInfo, Kind, MemberId, Payload};
use heartbeat_registry::client::Client;
use heartbeat_registry::http::{Api, ServeConfig, serve};
use heartbeat_registry::{Fleet, FleetConfig, MembersQuery};
use heartbeat_sender::{HeartbeatConfig, Outcome, Outcomes, start_heartbeat_task};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

/// What a job tells of itself.
#[derive(Clone, Serialize, Deserialize)]
struct JobHeartbeat {
    job_id: MemberId,
    #[serde(default)]
    beat: Option<BeatInfo>,
    #[serde(default)]
    step: String,
}

impl Payload for JobHeartbeat {
    const KIND: Kind = Kind::from_static("job");
    const ID_FIELD: &'static str = "job_id";

    fn id(&self) -> &MemberId {
        &self.job_id
    }

    fn beat(&self) -> Option<&BeatInfo> {
        self.beat.as_ref()
    }

    fn set_beat(&mut self, beat: BeatInfo) {
        self.beat = Some(beat);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let fleet = Fleet::start(FleetConfig::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let app = Api::new(&fleet).kind::<JobHeartbeat>().router();
    tokio::select! {
        () = serve(listener, app, ServeConfig::default(), pending()) => {}
        told = tell_and_read(&url) => told?,
    }
    fleet.shutdown().await;
    Ok(())
}

async fn tell_and_read(url: &str) -> Result<(), Box<dyn Error>> {
    let job_id = MemberId::new("job-7")?;
    let mut config = HeartbeatConfig::of(JobHeartbeat { job_id, beat: None, step: "read".to_owned() });
    config.registry_url = Some(url.to_owned());
    let heartbeat = start_heartbeat_task(config)?;
    let mut outcomes = heartbeat.outcomes();
    acknowledged(&mut outcomes).await?;
    read(url).await?;

    heartbeat.update(|job| job.step = "sort".to_owned());
    heartbeat.beat_now(); // only a change of status goes out at once by itself
    acknowledged(&mut outcomes).await?;
    read(url).await?;

    heartbeat.shutdown_because("done").await;
    read(url).await
}

/// Waits until the next beat is acknowledged.
async fn acknowledged(outcomes: &mut Outcomes) -> Result<(), Box<dyn Error>> {
    match outcomes.next().await {
        Some(Outcome::Acknowledged { .. }) => Ok(()),
        other => Err(format!("the beat was not acknowledged: {other:?}").into()),
    }
}

async fn read(url: &str) -> Result<(), Box<dyn Error>> {
    for job in Client::new(url)?.all_members(&JobHeartbeat::KIND, &MembersQuery::default()).await? {
        let step = job.payload.map(|payload| payload["step"].to_string()).unwrap_or_default();
        println!("{} {}: {}, step {step}", job.kind, job.id, job.state);
    }
    Ok(())
}
