//! Who is at the other end of a connection, and whether it still is.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// The client of one connection.
#[derive(Debug)]
pub struct Peer {
    /// The socket's address.
    pub address: SocketAddr,
    /// Its going away.
    pub gone: Gone,
}

impl From<SocketAddr> for Peer {
    /// One that never goes away unless it is told so.
    fn from(address: SocketAddr) -> Self {
        Peer {
            address,
            gone: Gone::default(),
        }
    }
}

/// Whether the client has closed its sending side. For answers that are held for long: it may have gone
/// for good, or wait for the answer with its own side shut (`nc -N`), so they are given at once.
///
/// Nobody looks before somebody asks. Bytes that the client sent behind its request hide its going away.
#[derive(Debug, Clone, Default)]
pub struct Gone(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    asked: AtomicBool,
    told: AtomicBool,
    waker: AtomicWaker,
}

impl Gone {
    /// Waits until it has gone. One request of a connection may wait at a time.
    pub async fn wait(&self) {
        self.0.asked.store(true, Relaxed);
        poll_fn(|cx| {
            self.0.waker.register(cx.waker());
            if self.0.told.load(Relaxed) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    /// Whether somebody has asked and is not told yet: one relaxed load, once asked two.
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Relaxed) && !self.0.told.load(Relaxed)
    }

    /// Tells whoever waits.
    pub fn tell(&self) {
        self.0.told.store(true, Relaxed);
        self.0.waker.wake();
    }
}
