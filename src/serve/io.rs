//! The socket and the answer's body, each wrapped so that the slot hears of what hyper does with them.
//!
//! hyper tells nobody that a later request has begun or that an answer has left. The bytes it reads and
//! the flush after an answer's last frame say both, at one relaxed store each. Nor does it tell a handler
//! that the client has gone: with half-closing clients allowed it does not read while it waits for an
//! answer. It does flush then, whenever the connection's task is woken, and here the flush has a look.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::slot::Slot;
use crate::peer::Gone;

/// Head and body of most answers fit in.
const SMALL: usize = 512;

/// A socket that reports reads, writes and completed flushes, and the client's end to whoever asks for it.
pub(super) struct Tracked {
    stream: TcpStream,
    slot: Arc<Slot>,
    gone: Gone,
}

impl Tracked {
    pub(super) fn new(stream: TcpStream, slot: Arc<Slot>, gone: Gone) -> Self {
        Tracked { stream, slot, gone }
    }

    fn look_for_the_client(&self, cx: &mut Context<'_>) {
        let mut byte = [0];
        match self.stream.poll_peek(cx, &mut ReadBuf::new(&mut byte)) {
            Poll::Pending | Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0) | Err(_)) => self.gone.tell(),
        }
    }
}

impl AsyncRead for Tracked {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.slot.bytes_read();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tracked {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.slot.written(written.is_ready());
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut small = [0; SMALL];
        if let Some(all) = gathered(bufs, &mut small) {
            return self.poll_write(cx, all);
        }
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.slot.written(written.is_ready());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes only when its own buffer is empty.
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.slot.flushed();
        if self.gone.is_asked() {
            self.look_for_the_client(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// All of `bufs` one after the other if they fit into `small`: copying few bytes costs less than a system call that
/// gathers. (hyper's own way of doing without such calls copies large bodies as well, into a buffer that the
/// connection keeps.)
fn gathered<'a>(bufs: &[io::IoSlice<'_>], small: &'a mut [u8; SMALL]) -> Option<&'a [u8]> {
    let mut end = 0;
    for buf in bufs {
        let start = end;
        end += buf.len();
        small.get_mut(start..end)?.copy_from_slice(buf);
    }
    Some(&small[..end])
}

/// A body that reports its end: hyper drops it once it holds the last frame.
pub(super) struct Ending<B> {
    body: B,
    slot: Arc<Slot>,
}

impl<B> Ending<B> {
    pub(super) fn new(body: B, slot: Arc<Slot>) -> Self {
        Ending { body, slot }
    }
}

impl<B> Drop for Ending<B> {
    fn drop(&mut self) {
        self.slot.body_ended();
    }
}

impl<B: Body + Unpin> Body for Ending<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use io::IoSlice;

    use super::*;

    #[test]
    fn what_fits_is_gathered_in_its_order() {
        let mut small = [0; SMALL];
        let both = [IoSlice::new(b"head"), IoSlice::new(b"body")];
        assert_eq!(gathered(&both, &mut small), Some(&b"headbody"[..]));
        let all = [1; SMALL];
        let (some, rest) = all.split_at(100);
        let exact = [IoSlice::new(some), IoSlice::new(rest)];
        assert_eq!(gathered(&exact, &mut small), Some(&all[..]));
        let more = [IoSlice::new(&all), IoSlice::new(b"x")];
        assert_eq!(gathered(&more, &mut small), None);
        assert_eq!(gathered(&[], &mut small), Some(&b""[..]));
    }
}
