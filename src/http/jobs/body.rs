//! The body of a webhook: JSON as it is, of 1 MiB at most, soon, and not too many at a time.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::http::error::ApiError;
use crate::http::router::{BODY_TIMEOUT, cut};
use crate::jobs::Memory;

/// The largest body.
pub(super) const MOST: usize = 1 << 20;

/// For the bodies of one kind of webhook, in KiB: those that are being read and those that are not durable yet. A body
/// takes of it as it comes, so that connections that send nothing keep nobody out.
pub(super) const ROOM_KIB: usize = 16 << 10;

/// Reads a body to its end.
///
/// # Errors
/// 415, 413, 408; 503 where there is no room for it.
pub(super) async fn take(
    space: &Arc<Semaphore>,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Bytes, Memory), ApiError> {
    if !is_json(headers) {
        return Err(ApiError::not_json());
    }
    if is_encoded(headers) {
        return Err(ApiError::encoded());
    }
    if length(headers).is_some_and(|length| length > MOST) {
        return Err(ApiError::of_status(http::StatusCode::PAYLOAD_TOO_LARGE));
    }
    let read = read(space, Limited::new(body, MOST));
    timeout(BODY_TIMEOUT, read)
        .await
        .unwrap_or_else(|_| Err(ApiError::body_timeout()))
}

async fn read(
    space: &Arc<Semaphore>,
    mut body: Limited<Body>,
) -> Result<(Bytes, Memory), ApiError> {
    let mut whole = Vec::new();
    let mut memory: Memory = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| cut(&*error))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        whole.extend_from_slice(&data);
        let taken = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let more = whole.len().div_ceil(1 << 10).saturating_sub(taken);
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let more = Arc::clone(space)
            .try_acquire_many_owned(more)
            .map_err(|_| ApiError::unavailable("too many webhooks at a time", 1))?;
        match &mut memory {
            None => memory = Some(more),
            Some(memory) => memory.merge(more),
        }
    }
    Ok((whole.into(), memory))
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
    async fn bodies_take_room_as_they_come_until_they_are_let_go() {
        let space = Arc::new(Semaphore::new(ROOM_KIB));
        let json = headers(&[("content-type", "application/json")]);
        let largest = || Body::from("x".repeat(MOST));
        let mut taken = Vec::new();
        for _ in 0..15 {
            taken.push(take(&space, &json, largest()).await.unwrap());
        }
        for _ in 0..1024 {
            taken.push(take(&space, &json, Body::from("{}")).await.unwrap());
        }
        for body in [largest(), Body::from("{}")] {
            let refused = take(&space, &json, body).await;
            let reply = crate::http::error::Reply::from(refused.err().unwrap());
            assert_eq!(reply.answer.status, 503);
            assert_eq!(reply.headers, [(http::header::RETRY_AFTER, 1.into())]);
        }
        taken.pop();
        let (body, memory) = take(&space, &json, Body::from("{}")).await.unwrap();
        assert_eq!(body, "{}");
        assert_eq!(
            memory.as_ref().map(OwnedSemaphorePermit::num_permits),
            Some(1)
        );
        drop((taken, memory));
        assert_eq!(space.available_permits(), ROOM_KIB);
    }

    /// Who promises a large body and sends nothing keeps nobody out.
    #[tokio::test(start_paused = true)]
    async fn what_has_not_come_takes_no_room() {
        let space = Arc::new(Semaphore::new(1));
        let mut promised = headers(&[("content-type", "application/json")]);
        promised.insert(CONTENT_LENGTH, HeaderValue::from(MOST));
        let never =
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, axum::Error>>());
        let slow = take(&space, &promised, never);
        let quick = take(&space, &promised, Body::from("{}"));
        let (slow, quick) = futures_util::future::join(slow, quick).await;
        assert!(quick.is_ok());
        let slow = crate::http::error::Reply::from(slow.err().unwrap());
        assert_eq!(slow.answer.status, 408);
    }
}
