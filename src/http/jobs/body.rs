//! The body of a webhook: JSON as it is, of 1 MiB at most, soon, and not too many at a time.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Limited};
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;

use super::Door;
use crate::http::error::ApiError;
use crate::http::router::{BODY_TIMEOUT, cut};
use crate::jobs::Refusal;

/// The largest body.
pub(super) const MOST: usize = 1 << 20;

/// Room for 32 bodies of the largest size, in KiB: what is being read and what the job room has not yet written.
/// Each takes what it says of itself, so that slow senders of small ones do not keep out the others.
pub(super) const ROOM_KIB: usize = 32 * (MOST >> 10);

/// A body, and the room that it takes until it is durable.
pub(super) struct Taken<'a> {
    pub(super) body: Bytes,
    pub(super) _space: SemaphorePermit<'a>,
}

impl Door {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// 415, 413, 408; 503 where there is no room for it.
    pub(super) async fn take(
        &self,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Taken<'_>, ApiError> {
        if !is_json(headers) {
            return Err(ApiError::not_json());
        }
        if is_encoded(headers) {
            return Err(ApiError::encoded());
        }
        let told = length(headers);
        if told.is_some_and(|length| length > MOST) {
            return Err(ApiError::of_status(http::StatusCode::PAYLOAD_TOO_LARGE));
        }
        let kib = told.unwrap_or(MOST).div_ceil(1 << 10).max(1);
        let kib = u32::try_from(kib).unwrap_or(u32::MAX);
        let space = self.space.try_acquire_many(kib).map_err(|_| {
            self.refused(Refusal::Unavailable {
                cause: "too many webhooks at a time",
                retry_after: 1,
            })
        })?;
        let read = timeout(BODY_TIMEOUT, Limited::new(body, MOST).collect()).await;
        let whole = read.map_err(|_| ApiError::body_timeout())?;
        let whole = whole.map_err(|error| cut(&*error))?;
        Ok(Taken {
            body: whole.to_bytes(),
            _space: space,
        })
    }
}

/// `application/json` or `…/…+json`, once, whatever its parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(text) = only(headers, &CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let Some((kind, name)) = essence.split_once('/') else {
        return false;
    };
    let suffix = name.rsplit_once('+').map(|(_, suffix)| suffix);
    let is_plain = kind.eq_ignore_ascii_case("application") && name.eq_ignore_ascii_case("json");
    is_plain
        || (!kind.is_empty() && suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("json")))
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// As the sender tells; the library has refused what is no number.
fn length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(CONTENT_LENGTH)?.to_str().ok()?;
    // A number that does not fit is too large in any case.
    Some(text.parse().unwrap_or(usize::MAX))
}

fn only<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::endpoints::Webhooks;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_static(value))
            })
            .collect()
    }

    #[test]
    fn json_is_told_from_anything_else() {
        let is = |value| is_json(&headers(&[("content-type", value)]));
        for json in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;",
            " application/json ;a=b;c=\"d\"",
            "application/cloudevents+json",
            "application/problem+JSON; x=y",
        ] {
            assert!(is(json), "{json}");
        }
        for other in [
            "",
            "json",
            "/json",
            "/x+json",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/json-seq",
            "application/x-www-form-urlencoded",
            "application/xml+json+xml",
            "application/json, text/html",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(!is_json(&HeaderMap::new()));
        let twice = [("content-type", "application/json"); 2];
        assert!(!is_json(&headers(&twice)));
    }

    #[test]
    fn an_encoding_is_refused_and_identity_is_none() {
        let is = |values: &[(&'static str, &'static str)]| is_encoded(&headers(values));
        assert!(!is(&[]) && !is(&[("content-encoding", "Identity")]));
        for coding in ["gzip", "br", "identity, gzip", ""] {
            assert!(is(&[("content-encoding", coding)]), "{coding}");
        }
    }

    #[tokio::test]
    async fn there_is_room_for_32_of_the_largest_and_for_more_of_the_small() {
        let door = Door::new(crate::http::jobs::tests::room(), Webhooks::ALL);
        let unknown = headers(&[("content-type", "application/json")]);
        let mut small = unknown.clone();
        small.insert(CONTENT_LENGTH, HeaderValue::from_static("2"));
        let mut taken = Vec::new();
        for _ in 0..31 {
            taken.push(door.take(&unknown, Body::from("{}")).await.unwrap());
        }
        for _ in 0..1024 {
            taken.push(door.take(&small, Body::from("{}")).await.unwrap());
        }
        for headers in [&unknown, &small] {
            let refused = door.take(headers, Body::from("{}")).await;
            let reply = crate::http::error::Reply::from(refused.err().unwrap());
            assert_eq!(reply.answer.status, 503);
            assert_eq!(reply.headers.len(), 1);
            assert_eq!(reply.headers[0], (http::header::RETRY_AFTER, 1.into()));
        }
        taken.pop();
        assert!(door.take(&small, Body::from("{}")).await.is_ok());
    }
}
