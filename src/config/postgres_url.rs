//! URLs of Postgres: complete, so that nothing comes from `PG…` variables or the name of the Unix user, and
//! without a parameter that sqlx does not know: it would log that one with its value.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::urls;
use super::values::{Fault, Parsed};

const ACCEPTED: &str = "postgres://user:password@host/database, other characters than letters and digits in each part percent-encoded";
const PARAMETERS: &str = "sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password and application_name, each once and with a value";
const MODES: &str = "sslmode of disable, allow, prefer, require, verify-ca or verify-full";
const TLS: &str = "sslmode=require, verify-ca or verify-full, or ALLOW_INSECURE_UPSTREAMS=true";

/// What a parameter sets. `hostaddr` is another way to say `host`: sqlx connects to the last of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    User,
    Password,
    Host,
    Port,
    Database,
    Mode,
    Certificate,
    ClientCertificate,
    ClientKey,
    Application,
}

/// Names as libpq has them; sqlx's other spellings are left out.
const KNOWN: &[(&str, Part)] = &[
    ("user", Part::User),
    ("password", Part::Password),
    ("host", Part::Host),
    ("hostaddr", Part::Host),
    ("port", Part::Port),
    ("dbname", Part::Database),
    ("sslmode", Part::Mode),
    ("sslrootcert", Part::Certificate),
    ("sslcert", Part::ClientCertificate),
    ("sslkey", Part::ClientKey),
    ("application_name", Part::Application),
];

/// From sqlx's `PgSslMode`, and whether that mode never sends a password in clear.
const SSL_MODES: &[(&str, bool)] = &[
    ("disable", false),
    ("allow", false),
    ("prefer", false),
    ("require", true),
    ("verify-ca", true),
    ("verify-full", true),
];

/// Refuses what sqlx would not take, what it would take from elsewhere, and a way that may be in clear.
pub(super) fn check(text: &str, insecure: bool) -> Parsed<()> {
    let parts = parts(text)?;
    let part = |wanted| {
        let found = parts.iter().find(|(part, _)| *part == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let fault = |wrong| Err(Fault::new(wrong, ACCEPTED));
    if part(Part::User).is_none() {
        return fault("has no user");
    }
    let Some(host) = part(Part::Host) else {
        return fault("has no host");
    };
    match part(Part::Database) {
        None => return fault("has no database"),
        Some(name) if name.contains('/') => return fault("has more than a database in its path"),
        Some(_) => (),
    }
    if part(Part::Port).is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err(Fault::new("has a malformed port", "a port from 1 to 65535"));
    }
    let encrypted = match part(Part::Mode) {
        None => false,
        Some(mode) => match SSL_MODES.iter().find(|(known, _)| *known == mode) {
            None => return Err(Fault::new("has an unknown sslmode", MODES)),
            Some((_, encrypted)) => *encrypted,
        },
    };
    if host.starts_with('/') {
        return Ok(());
    }
    if !is_host(host) {
        return fault("has a host that is neither a name, an address nor the folder of a socket");
    }
    if !encrypted && !insecure && !urls::is_loopback_host(&host.to_ascii_lowercase()) {
        return Err(Fault::new(
            "may send its password in clear: its host is outside loopback, and its sslmode lets the server refuse TLS",
            TLS,
        ));
    }
    Ok(())
}

/// The password, wherever it stands.
pub(super) fn password(text: &str) -> Option<String> {
    let parts = parts(text).ok()?.into_iter();
    let mut passwords = parts.filter(|(part, _)| *part == Part::Password);
    passwords.next().map(|(_, password)| password)
}

/// What the URL says, decoded, nothing twice.
fn parts(text: &str) -> Parsed<Vec<(Part, String)>> {
    let Ok(url) = Url::parse(text) else {
        return Err(Fault::new("is not a URL", ACCEPTED));
    };
    if url.fragment().is_some() {
        return Err(Fault::new("has a fragment", ACCEPTED));
    }
    let mut parts: Vec<(Part, String)> = Vec::new();
    for (part, encoded) in [
        (Part::User, Some(url.username())),
        (Part::Password, url.password()),
        (Part::Host, url.host_str()),
        (Part::Database, url.path().strip_prefix('/')),
    ] {
        let Some(encoded) = encoded.filter(|encoded| !encoded.is_empty()) else {
            continue;
        };
        let Ok(decoded) = percent_decode_str(encoded).decode_utf8() else {
            return Err(Fault::new("is not UTF-8 once decoded", ACCEPTED));
        };
        parts.push((part, decoded.into_owned()));
    }
    parts.extend(url.port().map(|port| (Part::Port, port.to_string())));
    for (name, value) in url.query_pairs() {
        let fault = |wrong| Err(Fault::new(wrong, PARAMETERS));
        let Some((_, part)) = KNOWN.iter().find(|(known, _)| *known == name) else {
            return fault("has a parameter that is not known");
        };
        if value.is_empty() {
            return fault("has a parameter without a value");
        }
        if parts.iter().any(|(other, _)| other == part) {
            return fault("says a part twice");
        }
        if name == "hostaddr" && value.parse::<IpAddr>().is_err() {
            return fault("has a hostaddr that is not an IP address");
        }
        parts.push((*part, value.into_owned()));
    }
    Ok(parts)
}

/// One host: libpq's lists of them are not for sqlx.
fn is_host(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    bare.parse::<IpAddr>().is_ok() || host.bytes().all(plain)
}
