//! The one hop from a parsed request to a response.
//!
//! (1) clock, endpoint, headers; (2) credential and limit; (3) plain probes at once, everything else through
//! the router; (4) headers of every response, error body, HEAD, log line. Whatever panics in (3) is a 500.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use http::header::{HeaderMap, X_CONTENT_TYPE_OPTIONS};
use http::{Method, Request, Response};
use http_body_util::Full;
use tokio::time::Instant;
use tower::ServiceExt;
use tracing::{Instrument, Level};

use super::access::{Access, Entry};
use super::auth::{Credential, KeyId};
use super::client_addr::{Client, ClientAddr};
use super::endpoints::{Credentials, Endpoint, Route, Scope};
use super::error::{ApiError, Code, Reply};
use super::rate_limit::{Bucket, Decision, RateLimiter};
use super::request_id::{RequestId, TraceContext};
use super::router::router;
use super::shared::{Caller, Setup, Shared};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Front(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    scope: Scope,
    router: Router,
    doors: Arc<Doors>,
}

/// What requests pass before and after they are answered, the same for all listeners.
#[derive(Debug)]
struct Doors {
    shared: Arc<Shared>,
    limiter: Option<RateLimiter>,
    client_addr: ClientAddr,
    access: Access,
}

impl Front {
    /// The front of the main listener.
    pub fn new(setup: Setup) -> Self {
        let Setup {
            answers,
            limits,
            api_keys,
            infos,
            monitor,
            facts,
        } = setup;
        let doors = Doors {
            shared: Arc::new(Shared::new(answers, api_keys, &infos, monitor, facts)),
            limiter: RateLimiter::new(&limits, Instant::now()),
            client_addr: ClientAddr::new(limits.trusted_proxies),
            access: Access::default(),
        };
        Self::of(Scope::Everything, Arc::new(doors))
    }

    /// The front of `PROBE_ADDR`: `/livez` and `/readyz`, with the same state behind them.
    #[must_use]
    pub fn probes_only(&self) -> Self {
        Self::of(Scope::Probes, Arc::clone(&self.0.doors))
    }

    fn of(scope: Scope, doors: Arc<Doors>) -> Self {
        let router = router(scope, Arc::clone(&doors.shared));
        Front(Arc::new(Inner {
            scope,
            router,
            doors,
        }))
    }

    /// Tells once a minute how many requests were refused; never ends. One for all listeners.
    pub async fn report_refusals(&self) -> Infallible {
        self.0.doors.access.report().await
    }

    /// Tells of the requests refused since the last report: at shutdown.
    pub fn flush_refusals(&self) {
        self.0.doors.access.flush();
    }

    /// Answers one request of the client at `peer`.
    pub async fn handle<B>(&self, peer: SocketAddr, request: Request<B>) -> Response<Full<Bytes>>
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let inner = &*self.0;
        let seen = inner.look(peer, &request);
        let reply = match inner.doors.admit(&seen) {
            Err(refused) => refused.into(),
            Ok(caller) => match inner.at_once(&seen, request.uri().query(), caller) {
                Some(reply) => reply,
                None => inner.routed(&seen, request, caller).await,
            },
        };
        inner.doors.finish(&seen, reply)
    }
}

/// What the front knows of a request.
struct Seen {
    at: Instant,
    id: RequestId,
    trace: Option<TraceContext>,
    is_probe: bool,
    method: Method,
    endpoint: Option<&'static Endpoint>,
    /// Whether the endpoint has this method.
    matched: bool,
    client: Client,
    credential: Credential,
    limited: bool,
}

impl Seen {
    fn key(&self) -> Option<KeyId> {
        match self.credential {
            Credential::Valid(key) => Some(key),
            Credential::Missing | Credential::Invalid => None,
        }
    }
}

impl Inner {
    fn look<B>(&self, peer: SocketAddr, request: &Request<B>) -> Seen {
        let at = Instant::now();
        let (method, headers) = (request.method(), request.headers());
        let endpoint = self.scope.find(request.uri().path());
        let matched = endpoint.is_some_and(|endpoint| endpoint.methods.contain(method));
        let asked = endpoint.map_or(Credentials::Ignored, |endpoint| endpoint.credentials);
        let credential = if matched && asked != Credentials::Ignored {
            self.doors.shared.credential(headers)
        } else {
            Credential::Missing
        };
        let told = Told::by(headers);
        Seen {
            at,
            id: RequestId::of(told.request_id.filter(|_| !told.several_ids)),
            trace: told.trace,
            is_probe: told.is_probe,
            method: method.clone(),
            endpoint,
            matched,
            client: self.doors.client_addr.of(peer, headers),
            credential,
            // A listener for probes never limits; elsewhere only they are free, and a flood of 404s is not.
            limited: self.scope == Scope::Everything
                && endpoint.is_none_or(|endpoint| endpoint.limited),
        }
    }

    /// Plain `GET` and `HEAD` of the three that are asked most: without a future, a box or a copy.
    fn at_once(&self, seen: &Seen, query: Option<&str>, caller: Caller) -> Option<Reply> {
        let endpoint = seen.endpoint.filter(|_| seen.matched && query.is_none())?;
        let shared = &*self.doors.shared;
        let answer = || match endpoint.route {
            Route::Health => shared.health_at_once(caller),
            Route::Livez => Some(shared.livez(caller.at)),
            Route::Readyz => Some(shared.readyz(caller.at)),
            Route::Refresh | Route::Check => None,
        };
        catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|_payload| Some(panicked()))
    }

    async fn routed<B>(&self, seen: &Seen, request: Request<B>, caller: Caller) -> Reply
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(caller);
        if *request.method() == Method::HEAD {
            // The same answer by construction; its body is taken off at the end.
            *request.method_mut() = Method::GET;
        }
        // Everything that is logged on the way, a panic's place too, carries the id.
        let span = tracing::error_span!(
            "request",
            request_id = seen.id.as_str(),
            trace_id = seen.trace.as_ref().map(TraceContext::trace_id),
        );
        let answer = self.router.clone().oneshot(request).instrument(span);
        match AssertUnwindSafe(answer).catch_unwind().await {
            Ok(Ok(response)) => Reply::of(response),
            Ok(Err(never)) => match never {},
            Err(_payload) => panicked(),
        }
    }
}

/// The payload may hold anything; the panic hook tells the place, without it.
fn panicked() -> Reply {
    ApiError::internal("a handler panicked; the line on the panic names the place").into()
}

impl Doors {
    /// The limit, then the credential: guessing keys is limited too.
    fn admit(&self, seen: &Seen) -> Result<Caller, ApiError> {
        self.limit(seen)?;
        if seen.credential == Credential::Invalid {
            return Err(ApiError::unauthorized(
                Code::InvalidApiKey,
                "this X-Api-Key is none of API_KEYS",
            ));
        }
        let caller = Caller {
            authorized: seen.key().is_some(),
            is_probe: seen.is_probe,
            at: seen.at,
        };
        let needs_key = seen.matched
            && match seen.endpoint.map(|endpoint| endpoint.credentials) {
                Some(Credentials::Key) => true,
                Some(Credentials::Optional) => self.shared.policy.require_api_key,
                Some(Credentials::Ignored) | None => false,
            };
        if needs_key {
            Shared::authorize(caller)?;
        }
        Ok(caller)
    }

    fn limit(&self, seen: &Seen) -> Result<(), ApiError> {
        let Some(limiter) = self.limiter.as_ref().filter(|_| seen.limited) else {
            return Ok(());
        };
        if limiter.exempt(seen.client) {
            return Ok(());
        }
        let bucket = match seen.credential {
            Credential::Valid(key) => Bucket::Key(key),
            Credential::Missing => Bucket::Client(seen.client),
            Credential::Invalid => Bucket::FailedKey(seen.client),
        };
        let decision = limiter.check(bucket, seen.at);
        match decision {
            Decision::Allowed { .. } => Ok(()),
            Decision::Limited { .. } => {
                let fields = limiter.fields(&decision);
                let retry_after = decision.retry_after_seconds().unwrap_or(1);
                Err(ApiError::rate_limited(
                    "too many requests",
                    retry_after,
                    fields.limit,
                    fields.policy,
                ))
            }
        }
    }

    fn finish(&self, seen: &Seen, reply: Reply) -> Response<Full<Bytes>> {
        let request_id = seen.id.as_str();
        let body = reply.answer.body.with_id(request_id);
        let length = body.len();
        let is_head = seen.method == Method::HEAD;
        let mut response = Response::new(if is_head {
            Full::default()
        } else {
            Full::new(body)
        });
        *response.status_mut() = reply.answer.status;
        let headers = response.headers_mut();
        headers.reserve(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(id) = seen.id.header() {
            headers.insert(&X_REQUEST_ID, id);
        }
        if is_head {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        headers.extend(reply.headers);
        let entry = Entry {
            request_id,
            trace: seen.trace.as_ref(),
            method: &seen.method,
            route: seen.endpoint.map_or("unmatched", |endpoint| endpoint.path),
            status: reply.answer.status,
            took: seen.at.elapsed(),
            client: seen.client.address,
            key: seen.key(),
            code: reply.code,
            cause: reply.cause,
        };
        let success = seen.endpoint.map_or(Level::INFO, |e| e.success_level);
        self.access.tell(success, entry);
        response
    }
}

impl Shared {
    /// What the request's key amounts to; where no key is configured, none is looked at.
    fn credential(&self, headers: &HeaderMap) -> Credential {
        match self.authenticator.check(headers) {
            Credential::Invalid if !self.authenticator.configured() => Credential::Missing,
            credential => credential,
        }
    }
}

/// What a request's headers say, read in one pass.
#[derive(Default)]
struct Told<'a> {
    request_id: Option<&'a HeaderValue>,
    several_ids: bool,
    trace: Option<TraceContext>,
    is_probe: bool,
}

impl<'a> Told<'a> {
    fn by(headers: &'a HeaderMap) -> Self {
        let mut told = Told::default();
        for (name, value) in headers {
            match name.as_str() {
                "x-request-id" => told.several_ids = told.request_id.replace(value).is_some(),
                "traceparent" => told.trace = TraceContext::parse(value),
                "x-infra-health-probe" => told.is_probe = value == "1",
                _ => {}
            }
        }
        told
    }
}
