//! The service with its job room open, and the disk under it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use infra_health_benches::client::{Connection, get};
use infra_health_benches::cores::SERVER_CORE;
use infra_health_benches::deliveries::{SECRET, deliveries};
use infra_health_benches::load::Clients;
use infra_health_benches::numbers::Sample;
use infra_health_benches::process::Process;
use infra_health_benches::servers::{service, wait_until_healthy};
use infra_health_benches::upstreams::{KEY, Upstreams};
use tempfile::TempDir;

use crate::CONNECTIONS;

/// Synced writes for the median of one.
const WRITES: usize = 101;

/// What is started, and where it keeps jobs.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) upstreams: &'a Upstreams,
    pub(crate) folder: Option<&'a Path>,
    pub(crate) database: Option<&'a str>,
}

impl Plan<'_> {
    /// The service without a room.
    pub(crate) fn without_room(&self) -> io::Result<Process> {
        let process = service(self.binary, self.upstreams, &[SERVER_CORE], &[])?;
        wait_until_healthy(&process)?;
        Ok(process)
    }

    /// The service with a room, its store open.
    pub(crate) fn with_room(&self) -> io::Result<Process> {
        let folder = self.folder()?;
        let file = format!("sqlite://{}", folder.path().join("jobs.db").display());
        let database = self.database.unwrap_or(&file);
        let variables = [
            ("JOB_WEBHOOK_SECRET", SECRET),
            ("JOBS_DATABASE_URL", database),
        ];
        let process = service(self.binary, self.upstreams, &[SERVER_CORE], &variables)?;
        let process = process.with(folder);
        wait_until_healthy(&process)?;
        let jobs = get("/jobs?limit=1", Some(KEY));
        process.wait_until_asked(&jobs, |answer| answer.status == 200)?;
        Ok(process)
    }

    /// A new folder where the database goes.
    fn folder(&self) -> io::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("bench-jobs");
        match self.folder {
            Some(folder) => builder.tempdir_in(folder),
            None => builder.tempdir(),
        }
    }

    /// Milliseconds of one durable write of 4 KiB there, by nobody but this.
    pub(crate) fn synced_write(&self) -> io::Result<Sample> {
        let folder = self.folder()?;
        let mut file = File::create(folder.path().join("writes"))?;
        let mut millis = Vec::with_capacity(WRITES);
        for _ in 0..WRITES {
            let begin = Instant::now();
            file.write_all(&[0x5a; 4096])?;
            file.sync_data()?;
            millis.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        Ok(Sample::new(millis))
    }
}

/// Senders of deliveries that nobody has sent before.
pub(crate) fn senders(process: &Process) -> io::Result<Clients> {
    static RUN: AtomicU32 = AtomicU32::new(0);
    let run = std::process::id() * 100 + RUN.fetch_add(1, Ordering::Relaxed);
    let (clients, _) = Clients::open(
        process.address(),
        deliveries(run % 100_000_000),
        CONNECTIONS,
    )?;
    Ok(clients)
}

/// A counter of the service.
pub(crate) fn counter(process: &Process, series: &str) -> io::Result<u64> {
    let answer = Connection::open(process.address())?.ask(&get("/metrics", Some(KEY)))?;
    let text = String::from_utf8(answer.body).map_err(io::Error::other)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
    value.ok_or_else(|| io::Error::other(format!("/metrics has no {series}")))
}

/// Whether a thread of that name is the room's or its database's.
pub(crate) fn is_of_the_room(name: &str) -> bool {
    name.starts_with("jobs") || name.starts_with("sqlx")
}
