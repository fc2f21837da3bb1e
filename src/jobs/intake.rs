//! From a webhook's request to a delivery that may be stored, or to the reason why not. Pure but for the log line of a
//! failure.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::body::{self, Failure, Said};
use super::door::{Incoming, Refusal};
use super::event::{Delivery, Source};
use super::journal::{self, Bringer};
use super::{signature, text};
use crate::config::JobWebhooks;

/// How far ahead a sender's clock may be.
pub(super) const AHEAD: Duration = Duration::from_mins(5);

const EVENT: &str = "x-webhook-event";
const DELIVERY_ID: &str = "x-webhook-delivery-id";
const TIMESTAMP: &str = "x-webhook-timestamp";
const SIGNATURE: &str = "x-webhook-signature";

/// How the ids begin that are made for RunPod's deliveries.
const RUNPOD: &str = "runpod:";

/// A delivery of the API's own webhook: signed by one of the secrets, not from the future, and by its own timestamp
/// not older than `max_age`.
pub(super) fn webhook(
    incoming: &Incoming,
    known: &JobWebhooks,
    max_age: Duration,
    now: OffsetDateTime,
) -> Result<Delivery, Refusal> {
    let headers = &incoming.headers;
    let timestamp = one(headers, TIMESTAMP, "X-Webhook-Timestamp is not there, once")
        .map_err(Refusal::InvalidSignature)?;
    let given = one(headers, SIGNATURE, "X-Webhook-Signature is not there, once")
        .map_err(Refusal::InvalidSignature)?;
    // Before the digest of a body, which costs more.
    let sent_at = sent_at(timestamp, max_age, now).map_err(Refusal::InvalidSignature)?;
    let signature = signature::verify(&known.secrets, timestamp, &incoming.body, given)
        .map_err(Refusal::InvalidSignature)?;

    let object = body::parse(&incoming.body).map_err(Refusal::Invalid)?;
    tell_failure(Source::Webhook, incoming, &object);
    let id = delivery_id(headers).map_err(Refusal::Invalid)?;
    let event = if headers.contains_key(EVENT) {
        let event = one(
            headers,
            EVENT,
            "X-Webhook-Event is there more than once, or is no text",
        );
        Some(event.map_err(Refusal::Invalid)?)
    } else {
        None
    };
    let said = body::read(&object, event).map_err(Refusal::Invalid)?;
    let received_at = milliseconds(now);
    Ok(Delivery {
        source: Source::Webhook,
        delivery_id: id.to_owned(),
        digest: signature::digest(timestamp, &incoming.body),
        received_at,
        at: milliseconds(sent_at).min(received_at),
        signature: Some(signature),
        body: without_queries(&incoming.body),
        request_id: incoming.request_id.clone(),
        ..of(said)
    })
}

/// A delivery of RunPod's webhook, whose token was right. It has neither an id nor a time of its own.
pub(super) fn runpod(incoming: &Incoming, now: OffsetDateTime) -> Result<Delivery, Refusal> {
    let object = body::parse(&incoming.body).map_err(Refusal::Invalid)?;
    tell_failure(Source::RunPod, incoming, &object);
    let (said, kept) = body::read_runpod(&object).map_err(Refusal::Invalid)?;
    let status = said.event.as_deref().unwrap_or_default();
    let delivery_id = format!("{RUNPOD}{}:{status}", said.job_id);
    let received_at = milliseconds(now);
    let kept = Value::Object(kept).to_string();
    Ok(Delivery {
        source: Source::RunPod,
        digest: Sha256::digest(&delivery_id).into(),
        delivery_id,
        received_at,
        at: received_at,
        body: without_queries(&Bytes::from(kept)),
        request_id: incoming.request_id.clone(),
        ..of(said)
    })
}

/// When it was sent, if that can be believed.
fn sent_at(
    text: &str,
    max_age: Duration,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, &'static str> {
    let at = signature::timestamp(text)
        .ok_or("X-Webhook-Timestamp is not a time of ISO 8601, such as 2026-11-26T02:17:01.123Z")?;
    if at > now + AHEAD {
        return Err("X-Webhook-Timestamp is more than 5 minutes ahead of this service's clock");
    }
    if at < now - max_age {
        return Err("X-Webhook-Timestamp is older than JOB_WEBHOOK_MAX_AGE");
    }
    Ok(at)
}

fn delivery_id(headers: &HeaderMap) -> Result<&str, &'static str> {
    let id = one(
        headers,
        DELIVERY_ID,
        "X-Webhook-Delivery-Id is not there, once",
    )?;
    let id = text::id(id).ok_or(
        "X-Webhook-Delivery-Id is not 1 to 128 visible ASCII characters without / ? # % \" \\ and comma",
    )?;
    if id.starts_with(RUNPOD) {
        return Err("X-Webhook-Delivery-Id begins with runpod:, as those of RunPod's webhook do");
    }
    Ok(id)
}

/// Before anything else is made of it: what is refused for its form has told of it all the same.
fn tell_failure(source: Source, incoming: &Incoming, object: &Map<String, Value>) {
    let text = |name| incoming.headers.get(name)?.to_str().ok();
    let Some(failure) = Failure::told(object, text(EVENT)) else {
        return;
    };
    let by = Bringer {
        source,
        delivery_id: text(DELIVERY_ID).and_then(text::id),
        received_by: &incoming.request_id,
    };
    journal::failure(failure.job_id.as_deref(), &failure.facts, &by);
}

/// The same bytes, not copied, where there is no URL with a query string.
fn without_queries(body: &Bytes) -> Bytes {
    match text::json_without_queries(body) {
        Cow::Borrowed(_) => body.clone(),
        Cow::Owned(cut) => cut.into(),
    }
}

/// What a body says, as a delivery of which nothing else is known yet.
fn of(said: Said) -> Delivery {
    Delivery {
        source: Source::Webhook,
        delivery_id: String::new(),
        digest: [0; 32],
        received_at: 0,
        at: 0,
        told: said.told,
        event: said.event,
        job_id: said.job_id,
        facts: said.facts,
        request_id: String::new(),
        signature: None,
        body: Bytes::new(),
    }
}

/// A header that is there once, and text. Sent twice, a relay might look at the other one.
fn one<'a>(
    headers: &'a HeaderMap,
    name: &str,
    otherwise: &'static str,
) -> Result<&'a str, &'static str> {
    let mut values = headers.get_all(name).iter();
    match (values.next().map(|value| value.to_str()), values.next()) {
        (Some(Ok(text)), None) => Ok(text),
        _ => Err(otherwise),
    }
}

/// Since 1970.
pub(super) fn milliseconds(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
