use std::sync::OnceLock;

/// One run of this process, told apart from every other: pid and 64 random bits.
pub(crate) fn instance_id() -> &'static str {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| format!("{}-{:016x}", std::process::id(), fastrand::u64(..)))
}
