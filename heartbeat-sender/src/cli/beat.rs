//! Sends one beat.

use std::io::Read;
use std::time::Duration;

use daemon_lifecycle::program::Output;
use heartbeat_contract::{Ack, BeatInfo, HiveHeartbeat, Kind, MAX_BEAT_BYTES, MemberId, Payload, WorkerHeartbeat};
use serde_json::value::to_raw_value;

use super::args::BeatArgs;
use super::kind::{OfKind, divided};
use super::{AUTH, FAILED, Failed, OK, UNREACHABLE, USAGE, put};
use crate::relay::letter::{Fields, id_field};
use crate::run::send_within;
use crate::verdict::{Verdict, verdict};
use crate::{HeartbeatConfig, HttpTransport, SendError, Transport, system_clock};

pub(super) fn beat(args: &BeatArgs) -> Result<u8, Failed> {
    if args.kind == Kind::HIVE {
        return send(args, &hive(args)?, |http| http);
    }
    let (told, own) = divided(&args.kind, fields(args, &id_field(&args.kind))?)?;
    send(args, &worker(args, &told)?, |http| OfKind::over(http, &args.kind, &own))
}

fn worker(args: &BeatArgs, fields: &Fields) -> Result<WorkerHeartbeat, Failed> {
    let mut worker: WorkerHeartbeat = read(args, fields)?;
    worker.status = args.status.or(worker.status);
    worker.health_status = args.health.or(worker.health_status);
    worker.queue_depth = args.queue_depth.or(worker.queue_depth);
    worker.model_loaded = args.model.clone().or(worker.model_loaded);
    worker.last_error = args.error.clone().or(worker.last_error);
    if !args.metrics.is_empty() {
        worker.metrics.get_or_insert_default().extend(args.metrics.iter().cloned());
    }
    Ok(worker)
}

fn hive(args: &BeatArgs) -> Result<HiveHeartbeat, Failed> {
    if args.status.is_some() || args.queue_depth.is_some() || args.model.is_some() {
        return Err(Failed::usage("a hive has no --status, --queue-depth or --model"));
    }
    let mut hive: HiveHeartbeat = read(args, &fields(args, HiveHeartbeat::ID_FIELD)?)?;
    hive.health_status = args.health.or(hive.health_status);
    hive.last_error = args.error.clone().or(hive.last_error);
    if !args.metrics.is_empty() {
        hive.metrics.get_or_insert_default().extend(args.metrics.iter().cloned());
    }
    Ok(hive)
}

/// What standard input tells, with the id of the flags.
fn fields(args: &BeatArgs, id_field: &str) -> Result<Fields, Failed> {
    let mut fields = if args.stdin { from_stdin()? } else { Fields::new() };
    if let Some(id) = &args.id {
        fields.insert(id_field.to_owned(), to_raw_value(id).map_err(|error| Failed::new(&error, FAILED))?);
    }
    if fields.contains_key(id_field) { Ok(fields) } else { Err(Failed::usage("who beats? --id is missing")) }
}

/// A beat of these fields, with the object `beat` of the flags.
fn read<P: Payload>(args: &BeatArgs, fields: &Fields) -> Result<P, Failed> {
    let json = serde_json::to_vec(fields).map_err(|error| Failed::new(&error, FAILED))?;
    let mut payload: P = heartbeat_contract::decode(&json).map_err(|error| Failed::new(&error, USAGE))?;
    let info = payload.beat().cloned().unwrap_or_default();
    let hive_id: Option<MemberId> = args.hive.clone().filter(|_| P::KIND != Kind::HIVE);
    payload.set_beat(BeatInfo {
        interval_ms: args.interval.map(crate::stamp::millis).or(info.interval_ms),
        endpoint: args.place.endpoint.clone().or(info.endpoint),
        zone: args.place.zone.clone().or(info.zone),
        hive_id: hive_id.or(info.hive_id),
        leaving: args.leaving.clone().or(info.leaving),
        ..info
    });
    if payload.timestamp().is_none() {
        payload.set_timestamp(system_clock());
    }
    Ok(payload)
}

fn from_stdin() -> Result<Fields, Failed> {
    let mut json = Vec::new();
    let limit = MAX_BEAT_BYTES as u64 + 1;
    std::io::stdin().take(limit).read_to_end(&mut json).map_err(|error| Failed::new(&error, FAILED))?;
    if json.len() > MAX_BEAT_BYTES {
        return Err(Failed::usage(format!("standard input is longer than {MAX_BEAT_BYTES} bytes")));
    }
    serde_json::from_slice(&json).map_err(|error| Failed::usage(format!("standard input is no JSON object: {error}")))
}

fn send<P: Payload, T: Transport<P>>(
    args: &BeatArgs,
    payload: &P,
    over: impl FnOnce(HttpTransport) -> T,
) -> Result<u8, Failed> {
    let mut config = HeartbeatConfig::of(payload.clone());
    args.to.apply(&mut config);
    args.place.apply(&mut config);
    let transport = over(args.to.transport(&config)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failed::new(&error, FAILED))?;
    let limit = crate::config::timeout_at(config.interval, None);
    let answer = runtime.block_on(send_to_any(&transport, limit, payload));
    // A name that is being looked up must not keep the process from ending.
    runtime.shutdown_background();
    match answer {
        Ok(ack) => print(args.output, &ack).map(|()| OK),
        Err(error) => Err(failed(&error, &args.kind)),
    }
}

fn failed(error: &SendError, kind: &Kind) -> Failed {
    let mut failed = Failed::new(error, code(error));
    if error.status() == Some(404) && ![Kind::WORKER, Kind::HIVE].contains(kind) {
        failed.message += &format!("; does the registry know the kind {kind}?");
    }
    failed
}

/// To the first registry that takes it; what is wrong with the beat itself is wrong everywhere.
async fn send_to_any<P: Payload, T: Transport<P>>(first: &T, limit: Duration, payload: &P) -> Result<Ack, SendError> {
    let mut answer = send_within(limit, first, payload.clone()).await;
    for further in first.fallbacks() {
        match &answer {
            Err(error) if verdict(error) != Verdict::Next => {}
            _ => break,
        }
        answer = send_within(limit, further, payload.clone()).await;
    }
    answer
}

fn print(output: Output, ack: &Ack) -> Result<(), Failed> {
    let text = match output {
        Output::Table => Ok(table(ack)),
        Output::Json => serde_json::to_string_pretty(ack),
        Output::Jsonl => serde_json::to_string(ack),
    };
    put(text.map_err(|error| Failed::new(&error, FAILED))? + "\n")
}

fn table(Ack { acknowledged, server_time, next_in_ms, directives }: &Ack) -> String {
    let acknowledged = if *acknowledged { "yes" } else { "no" };
    let asked: Vec<&str> = directives.iter().map(|directive| directive.as_str()).collect();
    let asked = if asked.is_empty() { "-".to_owned() } else { asked.join(", ") };
    let next = *next_in_ms as f64 / 1e3;
    format!(
        "acknowledged  {acknowledged}\nat            {server_time:.3}\nnext beat in  {next} s\nasked for     {asked}"
    )
}

fn code(error: &SendError) -> u8 {
    match error.status() {
        Some(401 | 403) => AUTH,
        Some(503) => UNREACHABLE,
        Some(_) => FAILED,
        None if error.is_config() => USAGE,
        None => UNREACHABLE,
    }
}
