//! What came back, and what any upstream's answer can mean.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Failure;
use crate::check::Finding;
use crate::detail::Detail;
use crate::reason::{RATE_LIMITED, REDIRECTED, SERVER_ERROR};

/// A `Retry-After` beyond this is cut to it: the wish to be left alone stands, its length does not.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// An answer whose head is complete.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body, [`super::BODY_LIMIT`] at most and complete, or why there is none.
    pub body: Result<Bytes, Failure>,
}

impl Answer {
    /// What means the same from every upstream: 3xx, 429 (with `Retry-After`, relative to the
    /// answer's own `Date`, else to `now`), 408 and 5xx.
    pub fn common(&self, now: OffsetDateTime) -> Option<(Finding, Option<Duration>)> {
        match self.status {
            status if status.is_redirection() => Some((self.http(&REDIRECTED), None)),
            StatusCode::TOO_MANY_REQUESTS => {
                Some((Finding::new(&RATE_LIMITED), self.retry_after(now)))
            }
            status if status.is_server_error() || status == StatusCode::REQUEST_TIMEOUT => {
                Some((self.http(&SERVER_ERROR), None))
            }
            _ => None,
        }
    }

    /// `reason` with the status and, for a page, the hint that it is not from the API.
    pub fn http(&self, reason: &'static crate::reason::Reason) -> Finding {
        let detail = Detail::new().text("HTTP ").number(self.status.as_u16());
        Finding::new(reason).detail(if self.is_html() {
            detail.text(" with an HTML page: from an edge or a proxy, not from the API itself")
        } else {
            detail
        })
    }

    /// The `Date` field.
    pub fn date(&self) -> Option<OffsetDateTime> {
        http_date(self.text(&DATE)?)
    }

    /// Whether the body is a page for people, by its type or its first bytes.
    pub fn is_html(&self) -> bool {
        let typed = self.text(&CONTENT_TYPE).is_some_and(|value| {
            value
                .trim_start()
                .to_ascii_lowercase()
                .starts_with("text/html")
        });
        typed || self.body.as_ref().is_ok_and(|body| starts_as_html(body))
    }

    fn retry_after(&self, now: OffsetDateTime) -> Option<Duration> {
        let value = self.text(&RETRY_AFTER)?.trim();
        let is_number = !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
        let wait = if is_number {
            // Digits that do not parse are too many.
            value
                .parse()
                .map_or(LONGEST_RETRY_AFTER, Duration::from_secs)
        } else {
            // Relative to the upstream's own clock: ours may be wrong.
            let wait = http_date(value)? - self.date().unwrap_or(now);
            Duration::try_from(wait).ok()?
        };
        (!wait.is_zero()).then_some(wait.min(LONGEST_RETRY_AFTER))
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn http_date(value: &str) -> Option<OffsetDateTime> {
    httpdate::parse_http_date(value)
        .ok()
        .map(|at: SystemTime| OffsetDateTime::from(at))
}

fn starts_as_html(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    [&b"<!doctype html"[..], b"<html"].iter().any(|start| {
        body.get(..start.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(start))
    })
}

/// Cloudflare's id of one request, `8f0c5e2b1a3d4c6e-FRA`: what its support asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[0-9a-f]{16}-[A-Z]{3}$", examples("8f0c5e2b1a3d4c6e-FRA"))]
pub struct CfRay(String);

impl CfRay {
    /// Takes `text` if it has the form `[0-9a-f]{16}-[A-Z]{3}`.
    pub fn new(text: &str) -> Option<CfRay> {
        let (id, place) = text.split_once('-')?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let fits = id.len() == 16
            && id.bytes().all(hex)
            && place.len() == 3
            && place.bytes().all(|b| b.is_ascii_uppercase());
        fits.then(|| CfRay(text.to_owned()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The `cf-ray` field, if it has the form of one.
pub fn cf_ray(headers: &HeaderMap) -> Option<CfRay> {
    CfRay::new(headers.get("cf-ray")?.to_str().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE_TEXT: &str = "Mon, 23 Nov 2026 18:00:00 GMT";

    fn answer(status: u16, fields: &[(&'static str, &str)], body: &'static str) -> Answer {
        let fields = fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: fields.collect(),
            body: Ok(Bytes::from_static(body.as_bytes())),
        }
    }

    fn retry_after(value: &str) -> Option<Duration> {
        let answer = answer(429, &[("date", DATE_TEXT), ("retry-after", value)], "");
        let (finding, wait) = answer.common(OffsetDateTime::UNIX_EPOCH).unwrap();
        assert_eq!(finding.reason, &RATE_LIMITED);
        wait
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_a_day_at_most() {
        assert_eq!(retry_after("5"), Some(Duration::from_secs(5)));
        assert_eq!(
            retry_after("Mon, 23 Nov 2026 18:01:30 GMT"),
            Some(Duration::from_secs(90))
        );
        for long in [
            "86400",
            "86401",
            "18446744073709551615",
            "99999999999999999999999",
            "Fri, 31 Dec 9999 23:59:59 GMT",
        ] {
            assert_eq!(retry_after(long), Some(Duration::from_hours(24)), "{long}");
        }
        for absurd in [
            "",
            "0",
            "-1",
            "+5",
            "1.5",
            "soon",
            "Mon, 23 Nov 2026 17:00:00 GMT",
        ] {
            assert_eq!(retry_after(absurd), None, "{absurd}");
        }
    }

    #[test]
    fn statuses_that_mean_the_same_everywhere() {
        let now = OffsetDateTime::UNIX_EPOCH;
        for (status, reason) in [
            (301, &REDIRECTED),
            (308, &REDIRECTED),
            (408, &SERVER_ERROR),
            (530, &SERVER_ERROR),
        ] {
            let (finding, wait) = answer(status, &[], "").common(now).unwrap();
            assert_eq!((finding.reason, wait), (reason, None), "{status}");
            assert_eq!(finding.detail.to_string(), format!("HTTP {status}"));
        }
        for status in [200, 204, 400, 401, 403, 404] {
            assert!(answer(status, &[], "").common(now).is_none(), "{status}");
        }
    }

    #[test]
    fn pages_are_told_by_type_or_first_bytes() {
        assert!(answer(502, &[("content-type", "Text/HTML; charset=utf-8")], "").is_html());
        assert!(answer(502, &[], "\n<!DOCTYPE html><html>").is_html());
        assert!(!answer(502, &[("content-type", "application/xml")], "<Error/>").is_html());
        let finding = answer(502, &[], "<html>").http(&SERVER_ERROR);
        assert!(
            finding.message().contains("HTTP 502 with an HTML page"),
            "{}",
            finding.message()
        );
    }

    #[test]
    fn a_ray_has_one_form() {
        assert!(CfRay::new("8f0c5e2b1a3d4c6e-FRA").is_some());
        for bad in [
            "",
            "8f0c5e2b1a3d4c6e",
            "8F0C5E2B1A3D4C6E-FRA",
            "8f0c5e2b1a3d4c6e-fra",
            "8f0c5e2b1a3d4c6e-FRAX",
            "8f0c5e2b1a3d4c6e-FR ",
            "secret-FRA",
        ] {
            assert_eq!(CfRay::new(bad), None, "{bad}");
        }
    }
}
