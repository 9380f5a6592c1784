use std::fmt;

use reqwest::Url;

/// Path asked for where a URL names none.
const DEFAULT_PATH: &str = "/health";

/// Why a URL cannot be probed at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The text is no absolute URL, or it has no host.
    #[error("cannot use `{url}` as a URL")]
    #[non_exhaustive]
    Unparsable {
        /// The text as given, without credentials.
        url: String,
        /// What the parser objected to.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Neither `http` nor `https`. A missing `http://` ends here too: in `localhost:80` the scheme is `localhost`.
    #[error("scheme `{scheme}` of `{url}` is not supported, only http:// and https:// are")]
    #[non_exhaustive]
    Scheme {
        /// The URL, without credentials.
        url: String,
        /// The scheme found in it.
        scheme: String,
    },
    /// `https` in a build without TLS.
    #[error("`{url}` needs TLS, which this build lacks: enable feature `rustls` of daemon-lifecycle")]
    #[non_exhaustive]
    TlsNotBuilt {
        /// The URL, without credentials.
        url: String,
    },
}

/// A URL that can be probed. `Display` leaves credentials out.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    shown: String,
}

impl Target {
    /// With `path`, that path (and query) replaces the URL's own; without, a bare `/` becomes `/health`.
    pub(crate) fn parse(text: &str, path: Option<&str>) -> Result<Self, UrlError> {
        let mut url =
            Url::parse(text).map_err(|source| UrlError::Unparsable { url: shown(text), source: source.into() })?;
        check_scheme(&url)?;
        match path {
            Some(path) => replace_path(&mut url, path),
            None if url.path() == "/" => url.set_path(DEFAULT_PATH),
            None => {}
        }
        url.set_fragment(None);
        let shown = without_credentials(&url);
        Ok(Self { url, shown })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    pub(crate) fn has_credentials(&self) -> bool {
        has_credentials(&self.url)
    }

    /// An IPv6 address without its brackets.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let host = self.url.host_str().expect("a URL with http or https has a host");
        let port = self.url.port_or_known_default().expect("http and https have a port");
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn check_scheme(url: &Url) -> Result<(), UrlError> {
    match url.scheme() {
        "http" => Ok(()),
        "https" if cfg!(feature = "rustls") => Ok(()),
        "https" => Err(UrlError::TlsNotBuilt { url: without_credentials(url) }),
        scheme => Err(UrlError::Scheme { url: without_credentials(url), scheme: scheme.to_owned() }),
    }
}

fn replace_path(url: &mut Url, path: &str) {
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    url.set_path(path);
    url.set_query(query);
}

/// What may be shown of a text that is meant to be a URL: all but credentials.
pub(crate) fn shown(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.has_host() && !has_credentials(&url) => text.to_owned(),
        Ok(url) => without_credentials(&url),
        Err(_) => after_credentials(text),
    }
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn without_credentials(url: &Url) -> String {
    let mut shown = url.clone();
    // Both fail where a URL has no host, as one whose scheme was forgotten and whose user name passes for it.
    if shown.set_username("").is_ok() && shown.set_password(None).is_ok() {
        return shown.into();
    }
    after_credentials(url.as_str())
}

/// A password with a `/` of its own keeps a text from being a URL, and is still a password.
fn after_credentials(text: &str) -> String {
    text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Target, UrlError};

    fn shown(url: &str, path: Option<&str>) -> String {
        Target::parse(url, path).expect("a usable URL").to_string()
    }

    #[test]
    fn a_url_without_path_means_health() {
        assert_eq!(shown("http://h:1", None), "http://h:1/health");
        assert_eq!(shown("http://h:1/", None), "http://h:1/health");
        assert_eq!(shown("http://[::1]:1", None), "http://[::1]:1/health");
        assert_eq!(shown("http://h:1/readyz", None), "http://h:1/readyz");
    }

    #[test]
    fn a_given_path_replaces_the_path_and_query_but_never_the_host() {
        assert_eq!(shown("http://h:1/a?b=c", Some("/readyz")), "http://h:1/readyz");
        assert_eq!(shown("http://h:1", Some("livez")), "http://h:1/livez");
        assert_eq!(shown("http://h:1", Some("/readyz?verbose")), "http://h:1/readyz?verbose");
        assert_eq!(shown("http://h:1", Some("//evil/x")), "http://h:1//evil/x");
    }

    #[test]
    fn a_host_is_told_in_its_plainest_form() {
        for (url, host, port) in [
            ("http://h:1", "h", 1),
            ("http://H/", "h", 80),
            ("http://[::1]:1", "::1", 1),
            ("http://2130706433", "127.0.0.1", 80),
            ("http://0x7f.1", "127.0.0.1", 80),
        ] {
            assert_eq!(Target::parse(url, None).expect("a usable URL").host_and_port(), (host, port));
        }
    }

    #[test]
    fn credentials_are_used_but_not_shown() {
        let target = Target::parse("http://user:secret@h:1/x", None).expect("a usable URL");
        assert_eq!(target.to_string(), "http://h:1/x");
        assert_eq!(target.url.password(), Some("secret"));
    }

    #[test]
    fn credentials_in_an_unusable_url_are_not_shown() {
        for text in ["ftp://user:secret@h:1/x", "http://user:se/secret@h:1/x", "user:secret@h:1/x"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(error.to_string().contains("h:1/x"), "{error}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
    }

    #[test]
    fn an_unusable_url_says_why() {
        for text in ["", "nonsense", "http://", "/health"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(matches!(error, UrlError::Unparsable { .. }), "{text}: {error}");
        }
        for text in ["localhost:8080", "ftp://h/", "unix:///run/x.sock"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(matches!(error, UrlError::Scheme { .. }), "{text}: {error}");
        }
    }

    #[cfg(not(feature = "rustls"))]
    #[test]
    fn https_without_tls_names_the_feature() {
        let error = Target::parse("https://h/", None).expect_err("no TLS in this build");
        assert!(error.to_string().contains("feature `rustls`"), "{error}");
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn https_is_accepted_with_tls() {
        assert_eq!(shown("https://h", None), "https://h/health");
    }
}
