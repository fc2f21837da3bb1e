//! The one hop from a parsed request to a response.
//!
//! (1) clock, endpoint, headers; (2) credential and limit; (3) plain probes at once, everything else through
//! the router; (4) headers of every response, error body, HEAD, log line. Whatever panics in (3) is a 500.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use http_body_util::Full;
use tower::ServiceExt;

use super::doors::Doors;
use super::endpoints::{Route, Scope};
use super::error::{ApiError, Reply};
use super::router::router;
use super::seen::Seen;
use super::shared::{Caller, Setup};
use crate::panics;
use crate::peer::{Gone, Peer};

/// Answers requests. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Front(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    scope: Scope,
    router: Router,
    doors: Arc<Doors>,
}

impl Front {
    /// The front of the main listener.
    pub fn new(setup: Setup) -> Self {
        let scope = Scope::Everything(setup.webhooks);
        Self::of(scope, Arc::new(Doors::new(setup)))
    }

    /// The front of `PROBE_ADDR`: `/livez` and `/readyz`, with the same state behind them.
    #[must_use]
    pub fn probes_only(&self) -> Self {
        Self::of(Scope::Probes, Arc::clone(&self.0.doors))
    }

    /// The front of `METRICS_ADDR`: `/metrics` without a key, with the same state behind it.
    #[must_use]
    pub fn metrics_only(&self) -> Self {
        Self::of(Scope::Metrics, Arc::clone(&self.0.doors))
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

    /// Answers one request of `peer`: what can be answered at once already is when this returns.
    ///
    /// A connection keeps room for this future as long as it is open, so the long way is boxed.
    pub fn handle<B>(
        &self,
        peer: &Peer,
        request: Request<B>,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let inner = &*self.0;
        let seen = Seen::of(inner.scope, &request);
        let who = inner.doors.identify(peer.address, request.headers(), &seen);
        let reply = match inner.doors.admit(&seen, &who) {
            Err(refused) => refused.into(),
            Ok(caller) => {
                let Some(reply) = inner.at_once(&seen, request.uri().query(), caller) else {
                    let in_flight = inner.doors.shared.traffic.enter();
                    return Either::Right(Box::pin(async move {
                        let _in_flight = in_flight;
                        let reply = inner.routed(request, &seen, caller, &peer.gone).await;
                        let reply = inner.doors.limit_guess(&seen, &who, reply);
                        inner.doors.finish(&seen, &who, reply)
                    }));
                };
                reply
            }
        };
        Either::Left(ready(inner.doors.finish(&seen, &who, reply)))
    }
}

impl Inner {
    /// Plain `GET` and `HEAD` of the three that are asked most: without a future, a box or a copy.
    fn at_once(&self, seen: &Seen, query: Option<&str>, caller: Caller) -> Option<Reply> {
        let endpoint = seen.endpoint.filter(|_| seen.matched && query.is_none())?;
        let shared = &*self.doors.shared;
        let answer = || match endpoint.route {
            Route::Health => shared.health_at_once(caller),
            Route::Livez => Some(shared.livez(caller.at)),
            Route::Readyz => Some(shared.readyz(caller.at)),
            Route::Refresh
            | Route::Check
            | Route::OpenApi
            | Route::Metrics
            | Route::Page
            | Route::JobWebhook
            | Route::RunPodWebhook
            | Route::Job
            | Route::Jobs
            | Route::Signals => None,
        };
        panics::catch(answer).unwrap_or_else(|place| Some(panicked(&place)))
    }

    async fn routed<B>(
        &self,
        request: Request<B>,
        seen: &Seen,
        caller: Caller,
        gone: &Gone,
    ) -> Reply
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(caller);
        request.extensions_mut().insert(gone.clone());
        request.extensions_mut().insert(seen.id.clone());
        let answer = self.router.clone().oneshot(request);
        match panics::catch_async(answer).await {
            Ok(Ok(response)) => Reply::of(response),
            Ok(Err(never)) => match never {},
            Err(place) => panicked(&place),
        }
    }
}

/// The place stands in the request's line, next to its ids.
fn panicked(place: &str) -> Reply {
    ApiError::internal(format!("a handler panicked at {place}")).into()
}
