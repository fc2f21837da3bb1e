//! A client that sends exactly the bytes it is told to.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// For anything that must happen at all.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// A plain `GET` without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}

/// One connection.
pub(crate) struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

/// One answer, its head in lower case.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close\r\n")
    }

    /// The value of a field, in lower case as the whole head.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head
            .split("\r\n")
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The body, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {self}"))
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.head, String::from_utf8_lossy(&self.body))
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Raw {
        let stream = timeout(DEADLINE, TcpStream::connect(address))
            .await
            .unwrap()
            .unwrap();
        Raw {
            stream,
            unread: Vec::new(),
        }
    }

    /// Sends all of it; whether the peer was still there.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        timeout(DEADLINE, self.stream.write_all(bytes.as_ref()))
            .await
            .unwrap()
            .is_ok()
    }

    /// Ends our side only.
    pub(crate) async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// The next answer, by its content-length; `None` if the connection ends before it is whole.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let head_end = loop {
            if let Some(at) = self
                .unread
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n")
            {
                break at + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8(self.unread.drain(..head_end).collect())
            .unwrap()
            .to_lowercase();
        let length = head
            .split("\r\n")
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            self.read_more().await?;
        }
        let body = self.unread.drain(..length).collect();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some(Answer { status, head, body })
    }

    /// Sends a `GET` and reads its answer.
    pub(crate) async fn ask(&mut self, path: &str) -> Option<Answer> {
        self.send(get(path)).await;
        self.answer().await
    }

    /// Waits for the first bytes of an answer, and leaves them.
    pub(crate) async fn begun(&mut self) {
        self.read_more().await.expect("closed");
    }

    /// Waits for the end of the connection; what came before it.
    pub(crate) async fn closed(mut self) -> Vec<u8> {
        while self.read_more().await.is_some() {}
        self.unread
    }

    /// Whether the connection has ended, without waiting for more than what is there.
    async fn read_more(&mut self) -> Option<()> {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.unread)).await;
        match read.expect("neither bytes nor an end within the deadline") {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }
}
