//! A client that sends exactly the bytes it is told to.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::contract::{Exchange, fields};

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
    asked: Asked,
}

/// What was sent and is not answered yet.
#[derive(Default)]
struct Asked(Vec<u8>);

impl Asked {
    /// Method and target of the next request, if its head is whole.
    fn next(&mut self) -> Option<(String, String)> {
        let end = 4 + self.0.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.0[..end]).into_owned();
        let value = |wanted| {
            let mut lines = head.split("\r\n").filter_map(|line| line.split_once(':'));
            lines.find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        };
        let length = value("content-length").and_then(|(_, length)| length.trim().parse().ok());
        let body = match value("transfer-encoding") {
            Some(_) => {
                let rest = self.0[end..].windows(5);
                let last = { rest }.position(|bytes| bytes == b"0\r\n\r\n");
                last.map_or(self.0.len() - end, |last| last + 5)
            }
            None => length.unwrap_or(0),
        };
        self.0.drain(..(end + body).min(self.0.len()));
        let mut line = head.split(' ');
        Some((line.next()?.to_owned(), line.next()?.to_owned()))
    }
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
            asked: Asked::default(),
        }
    }

    /// Sends all of it; whether the peer was still there.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.asked.0.extend_from_slice(bytes.as_ref());
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
        let head = String::from_utf8(self.unread.drain(..head_end).collect()).unwrap();
        let headers = fields(&head);
        let asked = self.asked.next();
        let is_head = asked.as_ref().is_some_and(|(method, _)| method == "HEAD");
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length" && !is_head)
            .map_or(0, |(_, length)| length.parse().unwrap());
        while self.unread.len() < length {
            self.read_more().await?;
        }
        let body: Vec<u8> = self.unread.drain(..length).collect();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        // Not of a handler that a test has made up, nor of the HTTP library by itself.
        if headers.iter().any(|(name, _)| name == "x-request-id") {
            let (method, target) = asked.expect("an answer to nothing");
            let exchange = Exchange {
                method: &method,
                target: &target,
                status,
                headers: &headers,
                body: &body,
            };
            exchange.check();
        }
        let head = head.to_lowercase();
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
