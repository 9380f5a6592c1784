//! Tracks heartbeats and says within a bounded time, without false alarms, who is not alive and why.
