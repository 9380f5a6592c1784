//! What a panic of the application tells the registry.

use std::panic::PanicHookInfo;
use std::thread;
use std::time::Duration;

use heartbeat_contract::Payload;

use crate::HeartbeatHandle;
use crate::clock::monotonic;
use crate::handle::MAX_REASON_BYTES;
use crate::shared::Ending;

/// The contract's limit for an error.
const MAX_ERROR_BYTES: usize = 1024;
/// How long a thread that panics waits for the registry.
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// How much of that it may take to tell the error, where a goodbye follows.
const BEFORE_GOODBYE: Duration = Duration::from_millis(1500);
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

impl<P: Payload> HeartbeatHandle<P> {
    /// Lets each panic go out at once as the `last_error` of a beat, such as `panic: no such model at src/main.rs:7:9`, so
    /// that whoever is told of the death of this member is told why. What a panic is to a registry stays the same: if the
    /// process ends, the member falls silent and fails; if the panic is caught, the beats go on, and tell the error until
    /// an [`update`](Self::update) says otherwise.
    ///
    /// Where the panic may end the process, which is on the main thread, or anywhere in a program built with
    /// `panic = "abort"`, it waits until the beat is acknowledged, for at most 2 s; but only for a loop on a thread of its
    /// own. Adds to the panic hook that is set, and is lost if another one replaces it. Kinds of your own need
    /// [`Payload::set_last_error`].
    ///
    /// # Panics
    /// On a thread that is panicking.
    pub fn tell_panics(&self) {
        self.add_hook(|handle, what, ends_process| {
            handle.tell_panic(what, if ends_process { LONGEST_WAIT } else { Duration::ZERO });
        });
    }

    /// Tells each panic like [`tell_panics`](Self::tell_panics), and then says goodbye, with the panic as the reason, if it
    /// may end the process: on the main thread, or anywhere in a program built with `panic = "abort"`. Both together take
    /// at most 2 s.
    ///
    /// A goodbye raises no alert: the member has left, and nobody is told that it has failed. So this is for programs whose
    /// panics are no failures that anybody should be woken for, such as those that a supervisor starts anew. And it is not
    /// for programs that catch panics of their main thread and live on, as tasks of a runtime on that thread do: their
    /// beats would have ended.
    ///
    /// # Panics
    /// On a thread that is panicking.
    pub fn goodbye_on_panic(&self) {
        self.add_hook(|handle, what, ends_process| {
            let deadline = monotonic() + LONGEST_WAIT;
            handle.tell_panic(what, if ends_process { BEFORE_GOODBYE } else { Duration::ZERO });
            if ends_process {
                handle.shared.end(Ending::Goodbye(shortened(what, MAX_REASON_BYTES)));
                let left = deadline.saturating_duration_since(monotonic());
                handle.wait_until(left, || handle.outcomes().latest().is_final());
            }
        });
    }

    fn add_hook(&self, tell: impl Fn(&Self, &str, bool) + Send + Sync + 'static) {
        let (handle, previous) = (self.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            previous(panic);
            let ends_process = cfg!(panic = "abort") || thread::current().name() == Some("main");
            tell(&handle, &words_of(panic), ends_process);
        }));
    }

    fn tell_panic(&self, what: &str, wait: Duration) {
        if let Some(edition) = self.shared.set_last_error(shortened(what, MAX_ERROR_BYTES)) {
            self.wait_until(wait, || self.shared.tally().has_heard(edition));
        }
    }

    /// Waits without a runtime, unless the loop waits for this thread.
    fn wait_until(&self, limit: Duration, is_done: impl Fn() -> bool) {
        if !self.beats_on_another_thread() {
            return;
        }
        let deadline = monotonic() + limit;
        while !is_done() && monotonic() < deadline {
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

fn words_of(panic: &PanicHookInfo<'_>) -> String {
    let what = panic.payload_as_str().unwrap_or("no message");
    match panic.location() {
        Some(location) => format!("panic: {what} at {location}"),
        None => format!("panic: {what}"),
    }
}

fn shortened(text: &str, max_bytes: usize) -> String {
    text[..text.floor_char_boundary(max_bytes)].to_owned()
}
