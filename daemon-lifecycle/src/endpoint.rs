//! What a daemon answers when asked for its health.

mod answer;
mod checks;
mod health;
mod identity;

pub use health::{Health, Phase};
