//! An upstream made by hand on a raw socket, for what no real server answers. Scripted at run time:
//! what it answers can be changed between two calls, for all paths or for one.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// How one request is answered.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This response; the connection stays open.
    Respond(Response),
    /// Never.
    Hang,
    /// A response's head, then one byte of an endless body every 10 ms.
    Drip(Response),
    /// A response's head without a length, then bytes as fast as they are taken.
    Endless(Response),
    /// The first so many bytes of a response, head included, then the end of the connection.
    CutAfter(usize, Response),
    /// The end of the connection.
    Close,
    /// A reset of the connection.
    Reset,
    /// These bytes once the first bytes have come, whatever they are, then the end.
    Raw(Vec<u8>),
}

/// Status, header fields and body. `Content-Length` is added unless a field speaks about length.
#[derive(Debug, Clone)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    /// A status and a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Response {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    fn head(&self, with_length: bool) -> Vec<u8> {
        let mut lines = vec![format!("HTTP/1.1 {} Scripted", self.status)];
        let mut has_length = false;
        for (name, value) in &self.headers {
            has_length |= name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding");
            lines.push(format!("{name}: {value}"));
        }
        if with_length && !has_length {
            lines.push(format!("content-length: {}", self.body.len()));
        }
        (lines.join("\r\n") + "\r\n\r\n").into_bytes()
    }

    fn bytes(&self) -> Vec<u8> {
        [self.head(true), self.body.clone()].concat()
    }
}

impl From<Response> for Reply {
    fn from(response: Response) -> Reply {
        Reply::Respond(response)
    }
}

/// A request's head, as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Field names in lower case, with their values, in order.
    pub headers: Vec<(String, String)>,
}

impl Request {
    /// The path without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first field of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(have, _)| have == name)
            .map(|(_, value)| value.as_str())
    }

    fn parse(head: &[u8]) -> Option<Request> {
        let text = std::str::from_utf8(head).ok()?;
        let mut lines = text.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Request {
            method,
            target,
            headers,
        })
    }
}

#[derive(Debug)]
struct Script {
    every: Reply,
    by_path: HashMap<String, Reply>,
    requests: Vec<Request>,
    connections: usize,
}

/// The upstream. Ends, with all its connections, when dropped.
#[derive(Debug)]
pub struct Fixture {
    address: SocketAddr,
    script: Arc<Mutex<Script>>,
    task: JoinHandle<()>,
}

impl Fixture {
    /// Listens on a free port of 127.0.0.1 and answers every request with `reply`.
    pub async fn start(reply: impl Into<Reply>) -> io::Result<Fixture> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let script = Arc::new(Mutex::new(Script {
            every: reply.into(),
            by_path: HashMap::new(),
            requests: Vec::new(),
            connections: 0,
        }));
        let task = tokio::spawn(accept(listener, Arc::clone(&script)));
        Ok(Fixture {
            address,
            script,
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:port`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on every path without a reply of its own is answered so.
    pub fn set(&self, reply: impl Into<Reply>) {
        lock(&self.script).every = reply.into();
    }

    /// From now on this path (without query) is answered so.
    pub fn set_path(&self, path: &str, reply: impl Into<Reply>) {
        lock(&self.script)
            .by_path
            .insert(path.to_owned(), reply.into());
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.script).requests.clone()
    }

    /// How many requests came so far.
    pub fn calls(&self) -> usize {
        lock(&self.script).requests.len()
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        lock(&self.script).connections
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        // The set of connections lives in the task and ends with it.
        self.task.abort();
    }
}

fn lock(script: &Mutex<Script>) -> MutexGuard<'_, Script> {
    script.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, script: Arc<Mutex<Script>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                lock(&script).connections += 1;
                connections.spawn(serve(socket, Arc::clone(&script)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// One connection; an error is the caller's doing and ends it.
async fn serve(mut socket: TcpStream, script: Arc<Mutex<Script>>) -> io::Result<()> {
    let mut unread = Vec::new();
    loop {
        let every = lock(&script).every.clone();
        if let Reply::Raw(bytes) = every {
            let mut first = [0; 4096];
            let _ = socket.read(&mut first).await?;
            return end_with(socket, &bytes).await;
        }
        let Some(request) = read_request(&mut socket, &mut unread).await? else {
            return Ok(());
        };
        let reply = {
            let mut script = lock(&script);
            let reply = script
                .by_path
                .get(request.path())
                .unwrap_or(&script.every)
                .clone();
            script.requests.push(request);
            reply
        };
        match reply {
            Reply::Respond(response) => socket.write_all(&response.bytes()).await?,
            Reply::Hang => std::future::pending().await,
            Reply::Drip(response) => {
                socket.write_all(&response.head(false)).await?;
                loop {
                    socket.write_all(b" ").await?;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            Reply::Endless(response) => {
                socket.write_all(&response.head(false)).await?;
                loop {
                    socket.write_all(&[b' '; 4096]).await?;
                }
            }
            Reply::CutAfter(count, response) => {
                let bytes = response.bytes();
                return end_with(socket, &bytes[..count.min(bytes.len())]).await;
            }
            Reply::Close => return Ok(()),
            Reply::Reset => return socket.set_zero_linger(),
            Reply::Raw(bytes) => return end_with(socket, &bytes).await,
        }
    }
}

/// Writes, closes this side and waits for the other, so that no reset overtakes the bytes.
async fn end_with(mut socket: TcpStream, bytes: &[u8]) -> io::Result<()> {
    socket.write_all(bytes).await?;
    socket.shutdown().await?;
    let mut rest = [0; 4096];
    while socket.read(&mut rest).await? > 0 {}
    Ok(())
}

/// The next head; `None` once the caller has closed, or sends what is no request.
async fn read_request(socket: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Option<Request>> {
    loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = unread.drain(..end + 4).collect();
            return Ok(Request::parse(&head));
        }
        if socket.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
}
