//! URLs as they may be shown.

/// A URL without the user name and password it may hold.
pub(crate) fn without_credentials(url: &str) -> String {
    #[cfg(feature = "http")]
    if let Ok(mut parsed) = reqwest::Url::parse(url)
        && parsed.has_host()
    {
        if !has_credentials(&parsed) {
            return url.to_owned();
        }
        if parsed.set_username("").is_ok() && parsed.set_password(None).is_ok() {
            return parsed.into();
        }
    }
    // A password with a `/` of its own, or a URL without its scheme, keeps it from being read as one.
    url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned()
}

#[cfg(feature = "http")]
pub(crate) fn has_credentials(url: &reqwest::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

#[cfg(test)]
mod tests {
    use super::without_credentials;

    #[test]
    fn neither_user_nor_password_is_left_in_a_url() {
        for url in [
            "http://me:secret@queen:8500/",
            "http://secret@queen:8500/",
            "http:/me:secret@queen:8500/",
            "http://me:sec/secret@queen:8500/",
            "me:secret@queen:8500/",
        ] {
            let shown = without_credentials(url);
            assert!(shown.ends_with("queen:8500/") && !shown.contains("secret"), "{url}: {shown}");
        }
    }

    #[test]
    fn a_url_without_credentials_is_shown_as_it_is() {
        for url in ["http://queen:8500", "https://queen.example/mount", "localhost:8500", "queen", ""] {
            assert_eq!(without_credentials(url), url);
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn an_at_sign_in_the_path_is_no_password() {
        assert_eq!(without_credentials("http://queen:8500/team@home"), "http://queen:8500/team@home");
    }
}
