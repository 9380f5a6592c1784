//! The project's own tasks: demo, setup, test, tidy, ci.
fn main() {}
