//! Calling what is not ours: it may panic, and it may never end.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use super::Alert;

/// What a callback of [`Alerts`](super::Alerts) may return: nothing, or a future of nothing. So one method takes closures
/// of both sorts, and which sort it is need never be said.
#[diagnostic::on_unimplemented(
    message = "a callback of alerts returns nothing, or a future of nothing",
    label = "this callback returns `{Self}`"
)]
pub trait Reply<const FUTURE: bool> {
    /// What ends when the callback has done all it does.
    fn ended(self) -> Pin<Box<dyn Future<Output = ()>>>;
}

impl Reply<false> for () {
    fn ended(self) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(std::future::ready(()))
    }
}

impl<F: Future<Output = ()> + 'static> Reply<true> for F {
    fn ended(self) -> Pin<Box<dyn Future<Output = ()>>> {
        Box::pin(self)
    }
}

type Call = dyn FnMut(Alert) -> Pin<Box<dyn Future<Output = ()>>> + Send;

pub(super) struct Callback(Box<Call>);

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Well,
    Panicked,
    TimedOut,
}

impl Callback {
    pub(super) fn new<R, const FUTURE: bool>(mut callback: impl FnMut(Alert) -> R + Send + 'static) -> Self
    where
        R: Reply<FUTURE>,
    {
        Self(Box::new(move |alert| callback(alert).ended()))
    }

    /// Needs a tokio runtime with time.
    pub(super) async fn call(&mut self, alert: Alert, timeout: Duration) -> Ended {
        let Some(mut future) = caught(|| (self.0)(alert)) else { return Ended::Panicked };
        let ended = poll_fn(|context| match caught(|| future.as_mut().poll(context)) {
            Some(polled) => polled.map(|()| Ended::Well),
            None => Poll::Ready(Ended::Panicked),
        });
        let ended = tokio::time::timeout(timeout, ended).await.unwrap_or(Ended::TimedOut);
        caught(|| drop(future)).map_or(Ended::Panicked, |()| ended)
    }
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Callback")
    }
}

/// What a step of a callback comes to, unless it panics. Whatever it leaves half done is its own.
fn caught<T>(step: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(step)).ok()
}
