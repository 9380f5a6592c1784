//! One runnable program per use of the heartbeat crates.
