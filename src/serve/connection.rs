//! One connection, from its entry in the table to its last byte.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;

use http::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connections::{Membership, Table};
use super::drain::{Drain, Stage};
use super::io::{Ending, Tracked};
use super::report::Cause;
use super::{Handler, MAX_HEAD_BYTES};
use crate::peer::Peer;

/// Enters a connection into the table and serves it, or drops it if the table has no place.
pub(super) fn open<H: Handler>(
    table: &Arc<Table>,
    stream: TcpStream,
    peer: Peer,
    handler: H,
    drain: Drain,
) {
    // Answers are one small write each. A refusal means that the socket is gone, and a read will tell.
    let _ = stream.set_nodelay(true);
    let Some(member) = table.admit() else { return };
    let id = member.id();
    let task = tokio::spawn(run(stream, peer, handler, drain, member));
    table.adopt(id, task.abort_handle());
}

/// Serves it to its end.
#[expect(
    clippy::manual_async_fn,
    reason = "the future of an `async fn` keeps two places for each argument that it borrows from"
)]
fn run<H: Handler>(
    stream: TcpStream,
    peer: Peer,
    handler: H,
    drain: Drain,
    member: Membership,
) -> impl Future<Output = ()> + Send {
    async move {
        let slot = member.slot();
        // Calls borrow what the connection has: a clone each would be several atomic writes a request.
        let (handler, drain, peer) = (&handler, &drain, &peer);
        let service = service_fn(|request| {
            slot.called();
            let answer = handler.call(peer, request);
            async move {
                let mut response = answer.await;
                // Asked after the handler: the drain may have begun meanwhile.
                if drain.stage() == Stage::Closing {
                    response
                        .headers_mut()
                        .insert(CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, Infallible>(response.map(|body| Ending::new(body, Arc::clone(slot))))
            }
        });
        let io = TokioIo::new(Tracked::new(stream, Arc::clone(slot), peer.gone.clone()));
        let mut connection = builder().serve_connection(io, service);
        let outcome = poll_fn(|cx| {
            let outcome = Pin::new(&mut connection).poll(cx);
            if outcome.is_pending() {
                slot.waits();
            }
            outcome
        })
        .await;
        if let Err(error) = &outcome
            && let Some(cause) = cause(error)
        {
            member.ended(cause);
        }
        slot.lingering();
        // Boxed: an open connection keeps no room for its end.
        Box::pin(linger(connection.into_parts().io.into_inner())).await;
    }
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The sweeper's matter; hyper's timer would end idle connections too.
        .header_read_timeout(None)
        // Probes such as `printf … | nc -N` shut their side after the request and wait for the answer.
        .half_close(true)
        // The limit of 100 fields is hyper's default; setting it would move them to the heap.
        .max_header_size(MAX_HEAD_BYTES)
        .max_buf_size(4 * MAX_HEAD_BYTES);
    builder
}

/// The causes that hyper knows. Everything else is the client's going away.
fn cause(error: &hyper::Error) -> Option<Cause> {
    if error.is_parse_version_h2() {
        Some(Cause::Http2)
    } else if error.is_parse_too_large() {
        Some(Cause::HeadTooLarge)
    } else if error.is_parse() {
        Some(Cause::BadRequest)
    } else {
        None
    }
}

/// Reads the client's side to its end. Closing a socket with unread bytes sends a reset, which can
/// overtake the last answer: a 431 would be lost to the very client that must see it. The sweeper
/// bounds this.
async fn linger(mut stream: Tracked) {
    let mut waste = [0; 1024];
    if stream.shutdown().await.is_ok() {
        while matches!(stream.read(&mut waste).await, Ok(1..)) {}
    }
}
