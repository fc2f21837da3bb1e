//! Transport failures, told apart: the client library itself knows only "connect" and "timeout".

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};

use super::dns::DnsError;
use crate::check::Finding;
use crate::detail::Detail;
use crate::reason::{CONNECT_ERROR, DNS_ERROR, INVALID_RESPONSE, Reason, TIMEOUT, TLS_ERROR};

/// Why a call brought no answer, or an answer no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The deadline passed.
    Timeout,
    /// The name did not resolve.
    Dns,
    /// The resolver kept silent.
    DnsTimeout,
    /// Refused, reset, unreachable.
    Connect,
    /// No connection within the connect timeout: packets are dropped on the way.
    ConnectTimeout,
    /// Closed before the answer's head was complete.
    Closed,
    /// The TLS handshake failed.
    Tls(TlsFailure),
    /// What came back is not HTTP/1.
    NotHttp,
    /// The body exceeds [`super::BODY_LIMIT`].
    TooLarge,
    /// The body ended before its announced length.
    Cut,
    /// The body is compressed although no encoding was offered.
    Compressed,
}

/// Why a TLS handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFailure {
    /// The server sent alert 40: it has no certificate for this name, or shares no cipher.
    HandshakeFailure,
    /// The server sent another alert.
    Alert,
    /// The certificate's time is over.
    Expired,
    /// The certificate's time has not come, or this machine's clock is behind.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// Signed by an authority that is not trusted here.
    UnknownIssuer,
    /// Another fault of the certificate.
    BadCertificate,
    /// The port does not speak TLS.
    NotTls,
    /// No version or cipher in common.
    Incompatible,
    /// The connection ended during the handshake.
    Closed,
    /// Anything else.
    Other,
}

impl Failure {
    /// What stopped a request before the head of its answer was there.
    pub(super) fn of_head(error: &reqwest::Error) -> Failure {
        if let Some(dns) = find::<DnsError>(error) {
            return match dns {
                DnsError::Refused(_) => Failure::Dns,
                DnsError::Silent => Failure::DnsTimeout,
            };
        }
        if let Some(tls) = find::<rustls::Error>(error) {
            return Failure::Tls(TlsFailure::of(tls));
        }
        if error.is_connect() {
            return match find::<io::Error>(error).map(io::Error::kind) {
                _ if error.is_timeout() => Failure::ConnectTimeout,
                // TCP itself never reports this while connecting.
                Some(io::ErrorKind::UnexpectedEof) => Failure::Tls(TlsFailure::Closed),
                _ => Failure::Connect,
            };
        }
        match find::<hyper::Error>(error) {
            Some(error) if error.is_parse() => Failure::NotHttp,
            _ if error.is_timeout() => Failure::Timeout,
            _ => Failure::Closed,
        }
    }

    /// What stopped a body.
    pub(super) fn of_body(error: &reqwest::Error) -> Failure {
        if error.is_timeout() {
            Failure::Timeout
        } else {
            Failure::Cut
        }
    }

    /// As a finding.
    pub fn finding(self) -> Finding {
        let (reason, detail) = self.told();
        Finding::new(reason).detail(if detail.is_empty() {
            Detail::new()
        } else {
            Detail::new().text(detail)
        })
    }

    fn told(self) -> (&'static Reason, &'static str) {
        match self {
            Failure::Timeout => (&TIMEOUT, ""),
            Failure::Dns => (&DNS_ERROR, ""),
            Failure::DnsTimeout => (&DNS_ERROR, "the resolver did not answer in time"),
            Failure::Connect => (&CONNECT_ERROR, ""),
            Failure::ConnectTimeout => (&CONNECT_ERROR, "no connection within 3 s"),
            Failure::Closed => (&CONNECT_ERROR, "closed before an answer came"),
            Failure::Tls(tls) => (&TLS_ERROR, tls.told()),
            Failure::NotHttp => (&INVALID_RESPONSE, "not HTTP"),
            Failure::TooLarge => (&INVALID_RESPONSE, "larger than 64 KiB"),
            Failure::Cut => (&INVALID_RESPONSE, "cut short"),
            Failure::Compressed => (
                &INVALID_RESPONSE,
                "compressed although no encoding was offered",
            ),
        }
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Finding {
        failure.finding()
    }
}

impl TlsFailure {
    fn of(error: &rustls::Error) -> TlsFailure {
        use rustls::Error as E;
        match error {
            E::AlertReceived(AlertDescription::HandshakeFailure) => TlsFailure::HandshakeFailure,
            E::AlertReceived(_) => TlsFailure::Alert,
            E::InvalidCertificate(fault) => TlsFailure::of_certificate(fault),
            E::NoCertificatesPresented => TlsFailure::BadCertificate,
            E::InvalidMessage(_) => TlsFailure::NotTls,
            E::PeerIncompatible(_) => TlsFailure::Incompatible,
            _ => TlsFailure::Other,
        }
    }

    fn of_certificate(fault: &CertificateError) -> TlsFailure {
        use CertificateError as C;
        match fault {
            C::Expired | C::ExpiredContext { .. } => TlsFailure::Expired,
            C::NotValidYet | C::NotValidYetContext { .. } => TlsFailure::NotYetValid,
            C::NotValidForName | C::NotValidForNameContext { .. } => TlsFailure::WrongName,
            C::UnknownIssuer => TlsFailure::UnknownIssuer,
            _ => TlsFailure::BadCertificate,
        }
    }

    fn told(self) -> &'static str {
        match self {
            TlsFailure::HandshakeFailure => "the server refused with handshake_failure",
            TlsFailure::Alert => "the server refused with an alert",
            TlsFailure::Expired => "the certificate has expired, or this machine's clock is ahead",
            TlsFailure::NotYetValid => {
                "the certificate is not valid yet, or this machine's clock is behind"
            }
            TlsFailure::WrongName => "the certificate is for another host",
            TlsFailure::UnknownIssuer => {
                "the certificate's issuer is not trusted here (CA bundle missing, or TLS intercepted)"
            }
            TlsFailure::BadCertificate => "the certificate is not acceptable",
            TlsFailure::NotTls => "the port does not speak TLS",
            TlsFailure::Incompatible => "no TLS version or cipher in common",
            TlsFailure::Closed => "closed during the handshake",
            TlsFailure::Other => "the handshake broke off",
        }
    }
}

/// The first error of type `T` in the chain. `io::Error::source` skips the error that it wraps, so
/// that one is looked at by `get_ref`.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            // An `io::Error` that wraps another tells less than the inner one.
            return find_deeper(error).or(Some(found));
        }
        next = inner(error);
    }
    None
}

fn find_deeper<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    inner(error).and_then(find)
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Whether TLS itself is what failed.
pub(super) fn is_of_tls(error: &reqwest::Error) -> bool {
    find::<rustls::Error>(error).is_some()
}

/// The chain's text on one line, 200 characters at most, for the debug log.
pub(super) fn cleaned(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    line.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_is_one_short_line() {
        let error = io::Error::other(format!("a\r\n\tb{}", "x".repeat(500)));
        let text = cleaned(&error);
        assert!(text.starts_with("a bx"), "{text}");
        assert_eq!(text.chars().count(), 200);
    }

    #[test]
    fn a_wrapped_error_is_found_through_io_errors() {
        let tls = rustls::Error::AlertReceived(AlertDescription::HandshakeFailure);
        let nested = io::Error::other(io::Error::other(tls));
        assert!(find::<rustls::Error>(&nested).is_some());
        assert!(find::<DnsError>(&nested).is_none());
    }
}
