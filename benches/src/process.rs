//! What is measured, as a process of its own: built, started, asked for what it used, ended by its id.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client::{Answer, Connection, get};

/// Longest wait for a process to answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where servers run.
pub const SERVER_CORE: usize = 0;
/// Where the benchmark and its stand-ins run.
pub const CLIENT_CORE: usize = 1;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds a binary as it is shipped, without anything that tests need, and tells where it is.
pub fn build(manifest: &str, name: &str) -> io::Result<PathBuf> {
    let manifest = root().join(manifest);
    let target = manifest.with_file_name("target");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--locked", "--package", name])
        .arg("--manifest-path")
        .arg(&manifest)
        .arg("--target-dir")
        .arg(&target)
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{name} cannot be built")));
    }
    Ok(target.join("release").join(name))
}

/// The service.
pub fn build_service() -> io::Result<PathBuf> {
    build("Cargo.toml", "infra-health")
}

/// A running process that serves HTTP on loopback. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    address: SocketAddr,
    /// From the start of the process to its first answer.
    pub started_in: Duration,
}

impl Process {
    /// Starts `command` without its output and waits until it answers `GET /livez`.
    pub fn start(mut command: Command, address: SocketAddr) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let begin = Instant::now();
        let mut process = Process {
            child: command.spawn()?,
            address,
            started_in: Duration::ZERO,
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
            if begin.elapsed() > START_LIMIT {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_micros(100));
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks `path` until the answer is what `wanted` says.
    pub fn wait_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> io::Result<Answer> {
        let deadline = Instant::now() + START_LIMIT;
        let request = get(path, None);
        let mut connection = Connection::open(self.address)?;
        loop {
            let answer = connection.ask(&request)?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// CPU time of all its threads so far.
    pub fn cpu(&self) -> io::Result<Duration> {
        self.scheduled(0)
    }

    /// Time so far that its threads were ready to run and had no core.
    pub fn without_core(&self) -> io::Result<Duration> {
        self.scheduled(1)
    }

    fn scheduled(&self, field: usize) -> io::Result<Duration> {
        let mut sum = Duration::ZERO;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            sum += schedstat(&task?.path(), field)?;
        }
        Ok(sum)
    }

    /// A line of `/proc/PID/status`, such as `VmRSS`.
    pub fn status(&self, name: &str) -> io::Result<String> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|rest| rest.strip_prefix(':'));
        value
            .map(|value| value.trim().to_owned())
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
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

/// This process, and what it starts from now on, on one core.
pub fn run_here_on(core: usize) -> io::Result<()> {
    let status = Command::new("taskset")
        .args(["-cp", &core.to_string(), &std::process::id().to_string()])
        .stdout(Stdio::null())
        .status()?;
    if status.success() {
        Ok(())
    } else {
        Err(io::Error::other("this needs a second core"))
    }
}

/// `program` on one core.
pub fn pinned(core: usize, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

/// The machine's load averages, for the heading of a table.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
