//! `application/health+json`, after draft-inadarei-api-health-check, as far as the probe goes by it.

use hyper::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Map, Value};

use super::identity::Identity;

/// What a JSON answer says. Reads what is there and takes no offence at the rest.
#[derive(Debug, Default)]
pub(super) struct Document {
    verdict: Option<Verdict>,
    /// Such as `failed: store (disk full)`.
    pub(super) words: Option<String>,
    pub(super) identity: Identity,
    pub(super) version: Option<String>,
    /// From 0 to 1.
    pub(super) progress: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Pass,
    Warn,
    Fail,
}

impl Document {
    /// `None` if the answer is no JSON object. Only one that calls itself health has a verdict: `"status": "error"` may
    /// mean anything elsewhere.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Option<Self> {
        let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media = content_type.split(';').next()?.trim().to_ascii_lowercase();
        let health = media == "application/health+json";
        if !health && media != "application/json" {
            return None;
        }
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else {
            return None;
        };
        let text = |key: &str| object.get(key).and_then(Value::as_str).map(str::to_owned);
        let progress = object.get("progress").and_then(Value::as_f64);
        Some(Self {
            verdict: if health { text("status").and_then(|status| Verdict::of(&status)) } else { None },
            words: if health { words(&object) } else { None },
            identity: Identity {
                instance_id: text("instance_id"),
                pid: object.get("pid").and_then(Value::as_u64).and_then(|pid| u32::try_from(pid).ok()),
            },
            version: text("version").or_else(|| text("releaseId")),
            progress: progress.filter(|progress| (0.0..=1.0).contains(progress)),
        })
    }

    pub(super) fn failed(&self) -> bool {
        self.verdict == Some(Verdict::Fail)
    }

    pub(super) fn warned(&self) -> bool {
        self.verdict == Some(Verdict::Warn)
    }
}

impl Verdict {
    /// With the aliases that the draft allows for what was there before it.
    fn of(status: &str) -> Option<Self> {
        match status.to_ascii_lowercase().as_str() {
            "pass" | "ok" | "up" => Some(Self::Pass),
            "warn" => Some(Self::Warn),
            "fail" | "error" | "down" => Some(Self::Fail),
            _ => None,
        }
    }
}

fn verdict(value: &Value) -> Option<Verdict> {
    value.get("status").and_then(Value::as_str).and_then(Verdict::of)
}

/// The `output` of the whole, and every check that does not pass; else the `notes`.
fn words(document: &Map<String, Value>) -> Option<String> {
    let mut failed = Vec::new();
    let mut warned = Vec::new();
    let checks = document.get("checks").and_then(Value::as_object);
    for (name, check) in checks.into_iter().flatten() {
        // The draft has a list of findings per check; many servers have one.
        let findings = check.as_array().map_or_else(|| std::slice::from_ref(check), Vec::as_slice);
        for finding in findings {
            match verdict(finding) {
                Some(Verdict::Fail) => failed.push(told(name, finding)),
                Some(Verdict::Warn) => warned.push(told(name, finding)),
                Some(Verdict::Pass) | None => {}
            }
        }
    }
    let list = |what: &str, checks: &[String]| (!checks.is_empty()).then(|| format!("{what}: {}", checks.join(", ")));
    let output = document.get("output").and_then(Value::as_str).map(str::to_owned);
    let parts: Vec<String> = output.into_iter().chain(list("failed", &failed)).chain(list("warned", &warned)).collect();
    if parts.is_empty() { notes(document) } else { Some(parts.join("; ")) }
}

fn told(name: &str, finding: &Value) -> String {
    match finding.get("output").and_then(Value::as_str) {
        Some(output) => format!("{name} ({output})"),
        None => name.to_owned(),
    }
}

fn notes(document: &Map<String, Value>) -> Option<String> {
    let notes = document.get("notes")?.as_array()?;
    let notes: Vec<&str> = notes.iter().filter_map(Value::as_str).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

#[cfg(test)]
mod tests {
    use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::{Document, Verdict};

    fn read(media: &'static str, body: &str) -> Option<Document> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
        Document::read(&headers, body.as_bytes())
    }

    fn health(body: &str) -> Document {
        read("application/health+json; charset=utf-8", body).expect("a document")
    }

    #[test]
    fn the_verdict_is_read_with_the_aliases_of_the_draft() {
        for (status, verdict) in [
            ("pass", Some(Verdict::Pass)),
            ("UP", Some(Verdict::Pass)),
            ("warn", Some(Verdict::Warn)),
            ("fail", Some(Verdict::Fail)),
            ("Down", Some(Verdict::Fail)),
            ("purple", None),
        ] {
            assert_eq!(health(&format!(r#"{{"status":"{status}"}}"#)).verdict, verdict, "{status}");
        }
    }

    #[test]
    fn json_that_does_not_call_itself_health_has_no_verdict_but_says_who_it_is() {
        let document = read("application/json", r#"{"status":"error","pid":7,"progress":0.5}"#).expect("a document");
        assert!(!document.failed());
        assert_eq!((document.identity.pid, document.progress), (Some(7), Some(0.5)));
        assert!(read("text/plain", r#"{"status":"fail"}"#).is_none());
        assert!(read("application/health+json", "fail").is_none());
        assert!(read("application/health+json", "[]").is_none());
    }

    #[test]
    fn what_does_not_pass_is_told_by_name() {
        let words = |body: &str| health(body).words.unwrap_or_default();
        assert_eq!(
            words(
                r#"{"status":"fail","checks":{"store":{"status":"fail","output":"disk full"},"q":{"status":"pass"}}}"#
            ),
            "failed: store (disk full)"
        );
        // A list per check, as the draft has it.
        assert_eq!(
            words(r#"{"output":"two of three","checks":{"db:time":[{"status":"pass"},{"status":"warn"}]}}"#),
            "two of three; warned: db:time"
        );
        assert_eq!(words(r#"{"status":"warn","notes":["old","slow"]}"#), "old; slow");
        assert_eq!(words(r#"{"status":"pass"}"#), "");
    }

    #[test]
    fn progress_is_a_share_or_nothing() {
        for (given, read) in [("0.63", Some(0.63)), ("1", Some(1.0)), ("63", None), ("-0.1", None), ("\"x\"", None)] {
            assert_eq!(health(&format!(r#"{{"progress":{given}}}"#)).progress, read, "{given}");
        }
    }
}
