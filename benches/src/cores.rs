//! Which core runs what, and how many descriptors this process may have.
//!
//! A child runs where the thread that starts it runs at that moment, so nothing like `taskset` stands between
//! the start of a process and its first instruction: start times are those of the process alone.

use std::io;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};

/// Where servers run.
pub const SERVER_CORE: usize = 0;
/// Where the benchmark and its stand-ins run.
pub const CLIENT_CORE: usize = 1;
/// Both.
pub const BOTH_CORES: [usize; 2] = [SERVER_CORE, CLIENT_CORE];

/// This thread, and what it starts from now on, on `cores`.
pub fn run_here_on(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set).map_err(|error| {
        let why = format!("cannot run on cores {cores:?}: {error}; two cores are needed");
        io::Error::new(io::ErrorKind::Unsupported, why)
    })
}

/// Raises the soft descriptor limit, for this process and those that it starts.
///
/// # Errors
/// When the hard limit is lower.
pub fn allow_descriptors(wanted: u64) -> io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    limit.current = Some(wanted);
    setrlimit(Resource::Nofile, limit).map_err(|error| {
        let why = format!(
            "{wanted} descriptors are needed, the hard limit is {:?}: {error}; raise it (ulimit -Hn)",
            limit.maximum
        );
        io::Error::new(io::ErrorKind::PermissionDenied, why)
    })
}
