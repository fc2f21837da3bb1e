//! Accepting: for ever, whatever goes wrong, and to the last connection of the queue.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep};

/// Long enough for a connection to end and leave its descriptor, short enough not to be noticed.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);
/// Failures closer together than this are one episode.
const EPISODE_GAP: Duration = Duration::from_mins(1);
/// Accepts in a row before other tasks get their turn.
const BATCH: usize = 64;
/// The error numbers, the same on every Unix, of a process and a system without free descriptors.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// Connections that wait to be accepted; the kernel lowers it to its own limit.
const ACCEPT_QUEUE: u32 = 4096;

/// Listens there, with a queue for bursts; to be called on a runtime.
///
/// The standard library's queue holds 128 connections: a burst beyond that is dropped and comes again
/// after 1 s, when a probe has given up.
///
/// # Errors
/// When the address is taken or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // As `TcpListener::bind` does: a restart must not wait for old connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(ACCEPT_QUEUE)
}

/// Accepts until `end`. Whenever descriptors have run out, `relieve` is to end a connection.
pub(super) async fn until(
    listener: &TcpListener,
    end: impl Future<Output = ()>,
    open: &impl Fn(TcpStream, SocketAddr),
    relieve: &impl Fn(),
) {
    let mut end = pin!(end);
    let mut trouble = Trouble::default();
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut end => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => open(stream, peer),
            Err(error) if is_the_connections_own(&error) => {}
            Err(error) => trouble.pause(&error, relieve).await,
        }
    }
}

/// Accepts what the kernel has already completed, then closes the listener. Ends at `deadline` at the
/// latest. tokio's own accept would ask the kernel only after an event; here the kernel is the judge.
pub(super) async fn rest(
    listener: TcpListener,
    deadline: Instant,
    open: &impl Fn(TcpStream, SocketAddr),
    relieve: &impl Fn(),
) {
    let Ok(listener) = listener.into_std() else {
        return;
    };
    let mut trouble = Trouble::default();
    let mut accepted = 0_usize;
    while Instant::now() < deadline {
        match listener.accept() {
            Ok((stream, peer)) => {
                if let Ok(()) = stream.set_nonblocking(true)
                    && let Ok(stream) = TcpStream::from_std(stream)
                {
                    open(stream, peer);
                }
                accepted += 1;
                if accepted.is_multiple_of(BATCH) {
                    tokio::task::yield_now().await;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) if is_the_connections_own(&error) => {}
            Err(error) => trouble.pause(&error, relieve).await,
        }
    }
}

/// Errors of a connection that was gone before it was accepted; everything else (EMFILE, ENFILE,
/// ENOBUFS, ENOMEM…) lasts, and accepting again at once would spin.
fn is_the_connections_own(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

/// The state of one episode of failed accepts.
#[derive(Default)]
struct Trouble {
    last: Option<Instant>,
}

impl Trouble {
    async fn pause(&mut self, error: &io::Error, relieve: &impl Fn()) {
        if self.begins(Instant::now()) {
            tracing::error!(%error, "cannot accept connections, trying on");
        }
        sleep(EXHAUSTED_PAUSE).await;
        // Not before: of connections just accepted, the requests may not have been read yet.
        if matches!(error.raw_os_error(), Some(EMFILE | ENFILE)) {
            relieve();
            // It ends in its own task.
            tokio::task::yield_now().await;
        }
    }

    fn begins(&mut self, now: Instant) -> bool {
        self.last
            .replace(now)
            .is_none_or(|last| now - last >= EPISODE_GAP)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody accepts: all of them wait in the kernel's queue.
    #[tokio::test]
    async fn a_burst_waits_to_be_accepted() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
        let most = most.ok().and_then(|most| most.trim().parse().ok());
        let mut waiting = Vec::new();
        for _ in 0..most.unwrap_or(128).min(400) {
            let connect = TcpSocket::new_v4().unwrap().connect(address);
            let connected = tokio::time::timeout(Duration::from_secs(10), connect).await;
            waiting.push(connected.expect("dropped by the kernel").unwrap());
        }
    }

    #[test]
    fn an_episode_is_told_once() {
        let start = Instant::now();
        let mut trouble = Trouble::default();
        assert!(trouble.begins(start));
        assert!(!trouble.begins(start + EXHAUSTED_PAUSE));
        assert!(!trouble.begins(start + Duration::from_secs(59)));
        assert!(trouble.begins(start + Duration::from_mins(2)));
    }
}
