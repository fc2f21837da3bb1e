//! Serving: sockets, their limits and their end. Knows nothing of routes.
//!
//! [`serve`] owns a listener from the first accept to the last byte of the drain. What it guards:
//! every connection is always in exactly one phase, each phase has a time limit, and one
//! sweeper enforces them all. hyper parses and writes; its own timers stay off, because its one header
//! timer is an idle timer at the same time and its `graceful_shutdown` drops requests on the wire.

mod accept;
mod cap;
mod connection;
mod connections;
mod drain;
mod io;
mod report;
mod slot;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

pub use accept::listen;
pub use cap::{effective_cap, second_cap};
pub use drain::{Drain, Shutdown, Signal, Stage, follow, signals};
pub use report::{Cause, Counters, ServeReport};

use crate::peer::Peer;
use connections::Table;

/// Any error that can cross a thread.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Largest request head, request line included.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What answers requests. Cloned once a connection.
pub trait Handler: Clone + Send + Sync + 'static {
    /// The body of an answer.
    type Body: hyper::body::Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static;

    /// Answers one request of `peer`. Dropped when the connection is aborted.
    fn call(
        &self,
        peer: &Peer,
        request: Request<Incoming>,
    ) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// How long a connection may stay in a phase, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From accept, or from a later request's first byte, to the end of its head; and between two bytes of
    /// an answer that a client takes.
    pub header_timeout: Duration,
    /// Between the end of an answer and the next request.
    pub idle_timeout: Duration,
    /// From a request's first byte to the last byte of its answer, handler and both bodies included.
    /// It must exceed the handler's own limits; what they cannot reach ends here.
    pub busy_timeout: Duration,
    /// For what is busy once the listener is closed.
    pub shutdown_grace: Duration,
    /// Connections at a time; [`effective_cap`] derives it.
    pub max_connections: usize,
}

impl Default for Limits {
    /// The defaults of `HEADER_TIMEOUT`, `IDLE_TIMEOUT`, `SHUTDOWN_GRACE`; busy for 2 min, twice the
    /// longest `?wait`; 10,000 connections.
    fn default() -> Self {
        Limits {
            header_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            busy_timeout: Duration::from_mins(2),
            shutdown_grace: Duration::from_secs(10),
            max_connections: cap::MOST_CONNECTIONS,
        }
    }
}

/// Serves until `drain` reaches [`Stage::Closing`], then empties the accept queue, closes the listener
/// and returns when every connection has ended, [`Limits::shutdown_grace`] later at the latest.
///
/// `counters` are this listener's alone. No error ends it. Dropping the future aborts its connections.
pub async fn serve<H: Handler>(
    listener: TcpListener,
    handler: H,
    limits: Limits,
    drain: Drain,
    counters: Arc<Counters>,
) -> ServeReport {
    let address = listener.local_addr().ok();
    let table = Arc::new(Table::new(limits, Arc::clone(&counters)));
    let _abort_on_drop = AbortOnDrop(Arc::clone(&table));
    let open = |stream: TcpStream, peer: SocketAddr| {
        connection::open(&table, stream, peer.into(), handler.clone(), drain.clone());
    };
    let relieve = || table.relieve();
    let life = async {
        accept::until(&listener, drain.reached(Stage::Closing), &open, &relieve).await;
        let deadline = Instant::now() + limits.shutdown_grace;
        accept::rest(listener, deadline, &open, &relieve).await;
        tokio::select! {
            () = table.emptied() => {}
            () = sleep_until(deadline) => {}
        }
        table.abort_all();
    };
    tokio::select! {
        () = life => {}
        never = table.sweep_forever(&drain) => match never {},
    }
    let report = counters.report();
    report.log(address);
    report
}

struct AbortOnDrop(Arc<Table>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}
