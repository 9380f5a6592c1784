use std::{borrow::Cow, fmt, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use url::Url;

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
    /// No scheme that can be probed. A missing `http://` ends here too: in `localhost:80` the scheme is `localhost`.
    #[error("scheme `{scheme}` of `{url}` is not supported, only {SCHEMES} are")]
    #[non_exhaustive]
    Scheme {
        /// The URL, without credentials.
        url: String,
        /// The scheme found in it.
        scheme: String,
    },
    /// The URL lacks what its scheme needs, or has what its scheme has no use for.
    #[error("`{url}` {problem}")]
    #[non_exhaustive]
    Form {
        /// The URL, without credentials.
        url: String,
        /// Such as `has no port`.
        problem: &'static str,
    },
    /// `https` in a build without TLS.
    #[error("`{url}` needs TLS, which this build lacks: enable feature `rustls` of daemon-lifecycle")]
    #[non_exhaustive]
    TlsNotBuilt {
        /// The URL, without credentials.
        url: String,
    },
}

/// Those that this build can ask.
const SCHEMES: &str = match (cfg!(feature = "rustls"), cfg!(unix)) {
    (true, true) => "http://, https://, tcp://, unix:// and http+unix://",
    (true, false) => "http://, https:// and tcp://",
    (false, true) => "http://, tcp://, unix:// and http+unix://",
    (false, false) => "http:// and tcp://",
};

/// A URL that can be probed. `Display` leaves credentials out.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(super) place: Place,
    /// What to ask for there; `None` where a connection says it all.
    pub(super) http: Option<HttpTarget>,
    has_credentials: bool,
    shown: String,
}

/// Where to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// An IPv6 address stands here without its brackets.
    Host {
        host: String,
        port: u16,
    },
    Socket(PathBuf),
}

#[derive(Clone)]
pub(super) struct HttpTarget {
    pub(super) tls: bool,
    /// What goes into the `Host` header.
    pub(super) authority: String,
    pub(super) path_and_query: String,
    /// The `Authorization` header made of the URL's credentials.
    pub(super) authorization: Option<String>,
}

impl Target {
    /// With `path`, that path (and query) replaces the URL's own; without, a bare `/` becomes `/health`.
    pub(crate) fn parse(text: &str, path: Option<&str>) -> Result<Self, UrlError> {
        let mut url = Url::parse(text).map_err(|error| {
            let source = match error {
                url::ParseError::RelativeUrlWithoutBase => "it has no scheme, such as http://".into(),
                other => other.into(),
            };
            UrlError::Unparsable { url: shown(text), source }
        })?;
        check_scheme(&url)?;
        url.set_fragment(None);
        let form = |problem| UrlError::Form { url: without_credentials(&url), problem };
        let place = place(&url).map_err(form)?;
        if matches!(url.scheme(), "tcp" | "unix") {
            if path.is_some() || url.query().is_some() {
                return Err(form("is answered by a connection alone, there is no path to ask for"));
            }
        } else {
            set_path(&mut url, path);
        }
        Ok(Self { place, http: http(&url), has_credentials: has_credentials(&url), shown: without_credentials(&url) })
    }

    pub(crate) fn has_credentials(&self) -> bool {
        self.has_credentials
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for HttpTarget {
    /// Leaves out the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tls, authority, path_and_query, .. } = self;
        write!(f, "HttpTarget({authority}{path_and_query}, tls: {tls})")
    }
}

fn check_scheme(url: &Url) -> Result<(), UrlError> {
    match url.scheme() {
        "http" | "tcp" => Ok(()),
        "unix" | "http+unix" if cfg!(unix) => Ok(()),
        "https" if cfg!(feature = "rustls") => Ok(()),
        "https" => Err(UrlError::TlsNotBuilt { url: without_credentials(url) }),
        scheme => Err(UrlError::Scheme { url: without_credentials(url), scheme: scheme.to_owned() }),
    }
}

fn place(url: &Url) -> Result<Place, &'static str> {
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        "unix" if !host.is_empty() => Err("names a host; the path of a socket takes three slashes, as unix:///run/x"),
        "unix" => socket(url.path()),
        "http+unix" => socket(host),
        scheme => {
            if host.is_empty() {
                return Err("has no host");
            }
            if scheme == "tcp" && !matches!(url.path(), "" | "/") {
                return Err("is answered by a connection alone, there is no path to ask for");
            }
            let port = url.port_or_known_default().ok_or("has no port")?;
            Ok(Place::Host { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port })
        }
    }
}

fn socket(encoded: &str) -> Result<Place, &'static str> {
    let path: Cow<'_, [u8]> = percent_decode_str(encoded).into();
    if !path.starts_with(b"/") {
        return Err("names no socket by its whole path, as http+unix://%2Frun%2Fx.sock/readyz does");
    }
    #[cfg(unix)]
    let path = PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path.into_owned()));
    #[cfg(not(unix))]
    let path = PathBuf::from(String::from_utf8_lossy(&path).into_owned());
    Ok(Place::Socket(path))
}

fn http(url: &Url) -> Option<HttpTarget> {
    let authority = match (url.scheme(), url.port()) {
        ("tcp" | "unix", _) => return None,
        ("http+unix", _) => "localhost".to_owned(),
        (_, Some(port)) => format!("{}:{port}", url.host_str()?),
        (_, None) => url.host_str()?.to_owned(),
    };
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(HttpTarget {
        tls: url.scheme() == "https",
        authority,
        path_and_query: format!("{}{query}", url.path()),
        authorization: authorization(url),
    })
}

fn authorization(url: &Url) -> Option<String> {
    if !has_credentials(url) {
        return None;
    }
    let mut pair: Vec<u8> = percent_decode_str(url.username()).collect();
    pair.push(b':');
    pair.extend(percent_decode_str(url.password().unwrap_or_default()));
    Some(format!("Basic {}", BASE64_STANDARD.encode(pair)))
}

fn set_path(url: &mut Url, path: Option<&str>) {
    let Some(path) = path else {
        if matches!(url.path(), "" | "/") {
            url.set_path(DEFAULT_PATH);
        }
        return;
    };
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
    use super::{Place, Target, UrlError};

    fn target(url: &str) -> Target {
        Target::parse(url, None).expect("a usable URL")
    }

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
            ("tcp://h:1", "h", 1),
            ("tcp://[::1]:1/", "::1", 1),
        ] {
            assert_eq!(target(url).place, Place::Host { host: host.to_owned(), port }, "{url}");
        }
    }

    #[test]
    fn credentials_are_used_but_not_shown() {
        let target = target("http://user:se%40cret@h:1/x");
        assert_eq!(target.to_string(), "http://h:1/x");
        assert!(target.has_credentials());
        let authorization = target.http.as_ref().and_then(|http| http.authorization.clone());
        assert_eq!(authorization.as_deref(), Some("Basic dXNlcjpzZUBjcmV0"));
        assert!(!format!("{target:?}").contains("dXNl"), "{target:?}");
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
        for text in ["localhost:8080", "ftp://h/", "exec:true", "file:///etc/passwd"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(matches!(error, UrlError::Scheme { .. }), "{text}: {error}");
        }
        for text in ["tcp://h", "tcp://h:1/x", "tcp://h:1?x"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(matches!(error, UrlError::Form { .. }), "{text}: {error}");
        }
        let error = Target::parse("tcp://h:1", Some("/x")).expect_err("there is no path to replace");
        assert!(matches!(error, UrlError::Form { .. }), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_unix_socket_is_named_by_its_path_and_http_over_it_by_a_path_in_place_of_the_host() {
        let socket = |url: &str| match target(url).place {
            Place::Socket(path) => path.into_os_string().into_string().expect("a readable path"),
            other @ Place::Host { .. } => panic!("{other:?}"),
        };
        assert_eq!(socket("unix:///run/my%20daemon.sock"), "/run/my daemon.sock");
        assert!(target("unix:///run/x.sock").http.is_none());
        assert_eq!(socket("http+unix://%2Frun%2FX.sock/readyz"), "/run/X.sock");
        assert_eq!(shown("http+unix://%2Frun%2Fx.sock", None), "http+unix://%2Frun%2Fx.sock/health");
        for text in ["unix://run/x.sock", "unix:x.sock", "http+unix:///run/x.sock", "http+unix://x.sock/readyz"] {
            let error = Target::parse(text, None).expect_err(text);
            assert!(matches!(error, UrlError::Form { .. }), "{text}: {error}");
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
