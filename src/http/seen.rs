//! What the front reads of a request, once.

use axum::body::HttpBody;
use http::{HeaderMap, HeaderValue, Method, Request};
use tokio::time::Instant;

use super::accept::Accepts;
use super::endpoints::{Credentials, Endpoint, Route, Scope};
use super::request_id::{RequestId, TraceContext};

/// What a request says of itself, whoever sent it.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the states of a machine"
)]
pub(super) struct Seen {
    pub(super) at: Instant,
    pub(super) id: RequestId,
    pub(super) trace: Option<TraceContext>,
    /// Whether a key may be among the headers.
    pub(super) has_key: bool,
    /// Whether a relay tells of itself.
    pub(super) is_forwarded: bool,
    /// Another instance's check of this API.
    pub(super) is_probe: bool,
    pub(super) method: Method,
    pub(super) endpoint: Option<&'static Endpoint>,
    /// Whether the endpoint has this method.
    pub(super) matched: bool,
    /// What the endpoint wants to know of the caller; nothing for what is answered 404 or 405.
    pub(super) credentials: Credentials,
    /// Whether it counts against a limit.
    pub(super) limited: bool,
    /// Whether a body comes with it.
    pub(super) has_body: bool,
    /// The media types that its `Accept` names.
    pub(super) accepts: Accepts,
}

impl Seen {
    /// Reads `request`, which came to a listener of `scope`.
    pub(super) fn of<B: HttpBody>(scope: Scope, request: &Request<B>) -> Self {
        let at = Instant::now();
        let method = request.method();
        let endpoint = scope.find(request.uri().path());
        let matched = endpoint.is_some_and(|endpoint| endpoint.methods.contain(method));
        let told = Told::by(request.headers());
        Seen {
            at,
            id: RequestId::of(told.request_id.get(), at),
            trace: told.traceparent.get().and_then(TraceContext::parse),
            has_key: told.has_key,
            is_forwarded: told.is_forwarded,
            is_probe: told.is_probe,
            method: method.clone(),
            endpoint,
            matched,
            credentials: endpoint
                .filter(|_| matched)
                .map_or(Credentials::Ignored, |endpoint| scope.credentials(endpoint)),
            // Only probes and scrapes themselves are free; a flood of 404s or 405s is not, on no listener.
            limited: endpoint.is_none_or(|endpoint| scope.limits(endpoint) || !matched),
            has_body: !request.body().is_end_stream(),
            accepts: told.accepts,
        }
    }

    /// Whether it asks for the status page itself, and not for the JSON at its place.
    pub(super) fn wants_page(&self) -> bool {
        self.accepts.html()
            && self
                .endpoint
                .is_some_and(|endpoint| self.matched && endpoint.route == Route::Page)
    }
}

/// What a request's headers say, read in one pass.
#[derive(Default)]
struct Told<'a> {
    request_id: Single<'a>,
    traceparent: Single<'a>,
    has_key: bool,
    is_forwarded: bool,
    is_probe: bool,
    accepts: Accepts,
}

impl<'a> Told<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        let mut told = Told::default();
        for (name, value) in headers {
            match name.as_str() {
                "x-request-id" => told.request_id.add(value),
                "traceparent" => told.traceparent.add(value),
                "accept" => told.accepts.add(value),
                "x-api-key" | "authorization" => told.has_key = true,
                "x-forwarded-for" | "forwarded" => told.is_forwarded = true,
                "x-infra-health-probe" => told.is_probe = value == "1",
                _ => {}
            }
        }
        told
    }
}

/// A header that says nothing when it is sent twice.
#[derive(Default)]
enum Single<'a> {
    #[default]
    Absent,
    One(&'a HeaderValue),
    Several,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a HeaderValue) {
        *self = match self {
            Single::Absent => Single::One(value),
            Single::One(_) | Single::Several => Single::Several,
        };
    }

    fn get(&self) -> Option<&'a HeaderValue> {
        match self {
            Single::One(value) => Some(value),
            Single::Absent | Single::Several => None,
        }
    }
}
