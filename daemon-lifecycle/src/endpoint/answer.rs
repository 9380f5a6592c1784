use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{checks::Findings, identity::instance_id};

const JSON: &str = "application/health+json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What an answer looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// One line.
    Text,
    /// One line for each check.
    Verbose,
    Json,
}

impl Form {
    pub(crate) fn asked_for(query: Option<&str>, headers: &HeaderMap) -> Self {
        let verbose = |part: &str| part == "verbose" || part.starts_with("verbose=");
        match query {
            _ if wants_json(headers) => Self::Json,
            Some(query) if query.split('&').any(verbose) => Self::Verbose,
            _ => Self::Text,
        }
    }
}

/// One answer of the endpoint: 200 if nothing was found wrong, else 503.
pub(crate) fn answer(form: Form, findings: &Findings, progress: Option<f64>) -> Response {
    let healthy = findings.values().all(Result::is_ok);
    let (content_type, body) = match form {
        Form::Text => (TEXT, text(findings)),
        Form::Verbose => (TEXT, verbose(healthy, findings)),
        Form::Json => (JSON, json(healthy, findings, progress)),
    };
    let status = if healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static(content_type)), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (status, headers, Body::from(body)).into_response()
}

fn wants_json(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .map(str::trim)
        .any(|media| media.eq_ignore_ascii_case(JSON) || media.eq_ignore_ascii_case("application/json"))
}

/// One line: `ok`, or `failed: driver (stopped), store (disk full)`.
fn text(findings: &Findings) -> String {
    let failed = findings.iter().filter_map(|(name, found)| {
        let output = found.as_ref().err()?;
        Some(format!("{name} ({output})"))
    });
    let failed: Vec<String> = failed.collect();
    if failed.is_empty() { "ok".to_owned() } else { format!("failed: {}", failed.join(", ")) }
}

/// As Kubernetes' own components write it.
fn verbose(healthy: bool, findings: &Findings) -> String {
    let checks = findings.iter().map(|(name, found)| match found {
        Ok(()) => format!("[+]{name} ok\n"),
        Err(output) => format!("[-]{name} failed: {output}\n"),
    });
    let verdict = if healthy { "ok" } else { "failed" };
    checks.chain([verdict.to_owned()]).collect()
}

/// After draft-inadarei-api-health-check, with the instance and the progress of its start-up added.
#[derive(Serialize)]
struct Document<'a> {
    status: Verdict,
    instance_id: &'static str,
    pid: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<f64>,
    checks: std::collections::BTreeMap<&'a str, Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    status: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Pass,
    Fail,
}

impl Verdict {
    fn of(healthy: bool) -> Self {
        if healthy { Self::Pass } else { Self::Fail }
    }
}

fn json(healthy: bool, findings: &Findings, progress: Option<f64>) -> String {
    let checks = findings.iter().map(|(name, found)| {
        let status = Verdict::of(found.is_ok());
        let output = found.as_ref().err().map(String::as_str);
        (name.as_str(), Finding { status, output })
    });
    let document = Document {
        status: Verdict::of(healthy),
        instance_id: instance_id(),
        pid: std::process::id(),
        progress,
        checks: checks.collect(),
    };
    serde_json::to_string(&document).expect("strings and finite numbers always serialize")
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::ACCEPT};

    use super::{Findings, Form, json, text, verbose, wants_json};

    fn findings() -> Findings {
        let found = |name: &str, found: Result<(), &str>| (name.to_owned(), found.map_err(str::to_owned));
        [found("store", Err("disk full")), found("driver", Err("stopped")), found("queue", Ok(()))].into()
    }

    fn accepts(accept: &'static str) -> bool {
        let asked = [(ACCEPT, HeaderValue::from_static(accept))];
        wants_json(&HeaderMap::from_iter(asked))
    }

    #[test]
    fn text_names_what_failed_in_one_line() {
        assert_eq!(text(&Findings::new()), "ok");
        assert_eq!(text(&findings()), "failed: driver (stopped), store (disk full)");
    }

    #[test]
    fn verbose_has_a_line_for_each_check() {
        assert_eq!(verbose(true, &Findings::new()), "ok");
        let expected = "[-]driver failed: stopped\n[+]queue ok\n[-]store failed: disk full\nfailed";
        assert_eq!(verbose(false, &findings()), expected);
    }

    #[test]
    fn the_form_is_chosen_by_query_and_accept() {
        let text = HeaderMap::new();
        let json = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
        for (query, form) in [
            (None, Form::Text),
            (Some(""), Form::Text),
            (Some("verbose"), Form::Verbose),
            (Some("a=1&verbose="), Form::Verbose),
            (Some("verbosely"), Form::Text),
        ] {
            assert_eq!(Form::asked_for(query, &text), form, "{query:?}");
            assert_eq!(Form::asked_for(query, &json), Form::Json, "{query:?}");
        }
    }

    #[test]
    fn json_has_its_golden_shape() {
        let document: serde_json::Value =
            serde_json::from_str(&json(false, &findings(), Some(0.25))).expect("valid JSON");
        let expected = serde_json::json!({
            "status": "fail",
            "instance_id": super::instance_id(),
            "pid": std::process::id(),
            "progress": 0.25,
            "checks": {
                "driver": { "status": "fail", "output": "stopped" },
                "queue": { "status": "pass" },
                "store": { "status": "fail", "output": "disk full" },
            },
        });
        assert_eq!(document, expected);
    }

    #[test]
    fn json_is_for_those_who_ask_for_it() {
        assert!(accepts("application/json"));
        assert!(accepts("text/html, Application/Health+JSON;q=0.9"));
        assert!(!accepts("*/*"));
        assert!(!accepts("text/plain"));
        assert!(!wants_json(&HeaderMap::new()));
    }
}
