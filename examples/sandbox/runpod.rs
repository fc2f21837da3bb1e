//! RunPod's stand-in: an endless API of two endpoints that looks at id and key in RunPod's order. The
//! payloads have the fields, and the states, that were seen of the live one.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::faults::RunPodFault;
use crate::listener;

/// Good for this server only.
pub(crate) const API_KEY: &str = "rpa_MADEUPFORTHESANDBOX";
/// Has work now and then; faults of one endpoint are its.
pub(crate) const BUSY: &str = "b7k2qx9wm4t1e0";
/// Never has work: scaled to zero.
pub(crate) const QUIET: &str = "q3z8vd5nh6c2u1";
/// Over the queues of the faults, under those of good days.
pub(crate) const BACKLOG_LIMIT: u64 = 25;

/// A good day of the busy endpoint, again and again: up to which second, then in queue, in progress,
/// idle, running.
const DAY: [(u64, [u64; 4]); 4] = [
    (8, [0, 0, 2, 0]),
    (10, [1, 0, 1, 0]),
    (18, [0, 1, 1, 1]),
    (20, [0, 0, 1, 1]),
];
const DAY_SECONDS: u64 = 20;

pub(crate) struct RunPod {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    started: Instant,
    /// Since when.
    fault: Mutex<Option<(RunPodFault, Instant)>>,
}

impl RunPod {
    pub(crate) async fn start() -> io::Result<RunPod> {
        let listener = listener::bind(0).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            started: Instant::now(),
            fault: Mutex::new(None),
        });
        let serving = Arc::clone(&state);
        tokio::spawn(listener::serve(listener, move |request| {
            let state = Arc::clone(&serving);
            async move { state.answer(&request).await }
        }));
        Ok(RunPod { address, state })
    }

    /// For `RUNPOD_ENDPOINT_BASE_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v2", self.address)
    }

    pub(crate) fn fault(&self) -> Option<RunPodFault> {
        self.state.fault().map(|(fault, _)| fault)
    }

    pub(crate) fn set(&self, fault: Option<RunPodFault>) {
        let mut current = self
            .state
            .fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if current.map(|(fault, _)| fault) != fault {
            *current = fault.map(|fault| (fault, Instant::now()));
        }
    }
}

impl State {
    fn fault(&self) -> Option<(RunPodFault, Instant)> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let fault = self.fault();
        let kind = fault.map(|(kind, _)| kind);
        match kind {
            Some(RunPodFault::Hangs) => return std::future::pending().await,
            Some(RunPodFault::BadGateway) => {
                return page(StatusCode::BAD_GATEWAY, "502 Bad Gateway");
            }
            Some(RunPodFault::Firewall) => {
                return page(StatusCode::FORBIDDEN, "error code: 1010");
            }
            Some(RunPodFault::RateLimited) => {
                let mut response = text(StatusCode::TOO_MANY_REQUESTS, "too many requests");
                response
                    .headers_mut()
                    .insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
                return response;
            }
            _ => {}
        }
        let Some(id) = endpoint(request) else {
            return text(StatusCode::NOT_FOUND, "not found");
        };
        let busy = id == BUSY;
        let deleted = busy && kind == Some(RunPodFault::EndpointDeleted);
        if deleted || ![BUSY, QUIET].contains(&id) {
            return text(StatusCode::NOT_FOUND, "endpoint not found");
        }
        match bearer(request.headers()) {
            None => return text(StatusCode::UNAUTHORIZED, "no token provided"),
            Some(key) if key != API_KEY || kind == Some(RunPodFault::KeyRevoked) => {
                return text(StatusCode::UNAUTHORIZED, "invalid token");
            }
            Some(_) => {}
        }
        match kind {
            Some(RunPodFault::KeyRestricted) if busy => text(StatusCode::FORBIDDEN, "forbidden"),
            Some(RunPodFault::Garbage) => typed(
                StatusCode::OK,
                "application/json",
                r#"{"jobs":{"completed":31,"#,
            ),
            _ if busy => health(&self.busy(fault)),
            _ => health(&payload(7, [0, 0], [0, 0, 0, 0])),
        }
    }

    /// What the busy endpoint's health URL says. While workers are down nothing completes.
    fn busy(&self, fault: Option<(RunPodFault, Instant)>) -> Value {
        let completed = |until: Instant| 31 + (until - self.started).as_secs() / DAY_SECONDS;
        let stuck = |since: Instant, workers| {
            let queue = BACKLOG_LIMIT + 15 + since.elapsed().as_secs() / 2;
            payload(completed(since), [queue, 0], workers)
        };
        match fault {
            Some((RunPodFault::WorkersThrottled, since)) => stuck(since, [0, 0, 3, 0]),
            Some((RunPodFault::WorkersCrashing, since)) => stuck(since, [0, 0, 0, 2]),
            Some((RunPodFault::Backlog, _)) => payload(
                completed(Instant::now()),
                [BACKLOG_LIMIT + 15, 3],
                [0, 3, 0, 0],
            ),
            _ => {
                let second = self.started.elapsed().as_secs() % DAY_SECONDS;
                let now = DAY.iter().find(|(until, _)| second < *until);
                let [queued, working, idle, running] = now.map_or([0; 4], |(_, counts)| *counts);
                payload(
                    completed(Instant::now()),
                    [queued, working],
                    [idle, running, 0, 0],
                )
            }
        }
    }
}

/// `jobs`: in queue, in progress. `workers`: idle, running, throttled, unhealthy; `idle` and `ready` are
/// the same workers.
fn payload(completed: u64, jobs: [u64; 2], workers: [u64; 4]) -> Value {
    let [queued, working] = jobs;
    let [idle, running, throttled, unhealthy] = workers;
    json!({
        "jobs": {"completed": completed, "failed": 0, "inProgress": working, "inQueue": queued, "retried": 0},
        "workers": {"idle": idle, "initializing": 0, "ready": idle, "running": running,
            "throttled": throttled, "unhealthy": unhealthy},
    })
}

/// The id of `GET /v2/{id}/health`.
fn endpoint(request: &Request<Incoming>) -> Option<&str> {
    let path = request.uri().path();
    let id = path.strip_prefix("/v2/")?.strip_suffix("/health")?;
    (request.method() == Method::GET).then_some(id)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ")
}

fn health(payload: &Value) -> Response<Full<Bytes>> {
    typed(StatusCode::OK, "application/json", payload.to_string())
}

fn text(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    typed(status, "text/plain", body)
}

fn page(status: StatusCode, title: &str) -> Response<Full<Bytes>> {
    let body = format!(
        "<!DOCTYPE html><html><head><title>{title}</title></head><body>{title}</body></html>"
    );
    typed(status, "text/html; charset=utf-8", body)
}

fn typed(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = listener::response(status, body);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}
