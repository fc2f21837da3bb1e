//! The load generator: one request under way a connection, many connections, one thread.
//!
//! *Closed loop*: each connection asks again as soon as it is answered, which keeps the server busy all the time. Its
//! latencies are those of a queue as long as there are connections. *Open loop*: requests are due at a
//! fixed rate whatever the server does, and a latency counts from when the request was due, not from when it could be
//! sent: a stalled server cannot hide the requests that it kept from being sent. Requests that were due or under way while
//! the generator itself had no core say nothing about the server; they are counted apart.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::client::{Answer, Connection, is_same};
use crate::numbers::count;
use crate::requests::Requests;

/// No answer takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than one turn of the open loop with every connection answered: then the generator had no core.
const ABSENT: Duration = Duration::from_micros(250);

/// What one round of load met.
#[derive(Debug)]
pub struct Measured {
    /// How many answers.
    pub answers: u64,
    /// How long the round took.
    pub took: Duration,
    /// Of each request, in nanoseconds.
    latencies: Histogram<u64>,
    /// By how much the generator itself was late to send, in nanoseconds; open loop only.
    late: Histogram<u64>,
    /// Answers whose latency is the generator's own absence; open loop only.
    apart: u64,
}

impl Measured {
    fn new() -> io::Result<Self> {
        let histogram = || {
            // To 0.1 % up to a minute.
            Histogram::new_with_bounds(1, 60_000_000_000, 3).map_err(io::Error::other)
        };
        Ok(Measured {
            answers: 0,
            took: Duration::ZERO,
            latencies: histogram()?,
            late: histogram()?,
            apart: 0,
        })
    }

    /// Answers a second.
    pub fn per_second(&self) -> f64 {
        count(self.answers) / self.took.as_secs_f64()
    }

    /// A quantile of the latencies in microseconds, `NaN` if all were left out; 0.99 is p99.
    pub fn latency(&self, quantile: f64) -> f64 {
        if self.latencies.is_empty() {
            return f64::NAN;
        }
        count(self.latencies.value_at_quantile(quantile)) / 1e3
    }

    /// The share of answers in percent that was left out, because the generator had no core.
    pub fn apart(&self) -> f64 {
        100.0 * count(self.apart) / count(self.answers)
    }

    /// The same quantiles of the generator's own delay.
    pub fn late(&self, quantile: f64) -> f64 {
        count(self.late.value_at_quantile(quantile)) / 1e3
    }

    /// A quantile of the latencies of all `rounds` together in microseconds.
    pub fn pooled<'a>(
        rounds: impl Iterator<Item = &'a Measured>,
        quantile: f64,
    ) -> io::Result<f64> {
        let mut all = Measured::new()?;
        for round in rounds {
            all.latencies
                .add(&round.latencies)
                .map_err(io::Error::other)?;
        }
        Ok(all.latency(quantile))
    }
}

/// Whether the generator had a core all the time: its loop never takes long otherwise.
#[derive(Debug)]
struct Presence {
    /// When the last turn of the loop began.
    turn: Instant,
    /// When it was last back.
    back: Instant,
}

impl Presence {
    fn since(begin: Instant) -> Self {
        Presence {
            turn: begin,
            back: begin,
        }
    }

    fn turn(&mut self, now: Instant) {
        if now - self.turn > ABSENT {
            self.back = now;
        }
        self.turn = now;
    }

    /// Whether a request that was due at `due`, and is answered now, was held up by an absence.
    fn missed(&self, due: Instant) -> bool {
        due < self.back
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Connections that all send the same kind of request and get answers of the same size.
#[derive(Debug)]
pub struct Clients {
    poll: Poll,
    events: Events,
    requests: Requests,
    connections: Vec<Client>,
}

#[derive(Debug)]
struct Client {
    stream: TcpStream,
    /// Room for one answer; every answer has the same size.
    answer: Vec<u8>,
    have: usize,
    /// When its request was due.
    since: Instant,
}

impl Client {
    fn send(&mut self, request: &[u8], since: Instant) -> io::Result<()> {
        self.since = since;
        self.have = 0;
        // Nothing else is on its way on this connection: a request fits into the socket's buffer.
        match self.stream.write(request)? {
            sent if sent == request.len() => Ok(()),
            _ => Err(ErrorKind::WriteZero.into()),
        }
    }

    /// Reads what has come; whether the answer, which is to begin in this way, is complete.
    fn read(&mut self, beginning: &[u8]) -> io::Result<bool> {
        while self.have < self.answer.len() {
            match self.stream.read(&mut self.answer[self.have..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(more) => self.have += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        is_same(&self.answer, beginning)?;
        Ok(true)
    }
}

impl Clients {
    /// Opens `number` connections to `address` and asks once over each; returns the first answer too.
    ///
    /// # Errors
    /// When an answer has another status than it must have, is no JSON, or not as long as the others.
    pub fn open(
        address: SocketAddr,
        requests: impl Into<Requests>,
        number: usize,
    ) -> io::Result<(Self, Answer)> {
        let poll = Poll::new()?;
        let mut requests = requests.into();
        let first = Connection::open(address)?.ask(requests.take())?;
        first.must_be(requests.status())?;
        let mut connections = Vec::with_capacity(number);
        for index in 0..number {
            let mut connection = Connection::open(address)?;
            if connection.ask(requests.take())?.size() != first.size() {
                return Err(io::Error::other("answers differ in length"));
            }
            let mut stream = TcpStream::from_std(connection.into_nonblocking()?);
            poll.registry()
                .register(&mut stream, Token(index), Interest::READABLE)?;
            connections.push(Client {
                stream,
                answer: vec![0; first.size()],
                have: 0,
                since: Instant::now(),
            });
        }
        let clients = Clients {
            poll,
            events: Events::with_capacity(number),
            requests,
            connections,
        };
        Ok((clients, first))
    }

    /// Closed loop for `lasting`; ends when every request is answered.
    pub fn closed(&mut self, lasting: Duration) -> io::Result<Measured> {
        let mut measured = Measured::new()?;
        let begin = Instant::now();
        for client in &mut self.connections {
            client.send(self.requests.take(), Instant::now())?;
        }
        let mut under_way = self.connections.len();
        while under_way > 0 {
            self.poll.poll(&mut self.events, Some(PATIENCE))?;
            if self.events.is_empty() {
                return Err(ErrorKind::TimedOut.into());
            }
            for event in &self.events {
                let client = &mut self.connections[event.token().0];
                if !client.read(self.requests.beginning())? {
                    continue;
                }
                let now = Instant::now();
                measured.answers += 1;
                measured
                    .latencies
                    .saturating_record(nanos(now - client.since));
                if now - begin < lasting {
                    client.send(self.requests.take(), now)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        measured.took = begin.elapsed();
        Ok(measured)
    }

    /// Open loop at `per_second` for `lasting`; ends when every request is answered. Keeps its core busy: a sleep
    /// would be late.
    pub fn at_rate(&mut self, per_second: u32, lasting: Duration) -> io::Result<Measured> {
        self.open_loop(per_second, lasting, true)
    }

    /// The same, asleep while nothing is due: it is up to a millisecond late, and leaves its core to another generator.
    pub fn paced(&mut self, per_second: u32, lasting: Duration) -> io::Result<Measured> {
        self.open_loop(per_second, lasting, false)
    }

    fn open_loop(
        &mut self,
        per_second: u32,
        lasting: Duration,
        busy: bool,
    ) -> io::Result<Measured> {
        let mut measured = Measured::new()?;
        let begin = Instant::now();
        let gap = Duration::from_secs(1) / per_second;
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        // Since when a connection is free: before that the server was late, not the generator.
        let (mut due, mut last_answer, mut freed) = (begin, begin, begin);
        let mut presence = Presence::since(begin);
        loop {
            let now = Instant::now();
            if busy {
                presence.turn(now);
            }
            while due <= now && due - begin < lasting {
                let Some(index) = free.pop_front() else { break };
                self.connections[index].send(self.requests.take(), due)?;
                measured.late.saturating_record(nanos(now - due.max(freed)));
                due += gap;
            }
            if due - begin >= lasting && free.len() == self.connections.len() {
                break;
            }
            // An answer ends a sleep, and so does what is due, unless it has no connection.
            let wait = match busy {
                true => Duration::ZERO,
                false if due - begin >= lasting || free.is_empty() => Duration::from_millis(1),
                false => due.saturating_duration_since(Instant::now()),
            };
            self.poll.poll(&mut self.events, Some(wait))?;
            for event in &self.events {
                let index = event.token().0;
                let client = &mut self.connections[index];
                if client.read(self.requests.beginning())? {
                    last_answer = Instant::now();
                    measured.answers += 1;
                    if presence.missed(client.since) {
                        measured.apart += 1;
                    } else {
                        let latency = nanos(last_answer - client.since);
                        measured.latencies.saturating_record(latency);
                    }
                    if free.is_empty() {
                        freed = last_answer;
                    }
                    free.push_back(index);
                }
            }
            if free.len() < self.connections.len() && now - last_answer > PATIENCE {
                return Err(ErrorKind::TimedOut.into());
            }
        }
        measured.took = begin.elapsed();
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::client::get;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

    /// Answers at once, but for the third request of the second connection, which waits for `stall`.
    fn stalling(stall: Duration) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for (connection, stream) in listener.incoming().flatten().enumerate() {
                thread::spawn(move || serve(stream, connection, stall));
            }
        });
        address
    }

    fn serve(mut stream: std::net::TcpStream, connection: usize, stall: Duration) {
        let mut buffer = [0; 1024];
        for request in 1.. {
            if stream.read(&mut buffer).unwrap_or(0) == 0 {
                return;
            }
            if (connection, request) == (1, 3) {
                thread::sleep(stall);
            }
            stream.write_all(ANSWER).unwrap();
        }
    }

    #[test]
    fn requests_that_a_stall_held_up_count_from_when_they_were_due() {
        let lasting = Duration::from_millis(100);
        let address = stalling(lasting);
        let (mut clients, first) = Clients::open(address, get("/", None), 1).unwrap();
        assert_eq!(first.body, b"{}");
        let measured = clients.at_rate(1_000, lasting).unwrap();
        assert_eq!(measured.answers, 100);
        assert_eq!(measured.latencies.len() + measured.apart, 100);
        // What was due i ms after the begin cannot be answered before 100 ms: only the last 50 can wait for less than 50 ms,
        // whenever this test itself had a core.
        let fast = measured.latencies.count_between(0, 49_000_000);
        assert!(fast <= 51, "{fast}");
    }

    #[test]
    fn what_was_due_or_under_way_while_the_generator_was_absent_says_nothing() {
        let begin = Instant::now();
        let at = |micros| begin + Duration::from_micros(micros);
        let mut presence = Presence::since(begin);
        for turn in [100, 200, 450] {
            presence.turn(at(turn));
        }
        assert!(!presence.missed(begin));
        // Away for a millisecond; sent before, or due meanwhile.
        presence.turn(at(1_450));
        assert!(presence.missed(at(440)));
        assert!(presence.missed(at(1_449)));
        assert!(!presence.missed(at(1_450)));
        presence.turn(at(1_500));
        assert!(presence.missed(at(1_000)));
        assert!(!presence.missed(at(1_480)));
    }

    #[test]
    fn a_closed_loop_ends_with_everything_answered() {
        let address = stalling(Duration::ZERO);
        let (mut clients, _) = Clients::open(address, get("/", None), 3).unwrap();
        let measured = clients.closed(Duration::from_millis(1)).unwrap();
        assert!(measured.answers >= 3);
        assert_eq!(measured.latencies.len(), measured.answers);
        // Nothing is left on the way that the next round could take for its own.
        let again = clients.closed(Duration::ZERO).unwrap();
        assert_eq!(again.answers, 3);
    }
}
