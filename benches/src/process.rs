//! What is measured, as a process of its own: started, asked for what it used, ended by its id.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::client::{Answer, Connection, get};
use crate::cores::{CLIENT_CORE, run_here_on};

/// Longest wait for a process to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running process that serves HTTP on loopback. Ended when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    /// From the start of the process to its first answer.
    pub started_in: Duration,
    /// Goes after the process.
    needs: Option<TempDir>,
}

impl Process {
    /// Starts `command` on `cores`, without its output, and waits until it answers `GET /livez`; the calling thread
    /// goes on where clients run.
    pub fn start(mut command: Command, address: SocketAddr, cores: &[usize]) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        run_here_on(cores)?;
        let begin = Instant::now();
        let child = command.spawn();
        run_here_on(&[CLIENT_CORE])?;
        let child = child.map_err(|error| {
            let program = command.get_program().display();
            io::Error::new(error.kind(), format!("{program}: {error}"))
        })?;
        let mut process = Process {
            child,
            address,
            started_in: Duration::ZERO,
            needs: None,
        };
        let request = get("/livez", None);
        loop {
            if let Ok(mut connection) = Connection::open(address) {
                connection.ask(&request)?;
                process.started_in = begin.elapsed();
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                return Err(io::Error::other(format!("ended early: {status}")));
            }
            if begin.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_micros(100));
        }
    }

    /// The same with a directory that it needs for as long as it runs.
    #[must_use]
    pub fn with(mut self, directory: TempDir) -> Self {
        self.needs = Some(directory);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks `path` until the answer is what `wanted` says.
    pub fn wait_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> io::Result<Answer> {
        self.wait_until_asked(&get(path, None), wanted)
    }

    /// The same for any request.
    pub fn wait_until_asked(
        &self,
        request: &[u8],
        wanted: impl Fn(&Answer) -> bool,
    ) -> io::Result<Answer> {
        let deadline = Instant::now() + PATIENCE;
        let mut connection = Connection::open(self.address)?;
        loop {
            let answer = connection.ask(request)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// CPU time of all threads so far, its children's included.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.scheduled(0)
    }

    /// CPU time of those of its own threads whose name is `wanted`.
    pub fn cpu_of(&self, wanted: impl Fn(&str) -> bool) -> io::Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let path = task?.path();
            if wanted(fs::read_to_string(path.join("comm"))?.trim_end()) {
                sum += schedstat(&path, 0)?;
            }
        }
        Ok(sum)
    }

    /// Time so far that threads were ready to run and had no core.
    pub fn without_core(&self) -> io::Result<Duration> {
        self.scheduled(1)
    }

    fn scheduled(&self, field: usize) -> io::Result<Duration> {
        let mut sum = Duration::ZERO;
        for id in self.ids()? {
            for task in fs::read_dir(format!("/proc/{id}/task"))? {
                sum += schedstat(&task?.path(), field)?;
            }
        }
        Ok(sum)
    }

    /// Resident memory in kB, its children's included (what they share counts twice).
    pub fn resident(&self) -> io::Result<u64> {
        self.sum("VmRSS")
    }

    /// The part of it that is no file's: heap and stacks.
    pub fn resident_anonymous(&self) -> io::Result<u64> {
        self.sum("RssAnon")
    }

    /// How many threads it has, its children's included.
    pub fn threads(&self) -> io::Result<u64> {
        self.sum("Threads")
    }

    /// The sum of a line of `/proc/PID/status`.
    fn sum(&self, name: &str) -> io::Result<u64> {
        let mut sum = 0;
        for id in self.ids()? {
            let text = fs::read_to_string(format!("/proc/{id}/status"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|rest| rest.strip_prefix(':'));
            let word = word.and_then(|rest| rest.split_whitespace().next());
            let value = word.and_then(|word| word.parse::<u64>().ok());
            sum += value.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(sum)
    }

    /// The process and its children. Grandchildren are nobody's here.
    fn ids(&self) -> io::Result<Vec<u32>> {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let children = children
            .split_whitespace()
            .filter_map(|word| word.parse().ok());
        Ok([id].into_iter().chain(children).collect())
    }

    /// Asks it to end and waits; `false` when it does not.
    fn terminate(&mut self) -> bool {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = id.is_some_and(|id| kill_process(id, Signal::TERM).is_ok());
        let deadline = Instant::now() + PATIENCE;
        while asked && Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return true;
            }
            sleep(Duration::from_millis(1));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Who has children has to end them itself.
        let has_children = self.ids().is_ok_and(|ids| ids.len() > 1);
        if has_children && self.terminate() {
            return;
        }
        // By the id of this very child; an error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time so far that the calling thread was ready to run and had no core.
pub fn without_core_here() -> io::Result<Duration> {
    schedstat(Path::new("/proc/thread-self"), 1)
}

/// A field of the scheduler's own account of a thread: 0 is time on a core, 1 time ready without one.
fn schedstat(thread: &Path, field: usize) -> io::Result<Duration> {
    let text = fs::read_to_string(thread.join("schedstat"))?;
    let nanos = text.split_whitespace().nth(field);
    let nanos = nanos.and_then(|word| word.parse().ok());
    Ok(Duration::from_nanos(
        nanos.ok_or(io::ErrorKind::InvalidData)?,
    ))
}

/// An address of loopback that was free a moment ago.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind(("127.0.0.1", 0))?.local_addr()
}

/// The machine's load averages, for the heading of a table.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
