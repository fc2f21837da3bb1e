//! From a snapshot to the bytes of an answer. Pure.
//!
//! The monitor renders `/health` and each `/health/{check}` once, when it publishes; requests with options,
//! and all of them once a result has turned stale, are rendered on demand by the same functions.

mod details;
pub mod examples;
mod health;
mod health_json;
mod in_order;
#[cfg(feature = "jobs")]
pub mod jobs;
pub mod page;
mod probes;
pub mod schemas;
#[cfg(feature = "jobs")]
pub mod signals;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

pub use health::{Form, Options, Published, check, health, publish};
pub use probes::{NotReady, live, not_ready, ready};

/// The version of what callers can rely on: a new minor one when something is added, a new major one when
/// something changes that was there. Not the build's.
pub const CONTRACT_VERSION: &str = "1.1.0";

/// An answer but for its headers and, in an error, the request id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// What the body is.
    pub media: Media,
    /// The body.
    pub body: Body,
}

impl Answer {
    /// One with a JSON body.
    pub fn json(status: StatusCode, body: Body) -> Self {
        Answer {
            status,
            media: Media::Json,
            body,
        }
    }
}

/// The media type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// What everything is unless something else is asked for.
    Json,
    /// The form of draft-inadarei-api-health-check-06.
    HealthJson,
    /// Prometheus' text format.
    Prometheus,
    /// The status page.
    Html,
}

impl Media {
    /// The value of `Content-Type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Media::Json => "application/json",
            Media::HealthJson => "application/health+json",
            Media::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Media::Html => "text/html; charset=utf-8",
        }
    }
}

/// A body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The same for every request.
    Whole(Bytes),
    /// An error body: the request id goes between the two.
    AroundId {
        /// Up to and with the quote that opens the id.
        before: Bytes,
        /// From the quote that closes it.
        after: Bytes,
    },
}

impl Body {
    /// The whole body with `request_id` in its place; the id must consist of `[A-Za-z0-9._-]`.
    pub fn with_id(self, request_id: impl AsRef<str>) -> Bytes {
        match self {
            Body::Whole(bytes) => bytes,
            Body::AroundId { before, after } => {
                let request_id = request_id.as_ref();
                let mut out = Vec::with_capacity(before.len() + request_id.len() + after.len());
                out.extend_from_slice(&before);
                out.extend_from_slice(request_id.as_bytes());
                out.extend_from_slice(&after);
                out.into()
            }
        }
    }
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
#[schema(as = ErrorObject)]
pub(crate) struct Fault<'a> {
    /// The machine word.
    #[schema(schema_with = schemas::error_code)]
    code: &'a str,
    /// One sentence for people.
    message: &'a str,
    /// Of this request, as in `X-Request-Id` and in the log.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,128}$")]
    request_id: &'a str,
}

/// The body of every answer but 2xx; some have further members.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody<'a> {
    error: Fault<'a>,
}

/// The body of every non-2xx answer: `error` first, then the members of `also` (a JSON object in text
/// form, or nothing).
pub fn error_body(code: &str, message: &str, also: Option<&str>) -> Body {
    const END: &str = r#""}}"#;
    let fault = Fault {
        code,
        message,
        request_id: "",
    };
    let otherwise = r#"{"error":{"code":"internal_error","message":"","request_id":""}}"#;
    let text = health::to_text(&ErrorBody { error: fault }, otherwise);
    // The id is the last member of the last one, so the text ends where the id goes and with what follows.
    let before = text.strip_suffix(END).unwrap_or(&text);
    let members = also.and_then(|also| also.strip_prefix('{')).unwrap_or("}");
    let comma = if members == "}" { "" } else { "," };
    Body::AroundId {
        before: Bytes::copy_from_slice(before.as_bytes()),
        after: format!(r#""}}{comma}{members}"#).into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn error_bodies_are_json_with_and_without_further_members() {
        let plain = error_body("not_found", "no \"such\" path", None).with_id("req_1");
        let plain: Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(plain["error"]["message"], "no \"such\" path");
        assert_eq!(plain["error"]["request_id"], "req_1");

        let more = error_body("degraded", "x", Some(r#"{"status":"degraded"}"#)).with_id("req_2");
        let more: Value = serde_json::from_slice(&more).unwrap();
        assert_eq!(more["status"], "degraded");
        assert_eq!(more["error"]["code"], "degraded");
    }
}
