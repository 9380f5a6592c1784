//! Where a registry is.

use std::path::{Path, PathBuf};

use reqwest::Url;

use crate::ConfigError;
use crate::shown::{has_credentials, without_credentials};

/// Who is asked for over a socket, where nothing is looked up. A name of this machine, as servers want to see there.
const OVER_A_SOCKET: &str = "http://localhost";

/// A registry URL that can be used.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    base: Url,
    /// The socket to reach it over, if it is no port.
    socket: Option<PathBuf>,
    shown: String,
}

impl Place {
    pub(crate) fn parse(registry_url: &str) -> Result<Self, ConfigError> {
        let refused = |reason: String| ConfigError::RegistryUrl { url: without_credentials(registry_url), reason };
        if let Some(path) = registry_url.strip_prefix("unix:") {
            let socket = socket(path).map_err(|reason| refused(reason.to_owned()))?;
            let base = Url::parse(OVER_A_SOCKET).expect("it is a URL");
            return Ok(Self { base, socket: Some(socket), shown: registry_url.to_owned() });
        }
        let base = Url::parse(registry_url).map_err(|error| refused(format!("is no absolute URL: {error}")))?;
        match base.scheme() {
            "http" => {}
            "https" if cfg!(feature = "rustls") => {}
            "https" => return Err(ConfigError::HttpsUnsupported(without_credentials(registry_url))),
            _ => return Err(refused("is none of http://, https:// and unix://".to_owned())),
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(refused("has a query or fragment".to_owned()));
        }
        let shown = base.origin().ascii_serialization();
        Ok(Self { base, socket: None, shown })
    }

    /// The URL of a route.
    pub(crate) fn url(&self, route: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{route}", self.base.path().trim_end_matches('/')));
        url
    }

    #[cfg_attr(not(unix), expect(unused, reason = "there is none"))]
    pub(crate) fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// Without credentials.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn has_credentials(&self) -> bool {
        has_credentials(&self.base)
    }
}

/// The path is taken as it is: nothing in it is an escape, a query or a fragment.
fn socket(rest: &str) -> Result<PathBuf, &'static str> {
    if !cfg!(unix) {
        return Err("is a socket, which this system does not have");
    }
    match rest.strip_prefix("//") {
        Some(path) if path.len() > 1 && path.starts_with('/') => Ok(path.into()),
        _ => Err("is no socket: it takes unix:// and an absolute path"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        Place::parse(url).unwrap_err().to_string()
    }

    #[test]
    fn a_url_that_is_no_http_url_is_refused_with_its_reason() {
        assert_eq!(
            refused("localhost:8500"),
            "registry URL \"localhost:8500\" is none of http://, https:// and unix://"
        );
        assert!(refused("queen").contains("is no absolute URL"), "{}", refused("queen"));
        assert!(refused("http://queen:8500/?token=x").ends_with("has a query or fragment"));
    }

    #[test]
    fn routes_go_below_the_path_where_a_registry_is_mounted() {
        let url = |place: &str| Place::parse(place).unwrap().url("/v1/worker-heartbeat").to_string();
        assert_eq!(url("http://queen:8500"), "http://queen:8500/v1/worker-heartbeat");
        assert_eq!(url("http://queen:8500/mount/"), "http://queen:8500/mount/v1/worker-heartbeat");
    }

    #[cfg(unix)]
    #[test]
    fn a_socket_is_an_absolute_path_that_is_taken_as_it_is() {
        let place = Place::parse("unix:///run/hive 7/%20beats?.sock").unwrap();
        assert_eq!(place.socket(), Some(Path::new("/run/hive 7/%20beats?.sock")));
        assert_eq!(place.url("/v1/worker-heartbeat").as_str(), "http://localhost/v1/worker-heartbeat");
        assert_eq!(place.shown(), "unix:///run/hive 7/%20beats?.sock");
        for url in ["unix:", "unix://", "unix:///", "unix://run/hive.sock", "unix:/run/hive.sock", "unix:run"] {
            assert!(refused(url).ends_with("is no socket: it takes unix:// and an absolute path"), "{}", refused(url));
        }
    }
}
