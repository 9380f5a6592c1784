//! The file of receivers. It is read strictly, and whatever is wrong is named with its line, key and value; but no URL is
//! shown, since many hold a secret.

use std::fmt::Display;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use daemon_lifecycle::program::{Failed, duration, place};
use heartbeat_contract::{HealthState, SinkKind};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::alerts::{Rule, SinkConfig};
use crate::cli::args::kind;

const KEYS: &str = "url, name, states, kinds, zones, ids, headers, bearer_token_file, timeout, retries, first_pause, \
                    cooldown";

/// The receivers that a file names, each of them checked.
pub(super) fn sinks(path: &Path) -> Result<Vec<SinkConfig>, Failed> {
    let unread = |error| Failed::usage(format!("the alerts file {}: {error}", path.display()));
    let text = std::fs::read_to_string(path).map_err(unread)?;
    parse(&text).map_err(|Wrong { at, what }| Failed::usage(format!("{}: {what}", place(path, &text, at))))
}

/// What is wrong, and at which byte.
#[derive(Debug)]
struct Wrong {
    at: usize,
    what: String,
}

fn wrong<T>(span: Range<usize>, what: impl Display) -> Result<T, Wrong> {
    Err(Wrong { at: span.start, what: what.to_string() })
}

type Key<'a> = Spanned<DeString<'a>>;
type Value<'a> = Spanned<DeValue<'a>>;

fn parse(text: &str) -> Result<Vec<SinkConfig>, Wrong> {
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => return wrong(error.span().unwrap_or_default(), error.message()),
    };
    let mut sinks = Vec::new();
    for (key, value) in table.get_ref() {
        let kind = match &**key.get_ref() {
            "webhook" => SinkKind::Webhook,
            "alertmanager" => SinkKind::Alertmanager,
            other => return wrong(key.span(), format!("{other}: unknown, expected [[webhook]] or [[alertmanager]]")),
        };
        let DeValue::Array(tables) = value.get_ref() else {
            return wrong(key.span(), format!("{kind}: expected [[{kind}]], in double brackets"));
        };
        for table in tables {
            let DeValue::Table(fields) = table.get_ref() else {
                return wrong(table.span(), format!("{kind}: expected [[{kind}]], in double brackets"));
            };
            sinks.push(sink(kind, fields, table.span())?);
        }
    }
    Ok(sinks)
}

fn sink(kind: SinkKind, fields: &DeTable<'_>, span: Range<usize>) -> Result<SinkConfig, Wrong> {
    let mut config = SinkConfig { kind, ..SinkConfig::webhook(String::new()) };
    for (key, value) in fields {
        set(&mut config, key, value)
            .map_err(|Wrong { at, what }| Wrong { at, what: format!("{kind}.{}: {what}", key.get_ref()) })?;
    }
    let place = |name: &str| fields.iter().find(|(key, _)| *key.get_ref() == name).map(|(key, _)| key.span());
    if place("url").is_none() {
        return wrong(span, format!("{kind}.url: missing"));
    }
    match config.validate() {
        Ok(()) => Ok(config),
        Err(invalid) => wrong(place(invalid.setting).unwrap_or(span), format!("{kind}.{invalid}")),
    }
}

fn set(config: &mut SinkConfig, key: &Key<'_>, value: &Value<'_>) -> Result<(), Wrong> {
    let Rule { states, kinds, zones, ids } = &mut config.rule;
    match &**key.get_ref() {
        "url" => config.url = string(value)?.to_owned(),
        "name" => config.name = Some(string(value)?.to_owned()),
        "states" => *states = list(value, |item| read(item, state))?,
        "kinds" => *kinds = list(value, |item| read(item, kind))?,
        "zones" => *zones = list(value, |item| read(item, str::parse))?,
        "ids" => *ids = list(value, |item| read(item, str::parse))?,
        "headers" => config.headers = headers(value)?,
        "bearer_token_file" => config.bearer_token_file = Some(string(value)?.into()),
        "timeout" => config.timeout = read(value, duration)?,
        "retries" => config.retries = number(value)?,
        "first_pause" => config.first_pause = read(value, duration)?,
        "cooldown" => config.cooldown = read(value, duration)?,
        _ => return wrong(key.span(), format!("unknown, expected one of {KEYS}")),
    }
    Ok(())
}

fn string<'a>(value: &'a Value<'_>) -> Result<&'a str, Wrong> {
    match value.get_ref() {
        DeValue::String(text) => Ok(text),
        other => wrong(value.span(), format!("expected a string, not {}", other.type_str())),
    }
}

fn list<T>(value: &Value<'_>, item: impl Fn(&Value<'_>) -> Result<T, Wrong>) -> Result<Vec<T>, Wrong> {
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(item).collect(),
        other => wrong(value.span(), format!("expected a list of strings, not {}", other.type_str())),
    }
}

fn read<T, E: Display>(value: &Value<'_>, parse: impl Fn(&str) -> Result<T, E>) -> Result<T, Wrong> {
    parse(string(value)?).or_else(|error| wrong(value.span(), error))
}

fn state(word: &str) -> Result<HealthState, String> {
    let refused = || format!("{word:?} is no state: expected degraded, critical, failed");
    HealthState::from_word(word).ok_or_else(refused)
}

fn headers(value: &Value<'_>) -> Result<Vec<(String, String)>, Wrong> {
    let DeValue::Table(headers) = value.get_ref() else {
        return wrong(value.span(), "expected a table, as in { X-Team = \"ml\" }");
    };
    headers.iter().map(|(name, value)| Ok((name.get_ref().to_string(), string(value)?.to_owned()))).collect()
}

fn duration(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|expected| format!("{text:?} is no duration: {expected}"))
}

fn number(value: &Value<'_>) -> Result<u32, Wrong> {
    let read = match value.get_ref() {
        DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    };
    read.map_or_else(|| wrong(value.span(), "expected a whole number from 0 on"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_who_is_told_of_what_and_how() {
        let text = r#"
[[webhook]]
name = "pager"
url = "http://127.0.0.1:9000/hook"
states = ["critical", "failed"]
kinds = ["worker"]
zones = ["z1"]
ids = ["rack-7-*", "w?"]
headers = { X-Team = "ml" }
timeout = "1m 30s"
retries = 2
first_pause = "500ms"
cooldown = "0s"

[[alertmanager]]
url = "http://127.0.0.1:9093"

[[webhook]]
url = "http://127.0.0.1:9001"
"#;
        let sinks = parse(text).unwrap();
        let kinds: Vec<(SinkKind, &str)> = sinks.iter().map(|sink| (sink.kind, sink.url.as_str())).collect();
        let expected = [
            (SinkKind::Alertmanager, "http://127.0.0.1:9093"),
            (SinkKind::Webhook, "http://127.0.0.1:9000/hook"),
            (SinkKind::Webhook, "http://127.0.0.1:9001"),
        ];
        assert_eq!(kinds, expected);
        let pager = &sinks[1];
        assert_eq!(pager.name.as_deref(), Some("pager"));
        assert_eq!(pager.rule.states, [HealthState::Critical, HealthState::Failed]);
        assert_eq!((pager.rule.kinds[0].as_str(), pager.rule.zones[0].as_str()), ("worker", "z1"));
        assert!(pager.rule.ids[0].matches("rack-7-x") && pager.rule.ids[1].matches("w1"));
        assert_eq!(pager.headers, [("X-Team".to_owned(), "ml".to_owned())]);
        assert_eq!((pager.timeout, pager.retries), (Duration::from_secs(90), 2));
        assert_eq!((pager.first_pause, pager.cooldown), (Duration::from_millis(500), Duration::ZERO));
        assert_eq!(sinks[0].rule, Rule::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key_and_value_and_no_url_is_shown() {
        for (line, expected) in [
            ("states = [\"dead\"]", "webhook.states: \"dead\" is no state: expected degraded, critical, failed"),
            ("states = [\"left\"]", "webhook.states: left is no alert"),
            ("states = \"failed\"", "webhook.states: expected a list of strings, not string"),
            ("kinds = [\"Worker\"]", "webhook.kinds: "),
            ("zones = [\"a b\"]", "webhook.zones: "),
            ("ids = [\"[a]\"]", "webhook.ids: \"[a]\" matches no id"),
            ("timeout = 10", "webhook.timeout: expected a string"),
            ("timeout = \"soon\"", "webhook.timeout: \"soon\" is no duration"),
            ("timeout = \"1h\"", "webhook.timeout: 3600s is outside"),
            ("retries = -1", "webhook.retries: expected a whole number"),
            ("retries = 100", "webhook.retries: 100 is more than 20"),
            ("headers = []", "webhook.headers: expected a table"),
            ("bearer_token_file = \"/nowhere\"", "webhook.bearer_token_file: /nowhere: "),
            ("state = [\"failed\"]", "webhook.state: unknown, expected one of url, name, states"),
        ] {
            let text = format!("[[webhook]]\nurl = \"http://u:secret@host\"\n{line}\n");
            let Wrong { at, what } = parse(&text).unwrap_err();
            assert!(what.starts_with(expected), "{line}: {what}");
            assert!(text[..at].lines().count() >= 2 && !what.contains("secret"), "{line}: {at}");
        }
        for (text, expected) in [
            ("[[webhook]]\nname = \"a\"", "webhook.url: missing"),
            ("[webhook]\nurl = \"http://host\"", "webhook: expected [[webhook]], in double brackets"),
            ("[[slack]]\n", "slack: unknown, expected [[webhook]] or [[alertmanager]]"),
            ("[[webhook]]\nurl = \"secret://secret\"", "webhook.url: expected http://HOST, not the scheme secret"),
        ] {
            let what = parse(text).unwrap_err().what;
            assert!(what.starts_with(expected), "{text}: {what}");
        }
    }
}
