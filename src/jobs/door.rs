//! What goes in and out at the room's door.

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;

use super::store::{Kind, StoreError};

/// A webhook's request, its body whole.
pub struct Incoming {
    /// All headers of it.
    pub headers: HeaderMap,
    /// The body, at most 1 MiB.
    pub body: Bytes,
    /// The id of the request, as in the log.
    pub request_id: String,
    /// The memory that the body takes.
    pub memory: Memory,
}

/// A share of what bodies may take, given back when it is dropped: once the delivery is durable, or refused.
pub type Memory = Option<OwnedSemaphorePermit>;

/// Without the headers, which hold the signature, and without the body.
impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

/// A delivery that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// It was known already and had no effect.
    pub duplicate: bool,
    /// The sender's id of it.
    pub delivery_id: String,
    /// Which job it told of.
    pub job_id: String,
}

/// Why the room did not do what it was asked. Messages are for callers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Signature or timestamp: 401.
    InvalidSignature(&'static str),
    /// No token of ours, or no such webhook: 404 as for any unknown path.
    WrongToken,
    /// Headers or body: 400.
    Invalid(&'static str),
    /// Not now: 503; nothing was kept, or it cannot be known whether.
    Unavailable {
        /// What is the matter, for the log.
        cause: &'static str,
        /// Seconds until another try can succeed.
        retry_after: u64,
    },
}

impl Refusal {
    pub(super) const fn unavailable(cause: &'static str, retry_after: u64) -> Self {
        Refusal::Unavailable { cause, retry_after }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        // A full disk is somebody's to see to; a lock passes.
        let retry_after = match error.kind {
            Kind::Locked => 1,
            Kind::Full | Kind::ReadOnly | Kind::Corrupt | Kind::Schema => 30,
            _ => 5,
        };
        Refusal::unavailable(error.kind.as_str(), retry_after)
    }
}
