//! `infra-health probe [URL]`: one plain-TCP GET, for the image's `HEALTHCHECK`.
//!
//! No runtime and no TLS: it starts every few seconds inside the container's limits.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Url;

use crate::config::Server;

/// For everything from name resolution to the status line.
const DEADLINE: Duration = Duration::from_secs(3);
/// A status line longer than this is none.
const MAX_STATUS_LINE: usize = 1024;

/// Where this configuration can be probed: `PROBE_ADDR` when set, else `HOST:PORT`.
pub fn default_target(server: &Server) -> SocketAddr {
    server
        .probe_addr
        .unwrap_or(SocketAddr::new(server.host, server.port))
}

/// Asks `target` within 3 s; prints one line. Success is a 2xx.
pub fn run(target: Result<Target, String>) -> ExitCode {
    let (line, code) = match target.and_then(|target| probe(&target)) {
        Ok(line) => (format!("ok: {line}"), ExitCode::SUCCESS),
        Err(line) => (format!("failed: {line}"), ExitCode::FAILURE),
    };
    // The exit code is the answer; a closed output does not change it.
    let _ = writeln!(io::stdout(), "{line}");
    code
}

fn probe(target: &Target) -> Result<String, String> {
    let status = ask_in_time(target)?;
    let line = format!("{target} answered {status}");
    if (200..300).contains(&status) {
        Ok(line)
    } else {
        Err(line)
    }
}

/// What to ask. Shown without its query, which may hold a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl Target {
    /// Takes an `http://` URL.
    ///
    /// # Errors
    /// A sentence that says what is accepted.
    pub fn parse(url: &str) -> Result<Self, String> {
        const FORM: &str = "expected http://host[:port][/path]";
        let parsed = Url::parse(url).map_err(|error| format!("malformed URL: {error}; {FORM}"))?;
        if parsed.scheme() != "http" {
            return Err(format!("only http is probed; {FORM}"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(format!("a URL with user information is refused; {FORM}"));
        }
        let host = parsed
            .host_str()
            .ok_or_else(|| format!("malformed URL: no host; {FORM}"))?;
        Ok(Target {
            host: host.to_owned(),
            port: parsed.port_or_known_default().unwrap_or(80),
            path: parsed.path().to_owned(),
            query: parsed.query().map(str::to_owned),
        })
    }

    /// `/livez` at a listening address; one that means every interface is asked on loopback.
    /// `/livez` of the service that listens there.
    pub fn livez(listening: SocketAddr) -> Self {
        let host = match listening.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
            IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        Target {
            host,
            port: listening.port(),
            path: "/livez".to_owned(),
            query: None,
        }
    }

    fn request(&self) -> String {
        let query = self
            .query
            .as_ref()
            .map(|query| format!("?{query}"))
            .unwrap_or_default();
        format!(
            "GET {}{query} HTTP/1.1\r\nHost: {}:{}\r\nUser-Agent: infra-health-probe/{}\r\nAccept: */*\r\n\
             Connection: close\r\n\r\n",
            self.path,
            self.host,
            self.port,
            env!("CARGO_PKG_VERSION"),
        )
    }
}

/// Asks on a thread of its own, because a name's resolution cannot be given a deadline.
fn ask_in_time(target: &Target) -> Result<u16, String> {
    let (sender, receiver) = mpsc::channel();
    let asked = target.clone();
    thread::Builder::new()
        .spawn(move || sender.send(ask(&asked, Instant::now() + DEADLINE)))
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    match receiver.recv_timeout(DEADLINE) {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => Err(format!("{target}: {error}")),
        Err(_) => Err(format!(
            "{target}: no answer within {} s",
            DEADLINE.as_secs()
        )),
    }
}

fn ask(target: &Target, deadline: Instant) -> io::Result<u16> {
    let mut stream = connect(target, deadline)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(target.request().as_bytes())?;
    let mut head = Vec::new();
    let mut chunk = [0; 256];
    while !head.contains(&b'\n') && head.len() < MAX_STATUS_LINE {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut chunk)? {
            0 => break,
            read => head.extend_from_slice(&chunk[..read]),
        }
    }
    status(&head).ok_or_else(|| io::Error::other("the answer is not HTTP/1.1"))
}

/// Tries each address that the name has.
fn connect(target: &Target, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    // `to_socket_addrs` wants an IPv6 address without its brackets.
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    for address in (host, target.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn left(deadline: Instant) -> io::Result<Duration> {
    deadline
        .checked_duration_since(Instant::now())
        .filter(|left| !left.is_zero())
        .ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// The three digits of `HTTP/1.x NNN …`, of a whole line only.
fn status(head: &[u8]) -> Option<u16> {
    let end = head.iter().position(|&byte| byte == b'\n')?;
    let line = std::str::from_utf8(&head[..end]).ok()?;
    let rest = line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))?;
    let digits = rest.split([' ', '\r']).next()?;
    (digits.len() == 3).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers one connection with `answer` and returns what it was asked.
    fn answering(answer: &'static [u8]) -> (SocketAddr, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.push(byte[0]);
            }
            stream.write_all(answer).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, server)
    }

    #[test]
    fn asks_livez_and_reads_the_status() {
        let (address, server) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let line = format!("http://{address}/livez answered 200");
        assert_eq!(probe(&Target::livez(address)), Ok(line));
        let asked = server.join().unwrap();
        assert!(
            asked.starts_with("GET /livez HTTP/1.1\r\nHost: 127.0.0.1:"),
            "{asked}"
        );
    }

    #[test]
    fn only_a_2xx_is_a_success() {
        let (address, _server) = answering(b"HTTP/1.1 503 Service Unavailable\r\n\r\n");
        let line = format!("http://{address}/livez answered 503");
        assert_eq!(probe(&Target::livez(address)), Err(line));
        let (address, server) = answering(b"HTTP/1.1 302 Found\r\nlocation: /\r\n\r\n");
        let line = format!("http://{address}/a answered 302");
        assert_eq!(
            probe(&Target::parse(&format!("http://{address}/a?b=c")).unwrap()),
            Err(line)
        );
        assert!(
            server
                .join()
                .unwrap()
                .starts_with("GET /a?b=c HTTP/1.1\r\n")
        );
    }

    #[test]
    fn says_what_went_wrong() {
        let closed = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let error = probe(&Target::livez(closed)).unwrap_err();
        assert!(
            error.starts_with(&format!("http://{closed}/livez: ")),
            "{error}"
        );
        let (address, _server) = answering(b"SSH-2.0-x\r\n");
        let error = probe(&Target::livez(address)).unwrap_err();
        assert!(error.ends_with("the answer is not HTTP/1.1"), "{error}");
    }

    #[test]
    fn refuses_what_it_cannot_ask() {
        for (url, sentence) in [
            ("localhost:8080", "only http is probed"),
            ("https://localhost/", "only http is probed"),
            ("http://", "malformed URL"),
            ("http://a:99999/", "malformed URL"),
            ("/livez", "malformed URL"),
            ("http://u:s3cr3t@localhost/", "user information"),
        ] {
            let error = Target::parse(url).unwrap_err();
            assert!(
                error.contains(sentence) && error.contains("expected http://"),
                "{url}: {error}"
            );
            assert!(!error.contains("s3cr3t"));
        }
    }

    #[test]
    fn unspecified_addresses_mean_loopback() {
        let shown = |listening: &str| Target::livez(listening.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:80"), "http://127.0.0.1:80/livez");
        assert_eq!(shown("[::]:8080"), "http://[::1]:8080/livez");
        assert_eq!(shown("[fe80::1]:1"), "http://[fe80::1]:1/livez");
        assert_eq!(
            Target::parse("http://h?token=x").unwrap().to_string(),
            "http://h:80/"
        );
    }

    #[test]
    fn only_a_whole_status_line_counts() {
        assert_eq!(status(b"HTTP/1.1 204\r\n"), Some(204));
        assert_eq!(status(b"HTTP/1.0 200 OK\nrest"), Some(200));
        for head in [
            &b"HTTP/1.1 200"[..],
            b"HTTP/2 200\n",
            b"HTTP/1.1 20\n",
            b"\n",
            b"HTTP/1.1 +20\n",
        ] {
            assert!(status(head).is_none_or(|status| status < 200), "{head:?}");
        }
    }
}
