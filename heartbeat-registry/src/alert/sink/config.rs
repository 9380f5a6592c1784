//! Where alerts are sent, which, and how.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use heartbeat_contract::{HealthState, SinkKind};
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::rule::Rule;

/// Where alerts are sent, which, and how: see [`Fleet::send_alerts`](crate::Fleet::send_alerts).
#[derive(Clone)]
pub struct SinkConfig {
    /// What it speaks.
    pub kind: SinkKind,
    /// Where: the URL of a webhook, or of an Alertmanager, with the path before `/api/v2` if it has one. A user name and a
    /// password in it are sent as basic authentication. Neither they nor the path are ever shown.
    pub url: String,
    /// What stats and logs call it; by default what it speaks and the host of the URL. One that another sink has is
    /// given a number.
    pub name: Option<String>,
    /// Which alerts.
    pub rule: Rule,
    /// Headers to send along.
    pub headers: Vec<(String, String)>,
    /// A file that holds a bearer token to send along, and nothing else. It is read for each attempt, so that the token
    /// can be replaced.
    pub bearer_token_file: Option<PathBuf>,
    /// How long one attempt may take: 10 ms to 5 min, 10 s by default.
    pub timeout: Duration,
    /// How often a request is tried again that was not answered or was answered with 5xx, 408, 425 or 429: up to 20 times,
    /// 4 by default.
    pub retries: u32,
    /// How long the pause before the first other attempt is, give or take a half: 1 ms to 1 min, 1 s by default. Each pause
    /// is twice as long as the one before, at most 1 min. A longer `Retry-After` is obeyed, up to 1 min as well.
    pub first_pause: Duration,
    /// For how long after an alert of a member another one of the same member in the same state is held back; 1 min by
    /// default, zero for never. It is told when that is over, if the member is still in that state.
    pub cooldown: Duration,
    /// How people reach this registry: told with each alert.
    pub registry_url: Option<String>,
}

/// A setting of a sink that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct InvalidSink {
    /// The field of [`SinkConfig`], or of its [`Rule`].
    pub setting: &'static str,
    why: String,
}

/// What is sent with each request.
pub(super) struct Envelope {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl SinkConfig {
    /// Sends each alert, and each end of one, as a JSON document of its own, with the header `Idempotency-Key`.
    #[must_use]
    pub fn webhook(url: impl Into<String>) -> Self {
        Self::new(SinkKind::Webhook, url.into())
    }

    /// Tells an Alertmanager which alerts last, each minute, and when they end. `url` is what it is reached at, without
    /// `/api/v2/alerts`.
    #[must_use]
    pub fn alertmanager(url: impl Into<String>) -> Self {
        Self::new(SinkKind::Alertmanager, url.into())
    }

    fn new(kind: SinkKind, url: String) -> Self {
        Self {
            kind,
            url,
            name: None,
            rule: Rule::default(),
            headers: Vec::new(),
            bearer_token_file: None,
            timeout: Duration::from_secs(10),
            retries: 4,
            first_pause: Duration::from_secs(1),
            cooldown: Duration::from_mins(1),
            registry_url: None,
        }
    }

    /// Checks every setting, but not whether anyone answers.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), InvalidSink> {
        self.envelope().map(drop)
    }

    pub(super) fn envelope(&self) -> Result<Envelope, InvalidSink> {
        if self.kind == SinkKind::Unknown {
            return Err(invalid("kind", "expected webhook or alertmanager".to_owned()));
        }
        self.check_rule()?;
        let millis = Duration::from_millis;
        within("timeout", self.timeout, millis(10), Duration::from_mins(5))?;
        within("first_pause", self.first_pause, millis(1), Duration::from_mins(1))?;
        if self.retries > 20 {
            return Err(invalid("retries", format!("{} is more than 20", self.retries)));
        }
        if let Some(path) = &self.bearer_token_file {
            bearer(path).map_err(|why| invalid("bearer_token_file", why))?;
        }
        if let Some(url) = &self.registry_url {
            http("registry_url", url)?;
        }
        Ok(Envelope { url: self.target()?, headers: self.header_map()? })
    }

    /// What it is called.
    pub(super) fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.default_name())
    }

    fn default_name(&self) -> String {
        let shown = self.url.parse::<Url>().ok().and_then(|url| {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            Some(format!("{}{port}", url.host_str()?))
        });
        format!("{} {}", self.kind, shown.unwrap_or_default()).trim_end().to_owned()
    }

    fn check_rule(&self) -> Result<(), InvalidSink> {
        if self.rule.states.is_empty() {
            return Err(invalid("states", "expected at least one of degraded, critical, failed".to_owned()));
        }
        let odd = self.rule.states.iter().find(|state| matches!(state, HealthState::Healthy | HealthState::Left));
        match odd {
            Some(state) => Err(invalid("states", format!("{state} is no alert: expected degraded, critical, failed"))),
            None => Ok(()),
        }
    }

    fn target(&self) -> Result<Url, InvalidSink> {
        let mut url = http("url", &self.url)?;
        if self.kind == SinkKind::Alertmanager {
            if url.query().is_some() {
                return Err(invalid("url", "expected no query for an Alertmanager".to_owned()));
            }
            let path = format!("{}/api/v2/alerts", url.path().trim_end_matches('/'));
            url.set_path(&path);
        }
        Ok(url)
    }

    fn header_map(&self) -> Result<HeaderMap, InvalidSink> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let refused = |what: &str| invalid("headers", format!("{name:?}: {what}"));
            let key = HeaderName::try_from(name).map_err(|_| refused("no name of a header"))?;
            let is_ours = ["content-type", "content-length", "host", "idempotency-key"].contains(&key.as_str());
            if is_ours || (key == "authorization" && self.bearer_token_file.is_some()) {
                return Err(refused("is set by this registry"));
            }
            let mut value = HeaderValue::try_from(value).map_err(|_| refused("no value that a header can carry"))?;
            value.set_sensitive(true);
            headers.append(key, value);
        }
        Ok(headers)
    }
}

/// Reads a token: one word and nothing else.
pub(super) fn bearer(path: &std::path::Path) -> Result<HeaderValue, String> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
    let mut words = text.split_whitespace();
    let (Some(token), None) = (words.next(), words.next()) else {
        return Err(format!("{shown}: expected a token and nothing else"));
    };
    let mut value = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| format!("{shown}: the token holds what no header can carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Never shows the text, which may hold a secret.
fn http(setting: &'static str, text: &str) -> Result<Url, InvalidSink> {
    let url: Url = text.parse().map_err(|error| invalid(setting, format!("expected http://HOST ({error})")))?;
    match url.scheme() {
        "http" => Ok(url),
        "https" if setting != "url" || cfg!(feature = "rustls") => Ok(url),
        "https" => Err(invalid(setting, "https needs the feature `rustls` of heartbeat-registry".to_owned())),
        other => Err(invalid(setting, format!("expected http://HOST, not the scheme {other}"))),
    }
}

fn within(setting: &'static str, value: Duration, min: Duration, max: Duration) -> Result<(), InvalidSink> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(invalid(setting, format!("{value:?} is outside {min:?} to {max:?}")))
}

pub(super) fn invalid(setting: &'static str, why: String) -> InvalidSink {
    InvalidSink { setting, why }
}

impl fmt::Debug for SinkConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkConfig").field("name", &self.name()).field("rule", &self.rule).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(config: &SinkConfig) -> String {
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn a_url_is_refused_without_being_shown() {
        for url in ["", "queen", "ftp://u:secret@host", "http://", "http://u:secret@ho st"] {
            let refused = refused(&SinkConfig::webhook(url));
            assert!(refused.starts_with("url: ") && !refused.contains("secret"), "{refused}");
        }
        #[cfg(not(feature = "rustls"))]
        assert!(refused(&SinkConfig::webhook("https://u:secret@host")).contains("`rustls`"));
    }

    #[test]
    fn what_it_is_called_and_debug_show_neither_password_nor_path() {
        let config = SinkConfig::webhook("http://u:secret@host:81/secret?secret");
        config.validate().unwrap();
        assert_eq!(config.default_name(), "webhook host:81");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn an_alertmanager_is_asked_behind_the_path_it_is_reached_at() {
        for (url, target) in [
            ("http://host:9093", "http://host:9093/api/v2/alerts"),
            ("http://host/am/", "http://host/am/api/v2/alerts"),
        ] {
            assert_eq!(SinkConfig::alertmanager(url).target().unwrap().as_str(), target);
        }
        assert!(SinkConfig::alertmanager("http://host/?a=b").validate().is_err());
    }

    #[test]
    fn settings_that_make_no_sense_are_named() {
        let good = SinkConfig::webhook("http://host");
        assert_eq!(good.validate(), Ok(()));
        let with = |change: fn(&mut SinkConfig)| {
            let mut config = good.clone();
            change(&mut config);
            refused(&config)
        };
        assert!(with(|config| config.timeout = Duration::ZERO).starts_with("timeout: 0ns is outside"));
        assert!(with(|config| config.kind = SinkKind::Unknown).starts_with("kind: "));
        assert!(with(|config| config.retries = 21).starts_with("retries: 21"));
        assert!(with(|config| config.rule.states.clear()).starts_with("states: "));
        assert!(with(|config| config.rule.states.push(HealthState::Left)).starts_with("states: left"));
        assert!(with(|config| config.bearer_token_file = Some("/nowhere".into())).contains("/nowhere"));
        assert!(with(|config| config.headers = vec![("a b".into(), "c".into())]).contains("\"a b\""));
        assert!(with(|config| config.headers = vec![("Host".into(), "c".into())]).contains("set by"));
        assert!(with(|config| config.registry_url = Some("x".into())).starts_with("registry_url: "));
    }
}
