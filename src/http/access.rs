//! One log line a request, and one a minute for those refused.

use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::time::{MissedTickBehavior, interval};
use tracing::Level;

use super::auth::KeyId;
use super::code::Code;
use super::method;
use super::request_id::{RequestId, TraceContext};

/// Between two lines on refused requests.
const EVERY: Duration = Duration::from_mins(1);

/// What is told of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) request_id: &'a RequestId,
    pub(super) trace: Option<&'a TraceContext>,
    pub(super) method: &'a Method,
    /// The endpoint's path as in the table, never what the caller sent: that may hold anything.
    pub(super) route: &'static str,
    pub(super) status: StatusCode,
    pub(super) took: Duration,
    pub(super) client: IpAddr,
    pub(super) key: Option<KeyId>,
    pub(super) code: Option<Code>,
    pub(super) cause: Option<&'a str>,
}

/// How a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    Line(Level),
    Counted(Refusal),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    MissingKey,
    InvalidKey,
    InvalidSignature,
    RateLimited,
}

fn telling(status: StatusCode, code: Option<Code>, success: Level) -> Telling {
    match code {
        Some(Code::MissingApiKey) => Telling::Counted(Refusal::MissingKey),
        Some(Code::InvalidApiKey) => Telling::Counted(Refusal::InvalidKey),
        Some(Code::InvalidSignature) => Telling::Counted(Refusal::InvalidSignature),
        Some(Code::RateLimited) => Telling::Counted(Refusal::RateLimited),
        Some(code) if code.is_fault() => Telling::Line(Level::ERROR),
        None if status.is_success() => Telling::Line(success),
        _ => Telling::Line(Level::INFO),
    }
}

macro_rules! line {
    ($level:ident, $entry:ident) => {
        tracing::event!(
            Level::$level,
            request_id = $entry.request_id.as_str(),
            trace_id = $entry.trace.map(TraceContext::trace_id),
            span_id = $entry.trace.map(TraceContext::span_id),
            method = method::name(method::index($entry.method)),
            route = $entry.route,
            status = $entry.status.as_u16(),
            duration_ms = millis($entry.took),
            client = %$entry.client,
            key = $entry.key.map(tracing::field::display),
            code = $entry.code.map(Code::as_str),
            cause = $entry.cause,
            "request"
        )
    };
}

/// Counts of what is not told one by one.
#[derive(Debug, Default)]
pub(super) struct Access {
    missing_key: AtomicU64,
    invalid_key: AtomicU64,
    invalid_signature: AtomicU64,
    rate_limited: AtomicU64,
    sample: Mutex<Option<IpAddr>>,
}

impl Access {
    /// Tells of one request; `success` is the level of its 2xx. Nothing is formatted for a level that is off.
    pub(super) fn tell(&self, success: Level, entry: Entry<'_>) {
        match telling(entry.status, entry.code, success) {
            Telling::Counted(refusal) => self.count(refusal, entry.client),
            Telling::Line(Level::ERROR) => line!(ERROR, entry),
            Telling::Line(Level::DEBUG) => line!(DEBUG, entry),
            Telling::Line(_) => line!(INFO, entry),
        }
    }

    fn count(&self, refusal: Refusal, client: IpAddr) {
        let counter = match refusal {
            Refusal::MissingKey => &self.missing_key,
            Refusal::InvalidKey => &self.invalid_key,
            Refusal::InvalidSignature => &self.invalid_signature,
            Refusal::RateLimited => &self.rate_limited,
        };
        counter.fetch_add(1, Relaxed);
        // One address is enough: whoever finds the lock taken leaves it to the other.
        if let Ok(mut sample) = self.sample.try_lock() {
            sample.get_or_insert(client);
        }
    }

    /// Tells of what was refused since the last time, if anything was.
    pub(super) fn flush(&self) {
        let counts = [
            &self.missing_key,
            &self.invalid_key,
            &self.invalid_signature,
            &self.rate_limited,
        ]
        .map(|counter| counter.swap(0, Relaxed));
        let [
            missing_api_key,
            invalid_api_key,
            invalid_signature,
            rate_limited,
        ] = counts;
        if counts == [0; 4] {
            return;
        }
        let sample = self.sample.lock().ok().and_then(|mut sample| sample.take());
        tracing::info!(
            missing_api_key,
            invalid_api_key,
            invalid_signature,
            rate_limited,
            client = sample.map(tracing::field::display),
            "requests were refused"
        );
    }

    /// Tells once a minute, for ever.
    pub(super) async fn report(&self) -> std::convert::Infallible {
        let mut minutes = interval(EVERY);
        minutes.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            minutes.tick().await;
            self.flush();
        }
    }
}

/// Milliseconds with three decimals.
fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_what_an_answer_means() {
        let of = |code: Code| telling(code.status(), Some(code), Level::DEBUG);
        assert_eq!(
            telling(StatusCode::OK, None, Level::DEBUG),
            Telling::Line(Level::DEBUG)
        );
        assert_eq!(
            telling(StatusCode::OK, None, Level::INFO),
            Telling::Line(Level::INFO)
        );
        for answer in [
            Code::Degraded,
            Code::CheckFailed,
            Code::NotReady,
            Code::NotFound,
        ] {
            assert_eq!(of(answer), Telling::Line(Level::INFO), "{answer:?}");
        }
        assert_eq!(of(Code::InternalError), Telling::Line(Level::ERROR));
        assert_eq!(of(Code::Unavailable), Telling::Line(Level::ERROR));
        assert_eq!(
            of(Code::InvalidSignature),
            Telling::Counted(Refusal::InvalidSignature)
        );
        assert_eq!(
            of(Code::MissingApiKey),
            Telling::Counted(Refusal::MissingKey)
        );
        assert_eq!(
            of(Code::InvalidApiKey),
            Telling::Counted(Refusal::InvalidKey)
        );
        assert_eq!(
            of(Code::RateLimited),
            Telling::Counted(Refusal::RateLimited)
        );
    }
}
