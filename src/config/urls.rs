//! URLs of upstreams.

use std::net::IpAddr;

use reqwest::Url;

use super::values::{Fault, Parsed};

/// The URL of an upstream: no user info, query or fragment, and `https` unless it is on loopback.
pub(super) fn upstream(text: &str, allow_insecure: bool, accepted: &'static str) -> Parsed<Url> {
    let url = bare_url(text, accepted)?;
    if url.scheme() == "http" && !allow_insecure && !is_loopback(&url) {
        return Err(Fault::new(
            "is http:// outside loopback, where all that it carries is in clear",
            "an https:// URL, or ALLOW_INSECURE_UPSTREAMS=true",
        ));
    }
    Ok(url)
}

fn bare_url(text: &str, accepted: &'static str) -> Parsed<Url> {
    let fault = |wrong| Err(Fault::new(wrong, accepted));
    let Ok(url) = Url::parse(text) else {
        return fault("is not a URL");
    };
    if !matches!(url.scheme(), "http" | "https") || !text.contains("://") {
        return fault("is not an http:// or https:// URL");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return fault("has user info before its host");
    }
    if url.query().is_some() {
        return fault("has a query");
    }
    if url.fragment().is_some() {
        return fault("has a fragment");
    }
    Ok(url)
}

/// Whether the host is this machine, by address or by a reserved name.
pub(super) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

/// The same for a host alone; an IPv6 address with or without brackets.
pub(super) fn is_loopback_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_by_address_or_reserved_name() {
        let at = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for yes in [
            "http://127.0.0.1:9000",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://localhost",
            "http://r2.localhost",
        ] {
            assert!(at(yes), "{yes}");
        }
        for no in [
            "http://10.0.0.1",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://[::2]",
        ] {
            assert!(!at(no), "{no}");
        }
    }
}
