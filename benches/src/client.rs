//! A blocking client over keep-alive connections, small enough not to be what is measured.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Nothing here takes nearly as long; a run must end, whatever happens.
const PATIENCE: Duration = Duration::from_secs(10);

/// One answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Status line and header fields.
    pub head: String,
    /// The body, as long as `Content-Length` says.
    pub body: Vec<u8>,
}

impl Answer {
    /// Bytes on the wire.
    pub fn size(&self) -> usize {
        self.head.len() + self.body.len()
    }

    /// Header names in lower case, sorted.
    pub fn fields(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name.to_ascii_lowercase())
            .collect();
        names.sort();
        names
    }

    /// What nearly every answer of a benchmark must be: 200 with JSON.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn must_be_good(&self) -> io::Result<serde_json::Value> {
        self.must_be(200)
    }

    /// `status` with JSON.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn must_be(&self, status: u16) -> io::Result<serde_json::Value> {
        if self.status != status {
            return Err(invalid(&format!("answered {}", self.status)));
        }
        serde_json::from_slice(&self.body).map_err(|_| invalid("the body is no JSON"))
    }
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Connection {
            stream,
            unread: Vec::with_capacity(4096),
        })
    }

    /// Sends a request made by [`get`].
    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Reads one answer.
    pub fn answer(&mut self) -> io::Result<Answer> {
        let head_size = loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            match end {
                Some(at) => break at + 4,
                None => self.read_more()?,
            }
        };
        let head: Vec<u8> = self.unread.drain(..head_size).collect();
        let head = String::from_utf8(head).map_err(|_| invalid("the head is no text"))?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| invalid("no status"))?;
        let length = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .and_then(|(_, value)| value.parse().ok())
            .ok_or_else(|| invalid("no content-length"))?;
        while self.unread.len() < length {
            self.read_more()?;
        }
        let body = self.unread.drain(..length).collect();
        Ok(Answer { status, head, body })
    }

    /// The socket, once everything is answered, to be waited for together with others.
    pub fn into_nonblocking(self) -> io::Result<TcpStream> {
        if !self.unread.is_empty() {
            return Err(invalid("more came than was asked for"));
        }
        self.stream.set_nonblocking(true)?;
        Ok(self.stream)
    }

    /// Sends and reads.
    pub fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.send(request)?;
        self.answer()
    }

    fn read_more(&mut self) -> io::Result<()> {
        let mut more = [0; 4096];
        match self.stream.read(&mut more)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => {
                self.unread.extend_from_slice(&more[..count]);
                Ok(())
            }
        }
    }
}

/// A `GET` as monitors send it, with a key if one is given.
pub fn get(path: &str, key: Option<&str>) -> Vec<u8> {
    let key = key.map_or(String::new(), |key| format!("x-api-key: {key}\r\n"));
    format!(
        "GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: bench\r\naccept: */*\r\n{key}\r\n"
    )
    .into()
}

/// Whether `answer`, as long as all others, begins like the first one and is JSON; looks no closer, as the client's own
/// work must stay small.
///
/// # Errors
/// When it is not.
pub fn is_same(answer: &[u8], beginning: &[u8]) -> io::Result<()> {
    if answer.starts_with(beginning) && answer.ends_with(b"}") {
        Ok(())
    } else {
        Err(invalid("an answer differs from the first one"))
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_200_with_json_is_good() {
        let good = |status, body: &str| {
            let (head, body) = (String::new(), body.into());
            Answer { status, head, body }.must_be_good().is_ok()
        };
        assert!(good(200, r#"{"status":"healthy"}"#));
        assert!(!good(503, r#"{"status":"degraded"}"#));
        assert!(!good(200, "<html>"));
        assert!(!good(200, ""));
    }

    #[test]
    fn the_short_look_is_at_both_ends() {
        let good = |answer: &[u8]| is_same(answer, b"HTTP/1.1 200 ").is_ok();
        assert!(good(b"HTTP/1.1 200 OK\r\n\r\n{}"));
        assert!(!good(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}"));
        assert!(!good(b"HTTP/1.1 200 OK\r\n\r\n{\"status\":"));
    }
}
