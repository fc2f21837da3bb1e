//! Everything that is not answered at once: an axum router, complete in itself.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::routing::{MethodRouter, get, post};
use http::Uri;
use http::request::Parts;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};
use tower_http::limit::RequestBodyLimitLayer;

use super::accept::Accepts;
use super::endpoints::{Route, Scope};
use super::error::{ApiError, Reply};
use super::query::{HealthQuery, verbose_only};
use super::request_id::RequestId;
use super::shared::{Caller, Shared};
use crate::peer::Gone;

/// Of a body that nobody reads for its content; one that is sent must be small.
const MAX_BODY_BYTES: usize = 16 * 1024;
/// Every body must come soon.
pub(super) const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The endpoints of `scope`, with a 404 and a 405 for everything else.
pub(super) fn router(scope: Scope, shared: Arc<Shared>) -> Router {
    scope
        .endpoints()
        .fold(Router::new(), |router, endpoint| {
            let methods = endpoint.methods;
            let not_allowed = move || async move { ApiError::method_not_allowed(methods) };
            router.route(endpoint.path, handler(endpoint.route).fallback(not_allowed))
        })
        .fallback(move || async move { ApiError::not_found(scope) })
        .with_state(shared)
}

fn handler(route: Route) -> MethodRouter<Arc<Shared>> {
    match route {
        Route::Health => get(health),
        Route::Livez => get(livez),
        Route::Readyz => get(readyz),
        Route::Refresh => post(refresh).route_layer(RequestBodyLimitLayer::new(MAX_BODY_BYTES)),
        Route::Check => get(check),
        Route::OpenApi => get(document),
        Route::Metrics => get(metrics),
        Route::Page => get(page),
        Route::JobWebhook | Route::RunPodWebhook | Route::Job | Route::Jobs | Route::Signals => {
            of_jobs(route)
        }
    }
}

#[cfg(feature = "jobs")]
use super::jobs::handler as of_jobs;

/// Without the room no listener has them.
#[cfg(not(feature = "jobs"))]
fn of_jobs(_: Route) -> MethodRouter<Arc<Shared>> {
    MethodRouter::new()
}

type App = State<Arc<Shared>>;

async fn health(
    State(shared): App,
    caller: Caller,
    gone: Gone,
    uri: Uri,
) -> Result<Reply, ApiError> {
    let query = HealthQuery::parse(uri.query(), &shared.names)?;
    shared.health(query, caller, &gone).await
}

async fn check(
    State(shared): App,
    caller: Caller,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Reply, ApiError> {
    let verbose = verbose_only(uri.query())?;
    shared.check(&name, verbose, caller).await
}

async fn page(State(shared): App, caller: Caller, gone: Gone, uri: Uri) -> Result<Reply, ApiError> {
    if caller.accepts.html() {
        return Ok(shared.page(caller).await);
    }
    // Plain JSON or the page: the place has no third form.
    let caller = Caller {
        accepts: Accepts::default(),
        ..caller
    };
    health(State(shared), caller, gone, uri).await
}

async fn livez(State(shared): App, caller: Caller) -> Reply {
    shared.livez(caller.at)
}

async fn readyz(State(shared): App, caller: Caller) -> Reply {
    shared.readyz(caller.at)
}

async fn document(State(shared): App) -> Reply {
    shared.openapi()
}

async fn metrics(State(shared): App, caller: Caller) -> Reply {
    shared.metrics(caller.at)
}

async fn refresh(
    State(shared): App,
    caller: Caller,
    gone: Gone,
    body: Body,
) -> Result<Reply, ApiError> {
    Shared::authorize(caller)?;
    discard(body).await?;
    Ok(shared.refresh(caller, &gone).await.with_body_read())
}

/// Reads a body to its end, so that the connection can be used again, and keeps nothing of it.
async fn discard(mut body: Body) -> Result<(), ApiError> {
    let read = async {
        while let Some(frame) = body.frame().await {
            frame.map_err(|error| cut(&error))?;
        }
        Ok(())
    };
    timeout(BODY_TIMEOUT, read)
        .await
        .unwrap_or_else(|_| Err(ApiError::body_timeout()))
}

/// What a body was that could not be read to its end.
pub(super) fn cut(error: &(dyn std::error::Error + 'static)) -> ApiError {
    let mut source = Some(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return ApiError::of_status(http::StatusCode::PAYLOAD_TOO_LARGE);
        }
        source = inner.source();
    }
    ApiError::invalid("the request's body is cut or malformed")
}

/// Who asks, as the front has found out; nobody when a request did not come through it.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get().copied();
        Ok(known.unwrap_or_else(|| Caller {
            authorized: false,
            is_probe: false,
            accepts: Accepts::default(),
            at: Instant::now(),
        }))
    }
}

/// As the front has read or made it; a new one, when a request did not come through it.
impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get().cloned();
        Ok(known.unwrap_or_else(|| RequestId::of(None, Instant::now())))
    }
}

/// Of the connection that the front has found; never, when a request did not come through it.
impl<S: Sync> FromRequestParts<S> for Gone {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}
