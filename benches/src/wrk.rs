//! wrk (Debian's), a load generator that is not ours: what it sees is a check on what ours sees.

use std::io;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What wrk reports of one run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// Answers in all.
    pub answers: u64,
    /// Answers a second.
    pub per_second: f64,
    /// In microseconds.
    pub p50: f64,
    /// In microseconds.
    pub p99: f64,
}

/// Whether there is a wrk.
pub fn is_there() -> bool {
    // It tells its version and ends with 1, as nothing is asked of it.
    let mut command = Command::new("wrk");
    command
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok()
}

/// `GET /health` from one thread, on the core of the caller, with the fields of [`crate::client::get`]: what a server
/// reads is a part of what it costs.
///
/// # Errors
/// When wrk fails, saw a socket error, or an answer that was neither 2xx nor 3xx.
pub fn run(address: SocketAddr, connections: usize, lasting: Duration) -> io::Result<Seen> {
    let mut command = Command::new("wrk");
    command
        .args(["--threads", "1", "--latency"])
        .args(["--header", "user-agent: bench", "--header", "accept: */*"])
        .arg(format!("--connections={connections}"))
        .arg(format!("--duration={}s", lasting.as_secs()));
    let output = command
        .arg(format!("http://{address}/health"))
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return Err(io::Error::other(format!("wrk: {}", output.status)));
    }
    parse(&text).ok_or_else(|| {
        io::Error::other(format!("wrk saw errors, or says it in new words:\n{text}"))
    })
}

/// `None` if there were errors, or a figure is missing.
fn parse(text: &str) -> Option<Seen> {
    let errors = ["Socket errors", "Non-2xx"];
    if errors.iter().any(|error| text.contains(error)) {
        return None;
    }
    let after = |start: &str| {
        let line = text
            .lines()
            .find(|line| line.trim_start().starts_with(start));
        line.and_then(|line| line.split_whitespace().nth(1))
    };
    let answers = text
        .lines()
        .find(|line| line.contains(" requests in "))?
        .split_whitespace()
        .next()?;
    Some(Seen {
        answers: answers.parse().ok()?,
        per_second: after("Requests/sec:")?.parse().ok()?,
        p50: micros(after("50%")?)?,
        p99: micros(after("99%")?)?,
    })
}

/// `612.00us`, `1.20ms` or `2.00s`.
fn micros(text: &str) -> Option<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    units.iter().find_map(|(unit, factor)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "Running 1s test @ http://127.0.0.1:9/health
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   612.34us  102.11us   3.02ms   90.10%
    Req/Sec   104.23k     2.01k  106.10k    80.00%
  Latency Distribution
     50%  598.00us
     75%  640.00us
     90%  701.00us
     99%    1.02ms
  104230 requests in 1.00s, 38.12MB read
Requests/sec: 104112.55
Transfer/sec:     38.08MB
";

    #[test]
    fn reads_a_report_and_refuses_one_with_errors() {
        let seen = Seen {
            answers: 104_230,
            per_second: 104_112.55,
            p50: 598.0,
            p99: 1020.0,
        };
        assert_eq!(parse(REPORT), Some(seen));
        for more in [
            "  Socket errors: connect 0, read 1, write 0, timeout 0\n",
            "  Non-2xx or 3xx responses: 12\n",
        ] {
            assert_eq!(parse(&(REPORT.to_owned() + more)), None);
        }
        assert_eq!(parse("Requests/sec: 1"), None);
    }
}
