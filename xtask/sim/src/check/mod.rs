//! The promises, and whether a history keeps them.

mod blind;
mod checker;
mod fact;
mod member;
#[cfg(test)]
mod tests;

pub(crate) use checker::{Checker, Rules};
pub(crate) use fact::{Fact, Known, Name, Receipt, Violation};
