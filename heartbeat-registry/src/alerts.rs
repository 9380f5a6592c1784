//! Alerts that are sent elsewhere, to webhooks and to Alertmanagers, by [`Fleet::send_alerts`](crate::Fleet::send_alerts).

pub use crate::alert::sink::{IdPattern, InvalidPattern, InvalidSink, Rule, SinkConfig, SinkHandle};
