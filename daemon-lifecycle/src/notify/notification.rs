use std::time::Duration;

/// What one datagram said: lines of the form `KEY=VALUE`. Other lines are ignored, and of a key that is there twice the
/// first counts, as for systemd.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Notification {
    text: String,
}

impl Notification {
    /// Reads a datagram; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn parse(datagram: &[u8]) -> Self {
        Self { text: String::from_utf8_lossy(datagram).into_owned() }
    }

    /// `READY=1`: start-up, or reloading, is over.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.get("READY") == Some("1")
    }

    /// `STATUS=`: one line for people on what the program does. Empty means that there is nothing to say any more.
    #[must_use]
    pub fn status(&self) -> Option<&str> {
        self.get("STATUS")
    }

    /// `STOPPING=1`: the program has begun to end.
    #[must_use]
    pub fn stopping(&self) -> bool {
        self.get("STOPPING") == Some("1")
    }

    /// `RELOADING=1`: the program reads its configuration anew; `READY=1` follows.
    #[must_use]
    pub fn reloading(&self) -> bool {
        self.get("RELOADING") == Some("1")
    }

    /// `WATCHDOG=1`: the program is alive.
    #[must_use]
    pub fn watchdog(&self) -> bool {
        self.get("WATCHDOG") == Some("1")
    }

    /// `WATCHDOG=trigger`: the program has found itself beyond help and wants to be taken for dead.
    #[must_use]
    pub fn watchdog_trigger(&self) -> bool {
        self.get("WATCHDOG") == Some("trigger")
    }

    /// `WATCHDOG_USEC=`: from now on, so much time may pass between two `WATCHDOG=1`.
    #[must_use]
    pub fn watchdog_timeout(&self) -> Option<Duration> {
        self.microseconds("WATCHDOG_USEC")
    }

    /// `EXTEND_TIMEOUT_USEC=`: whatever the program is about, starting or ending, it wants so much time from now.
    #[must_use]
    pub fn extend_timeout(&self) -> Option<Duration> {
        self.microseconds("EXTEND_TIMEOUT_USEC")
    }

    /// `MAINPID=`: the process that counts from now on.
    #[must_use]
    pub fn main_pid(&self) -> Option<u32> {
        self.number("MAINPID")
    }

    /// `ERRNO=`: what went wrong, as a number of errno(3).
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.number("ERRNO")
    }

    /// The value of any key, such as one of your own that begins with `X_`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.fields().find_map(|(name, value)| (name == key).then_some(value))
    }

    /// All keys and values, in the order in which they came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let fields = self.text.split('\n').filter_map(|line| line.split_once('='));
        fields.filter(|(key, _)| is_key(key))
    }

    fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.parse().ok()
    }

    fn microseconds(&self, key: &str) -> Option<Duration> {
        self.number(key).map(Duration::from_micros)
    }
}

/// What could be the name of an environment variable.
fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Notification;

    fn parse(datagram: impl AsRef<[u8]>) -> Notification {
        Notification::parse(datagram.as_ref())
    }

    #[test]
    fn each_word_of_the_protocol_is_understood() {
        assert!(parse("READY=1").ready());
        assert!(parse("STOPPING=1").stopping());
        assert!(parse("RELOADING=1\nMONOTONIC_USEC=17").reloading());
        assert!(parse("WATCHDOG=1").watchdog());
        assert!(parse("WATCHDOG=trigger").watchdog_trigger());
        assert_eq!(parse("STATUS=63 % = almost").status(), Some("63 % = almost"));
        assert_eq!(parse("WATCHDOG_USEC=1500000").watchdog_timeout(), Some(Duration::from_millis(1_500)));
        assert_eq!(parse("EXTEND_TIMEOUT_USEC=10").extend_timeout(), Some(Duration::from_micros(10)));
        assert_eq!(parse("MAINPID=4711").main_pid(), Some(4_711));
        assert_eq!(parse("ERRNO=2").errno(), Some(2));
        assert_eq!(parse("X_HEARTBEAT_QUEUE_DEPTH=7\n").get("X_HEARTBEAT_QUEUE_DEPTH"), Some("7"));
    }

    #[test]
    fn what_is_not_said_is_not_heard() {
        let none = parse("");
        assert!(!(none.ready() || none.stopping() || none.reloading() || none.watchdog() || none.watchdog_trigger()));
        assert_eq!((none.status(), none.main_pid(), none.errno()), (None, None, None));
        assert_eq!((none.watchdog_timeout(), none.extend_timeout()), (None, None));
        assert_eq!(parse("STATUS=").status(), Some(""), "nothing to say any more");
    }

    #[test]
    fn junk_beside_it_does_not_spoil_a_line() {
        let told = parse(b"\xff\xfe\n\n=\n=1\nREADY\nA B=1\nREADY=1\n\0=2\nMAINPID=-1\nERRNO=x\nWATCHDOG_USEC=1.5");
        assert_eq!(told.fields().count(), 4);
        assert!(told.ready());
        assert_eq!((told.main_pid(), told.errno(), told.watchdog_timeout()), (None, None, None));
    }

    #[test]
    fn only_1_means_yes_and_the_first_of_two_counts() {
        for no in ["READY=0", "READY=", "READY=11", "READY= 1", "ready=1", "ALREADY=1", "READY=0\nREADY=1"] {
            assert!(!parse(no).ready(), "{no}");
        }
        assert_eq!(parse("STATUS=a\nSTATUS=b").status(), Some("a"));
    }
}
