//! What the rest of the service knows of the room: it takes deliveries, shows jobs and signals.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use tokio::sync::watch;

use super::lifecycle::Job;
use super::signals::board::Board;
use super::store::{Trail, Wanted};
use crate::sample::Sample;

/// A webhook's request, its body whole.
#[derive(Debug)]
pub struct Incoming {
    /// All headers of it.
    pub headers: HeaderMap,
    /// The body, at most 1 MiB.
    pub body: Bytes,
    /// The id of the request, as in the log.
    pub request_id: String,
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

/// The room's door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Room {
    board: watch::Receiver<Arc<Board>>,
}

impl Room {
    /// Takes a delivery of `POST /webhooks/jobs`; returns once it is durable, after 5 s at most.
    pub async fn webhook(&self, incoming: Incoming) -> Result<Receipt, Refusal> {
        drop(incoming);
        Err(CLOSED)
    }

    /// Takes a delivery of `POST /webhooks/runpod/{token}`; likewise.
    pub async fn runpod(&self, token: &str, incoming: Incoming) -> Result<Receipt, Refusal> {
        let _ = token;
        drop(incoming);
        Err(CLOSED)
    }

    /// A job and its events; `None` if nothing is known under that id.
    pub async fn job(&self, job_id: &str) -> Result<Option<Trail>, Refusal> {
        let _ = job_id;
        Err(CLOSED)
    }

    /// Jobs, newest change first.
    pub async fn list(&self, wanted: Wanted) -> Result<Vec<Job>, Refusal> {
        drop(wanted);
        Err(CLOSED)
    }

    /// The signals as they were last judged.
    pub fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board.borrow())
    }

    /// Adds what the room counts.
    pub fn samples(&self, out: &mut Vec<Sample>) {
        let _ = out;
    }
}

const CLOSED: Refusal = Refusal::Unavailable {
    cause: "the job store is not open",
    retry_after: 5,
};
