//! `HTTPS_PROXY`: a URL that may hold a password.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

use super::types::Problem;
use super::values::{Fault, Parsed};

const ACCEPTED: &str =
    "host and port, such as http://proxy.example.com:3128, optionally with user:password@";

/// The URL of the proxy: scheme, user info, host and port. Neither `Debug` nor `Display` shows user info.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The URL with its user info, for the client alone.
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = &self.0;
        let user_info = !url.username().is_empty() || url.password().is_some();
        let mask = if user_info { "***@" } else { "" };
        let host = url.host_str().unwrap_or_default();
        write!(f, "{}://{mask}{host}", url.scheme())?;
        url.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl FromStr for ProxyUrl {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        parse(text).map_err(|fault| fault.of("HTTPS_PROXY"))
    }
}

/// `http` is the usual scheme, also where none is written: what goes through the proxy is a TLS tunnel.
pub(super) fn parse(text: &str) -> Parsed<ProxyUrl> {
    let fault = |wrong| Err(Fault::new(wrong, ACCEPTED));
    let url = if text.contains("://") {
        Url::parse(text)
    } else if text
        .rsplit('@')
        .next()
        .is_some_and(|host| host.contains(':'))
    {
        Url::parse(&format!("http://{text}"))
    } else {
        // One word may be anything, a key as well, and its text would be taken for a host.
        return fault("has neither http:// nor a port");
    };
    let Ok(url) = url else {
        return fault("is not a URL");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return fault("is not an http:// or https:// URL");
    }
    if url.query().is_some() {
        return fault("has a query");
    }
    if url.fragment().is_some() {
        return fault("has a fragment");
    }
    if url.path() != "/" {
        return fault("has a path");
    }
    Ok(ProxyUrl(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_is_kept_and_not_shown_and_the_scheme_may_be_missing() {
        for (text, shown) in [
            (
                "http://proxy.example.com:3128",
                "http://proxy.example.com:3128",
            ),
            ("proxy.example.com:3128/", "http://proxy.example.com:3128"),
            ("http://me:p%40w@[::1]:3128", "http://***@[::1]:3128"),
            (
                "me:pw@proxy.example.com:3128",
                "http://***@proxy.example.com:3128",
            ),
            (
                "https://me@proxy.example.com",
                "https://***@proxy.example.com",
            ),
        ] {
            let proxy: ProxyUrl = text.parse().unwrap();
            assert_eq!(proxy.to_string(), shown);
            assert_eq!(format!("{proxy:?}"), format!("ProxyUrl({shown})"));
        }
        let proxy: ProxyUrl = "me:pw@proxy.example.com:3128".parse().unwrap();
        assert_eq!(
            (proxy.expose().username(), proxy.expose().password()),
            ("me", Some("pw"))
        );
    }
}
