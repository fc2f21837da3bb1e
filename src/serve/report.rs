//! What happened to connections, by cause.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Why the service ended a connection, other than after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A head did not arrive in time.
    HeaderTimeout,
    /// Nothing was asked for too long.
    Idle,
    /// A request and its answer took too long: the client does not read.
    Stalled,
    /// It gave way at the cap.
    Evicted,
    /// The cap was reached and every connection was busy.
    Refused,
    /// The head could not be parsed: 400.
    BadRequest,
    /// The head had over 100 fields or 16 KiB: 431.
    HeadTooLarge,
    /// HTTP/2 without negotiation.
    Http2,
    /// Still busy when the shutdown grace was over.
    CutAtShutdown,
}

const CAUSES: usize = Cause::CutAtShutdown as usize + 1;

impl Cause {
    /// All of them.
    pub const ALL: [Cause; CAUSES] = [
        Cause::HeaderTimeout,
        Cause::Idle,
        Cause::Stalled,
        Cause::Evicted,
        Cause::Refused,
        Cause::BadRequest,
        Cause::HeadTooLarge,
        Cause::Http2,
        Cause::CutAtShutdown,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::HeaderTimeout => "header_timeout",
            Cause::Idle => "idle",
            Cause::Stalled => "stalled",
            Cause::Evicted => "evicted",
            Cause::Refused => "refused",
            Cause::BadRequest => "bad_request",
            Cause::HeadTooLarge => "head_too_large",
            Cause::Http2 => "http2",
            Cause::CutAtShutdown => "cut_at_shutdown",
        }
    }
}

/// Counts of one listener. Relaxed: nothing is ordered by them.
#[derive(Debug, Default)]
pub struct Counters {
    open: AtomicU64,
    accepted: AtomicU64,
    ended: [AtomicU64; CAUSES],
}

impl Counters {
    pub(super) fn accepted(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(super) fn opened(&self) {
        self.open.fetch_add(1, Relaxed);
    }

    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Relaxed);
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    pub(super) fn ended(&self, cause: Cause) {
        self.ended[cause as usize].fetch_add(1, Relaxed);
    }

    /// The sums so far.
    pub fn report(&self) -> ServeReport {
        ServeReport {
            accepted: self.accepted.load(Relaxed),
            ended: std::array::from_fn(|cause| self.ended[cause].load(Relaxed)),
        }
    }
}

/// The sums of one listener's life, or of a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeReport {
    /// Connections accepted, refused ones included.
    pub accepted: u64,
    ended: [u64; CAUSES],
}

impl ServeReport {
    /// How many connections ended for `cause`.
    pub fn count(&self, cause: Cause) -> u64 {
        self.ended[cause as usize]
    }

    pub(super) fn log(&self, listener: Option<SocketAddr>) {
        tracing::info!(
            listener = listener.map(tracing::field::display),
            accepted = self.accepted,
            header_timeout = self.count(Cause::HeaderTimeout),
            idle = self.count(Cause::Idle),
            stalled = self.count(Cause::Stalled),
            evicted = self.count(Cause::Evicted),
            refused = self.count(Cause::Refused),
            bad_request = self.count(Cause::BadRequest),
            head_too_large = self.count(Cause::HeadTooLarge),
            http2 = self.count(Cause::Http2),
            cut = self.count(Cause::CutAtShutdown),
            "listener closed and connections ended"
        );
    }
}
