//! Counts of requests: lock-free, and of a size that no caller can change.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{Method, StatusCode};

use super::endpoints::{ENDPOINTS, Endpoint};
use super::method::{self, METHODS};
use super::rate_limit::Bucket;
use crate::histogram::SharedHistogram;
use crate::metrics::families::{HTTP_DURATION, HTTP_IN_FLIGHT, HTTP_LIMITED};
use crate::sample::Sample;

/// The statuses that this service answers with: success, and those of [`Code`](super::code::Code), the
/// frequent ones first. Any other is counted as `_OTHER`.
static STATUSES: [StatusCode; 12] = [
    StatusCode::OK,
    StatusCode::ACCEPTED,
    StatusCode::SERVICE_UNAVAILABLE,
    StatusCode::UNAUTHORIZED,
    StatusCode::NOT_FOUND,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::BAD_REQUEST,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::INTERNAL_SERVER_ERROR,
];

const STATUS_SLOTS: usize = STATUSES.len() + 1;

/// What a request was refused for with 429.
#[derive(Debug, Clone, Copy)]
pub(super) enum Limited {
    Key,
    Client,
    FailedKey,
    Waiters,
}

impl Limited {
    const ALL: [(Limited, &'static str); 4] = [
        (Limited::Key, "key"),
        (Limited::Client, "client"),
        (Limited::FailedKey, "failed_key"),
        (Limited::Waiters, "waiters"),
    ];
}

impl From<Bucket> for Limited {
    fn from(bucket: Bucket) -> Self {
        match bucket {
            Bucket::Key(_) => Limited::Key,
            Bucket::Client(_) => Limited::Client,
            Bucket::FailedKey(_) => Limited::FailedKey,
        }
    }
}

/// The counts of all listeners.
#[derive(Debug)]
pub(super) struct Traffic {
    /// By route, method and status; made at the first request of its kind.
    durations: Box<[OnceLock<Box<SharedHistogram>>]>,
    in_flight: AtomicU64,
    limited: [AtomicU64; Limited::ALL.len()],
}

impl Traffic {
    pub(super) fn new() -> Self {
        // One route more: no endpoint.
        let cells = (ENDPOINTS.len() + 1) * METHODS * STATUS_SLOTS;
        Traffic {
            durations: (0..cells).map(|_| OnceLock::new()).collect(),
            in_flight: AtomicU64::new(0),
            limited: Default::default(),
        }
    }

    /// Counts a request as being answered until the guard is dropped, whatever ends it.
    pub(super) fn enter(&self) -> InFlight<'_> {
        self.in_flight.fetch_add(1, Relaxed);
        InFlight(&self.in_flight)
    }

    /// Counts a request that has its answer.
    pub(super) fn answered(
        &self,
        endpoint: Option<&Endpoint>,
        method: &Method,
        status: StatusCode,
        took: Duration,
    ) {
        let route = endpoint.map_or(ENDPOINTS.len(), |endpoint| endpoint.route as usize);
        let status = STATUSES.iter().position(|known| *known == status);
        let status = status.unwrap_or(STATUSES.len());
        let cell = (route * METHODS + method::index(method)) * STATUS_SLOTS + status;
        self.durations[cell].get_or_init(Box::default).record(took);
    }

    /// Counts a 429.
    pub(super) fn limited(&self, by: Limited) {
        self.limited[by as usize].fetch_add(1, Relaxed);
    }

    /// Adds everything counted so far.
    pub(super) fn samples(&self, out: &mut Vec<Sample>) {
        out.push(HTTP_IN_FLIGHT.sample([], self.in_flight.load(Relaxed)));
        for (by, name) in Limited::ALL {
            let count = self.limited[by as usize].load(Relaxed);
            out.push(HTTP_LIMITED.sample([name.into()], count));
        }
        for (cell, durations) in self.durations.iter().enumerate() {
            let Some(durations) = durations.get() else {
                continue;
            };
            let (rest, status) = (cell / STATUS_SLOTS, cell % STATUS_SLOTS);
            let labels = [
                path(rest / METHODS).into(),
                method::name(rest % METHODS).into(),
                STATUSES
                    .get(status)
                    .map_or("_OTHER", StatusCode::as_str)
                    .into(),
            ];
            out.push(HTTP_DURATION.sample(labels, durations.read()));
        }
    }
}

/// The path of a route's number; empty, which is as good as no label, where no endpoint matched.
fn path(route: usize) -> &'static str {
    let endpoint = ENDPOINTS.iter().find(|e| e.route as usize == route);
    endpoint.map_or("", |endpoint| endpoint.path)
}

/// One request that is being answered.
pub(super) struct InFlight<'a>(&'a AtomicU64);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::code::Code;
    use super::*;

    #[test]
    fn routes_are_numbered_from_zero_without_a_gap() {
        let numbers: BTreeSet<_> = ENDPOINTS.iter().map(|e| e.route as usize).collect();
        assert_eq!(numbers, (0..ENDPOINTS.len()).collect());
        for endpoint in ENDPOINTS {
            assert_eq!(path(endpoint.route as usize), endpoint.path);
        }
        assert_eq!(path(ENDPOINTS.len()), "");
    }

    #[test]
    fn statuses_are_success_and_those_of_the_errors() {
        let errors = Code::ALL.map(Code::status);
        let success = [StatusCode::OK, StatusCode::ACCEPTED];
        let sent: BTreeSet<_> = errors.into_iter().chain(success).collect();
        assert_eq!(STATUSES.into_iter().collect::<BTreeSet<_>>(), sent);
        assert_eq!(STATUSES.len(), sent.len(), "each once");
    }

    #[test]
    fn a_guard_counts_down_whatever_ends_it() {
        let traffic = Traffic::new();
        let (one, other) = (traffic.enter(), traffic.enter());
        assert_eq!(traffic.in_flight.load(Relaxed), 2);
        drop(one);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _held = other;
            panic!("ends it");
        }));
        assert_eq!(traffic.in_flight.load(Relaxed), 0);
    }
}
