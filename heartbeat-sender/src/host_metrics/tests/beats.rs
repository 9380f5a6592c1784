//! The real loop, while a driver hangs.

use std::time::Duration;

use heartbeat_contract::{Ack, FailingSource, HiveHeartbeat, VramInfo};
use tokio::sync::mpsc::Receiver;

use super::stand_in::{StandIn, TOTAL_GB, USED_GB};
use crate::{ChannelTransport, Delivery, HiveHeartbeatConfig, start_over, system_clock};

const BOUND: Duration = Duration::from_secs(60);

fn config(stand_in: &StandIn) -> HiveHeartbeatConfig {
    let mut host = stand_in.config();
    (host.refresh, host.deadline) = (Duration::from_millis(10), Duration::from_millis(50));
    let mut config = HiveHeartbeatConfig::in_process("hive-7").with_host_metrics_of(host);
    config.interval = Duration::from_millis(100);
    config
}

struct Heard(Receiver<Delivery<HiveHeartbeat>>);

impl Heard {
    async fn next(&mut self) -> HiveHeartbeat {
        let Delivery { beat, answer } = tokio::time::timeout(BOUND, self.0.recv()).await.unwrap().unwrap();
        answer.send(Ok(Ack { acknowledged: true, server_time: system_clock(), next_in_ms: 100, directives: vec![] }));
        beat
    }

    async fn until(&mut self, so: impl Fn(&HiveHeartbeat) -> bool) -> HiveHeartbeat {
        let looking = async {
            loop {
                let beat = self.next().await;
                if so(&beat) {
                    return beat;
                }
            }
        };
        tokio::time::timeout(BOUND, looking).await.expect("it did not happen within a minute")
    }
}

fn of_nvidia(beat: &HiveHeartbeat) -> Option<&FailingSource> {
    beat.failing_sources.iter().find(|failing| failing.source == "nvidia")
}

fn used(beat: &HiveHeartbeat) -> Vec<f64> {
    beat.vram_per_device.iter().flatten().map(|gpu: &VramInfo| gpu.used_gb).collect()
}

fn seq(beat: &HiveHeartbeat) -> u64 {
    beat.beat.as_ref().unwrap().seq.unwrap()
}

#[tokio::test]
async fn a_hung_driver_yields_the_last_value_with_its_age_and_delays_no_beat() {
    let Some(stand_in) = StandIn::build() else { return };
    let (transport, deliveries) = ChannelTransport::new(1);
    let handle = start_over(config(&stand_in), transport).unwrap();
    let mut heard = Heard(deliveries);
    heard.until(|beat| used(beat) == USED_GB && of_nvidia(beat).is_none()).await;

    let hang = stand_in.hang();
    stand_in.fare("busy");
    let mut last = heard.until(|beat| of_nvidia(beat).is_some()).await;
    for _ in 0..5 {
        let beat = heard.next().await;
        assert_eq!((seq(&beat), used(&beat)), (seq(&last) + 1, USED_GB.to_vec()));
        let [failing, before] = [&beat, &last].map(|beat| of_nvidia(beat).expect("it hangs"));
        assert!(failing.error.is_none() && failing.age_ms > before.age_ms, "{failing:?} after {before:?}");
        last = beat;
    }

    drop(hang);
    let back = heard.until(|beat| of_nvidia(beat).is_none()).await;
    assert_eq!(used(&back), [TOTAL_GB; 2], "what it tells now");
    heard.0.close();
    handle.shutdown().await;
}

#[tokio::test]
async fn a_driver_that_hangs_from_the_start_leaves_the_other_figures_and_no_list_of_gpus() {
    let Some(stand_in) = StandIn::build() else { return };
    let hang = stand_in.hang();
    let (transport, deliveries) = ChannelTransport::new(1);
    let handle = start_over(config(&stand_in), transport).unwrap();
    let mut heard = Heard(deliveries);
    let beat = heard.until(|beat| of_nvidia(beat).is_some() && beat.cpu_usage_percent.is_some()).await;
    assert_eq!((of_nvidia(&beat).unwrap().age_ms, beat.vram_per_device), (None, None));
    drop(hang);
    heard.until(|beat| used(beat) == USED_GB).await;
    heard.0.close();
    handle.shutdown().await;
}
