//! What the system knows of this process, under the names that every Prometheus client library uses.

use super::families::{PROCESS_MAX_FDS, PROCESS_OPEN_FDS};
use crate::sample::Sample;
use crate::vitals::Descriptors;

/// Adds what the system tells; what it does not tell is left out.
pub fn samples(out: &mut Vec<Sample>) {
    if let Some(descriptors) = Descriptors::count() {
        out.push(PROCESS_OPEN_FDS.sample([], u64::from(descriptors.open)));
        out.push(PROCESS_MAX_FDS.sample([], u64::from(descriptors.limit)));
    }
    #[cfg(target_os = "linux")]
    linux::samples(out);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::sync::OnceLock;

    use procfs::process::{Process, Stat};
    use procfs::{ProcResult, WithCurrentSystemInfo, boot_time_secs, ticks_per_second};

    use super::super::families::{
        PROCESS_CPU, PROCESS_RESIDENT, PROCESS_START_TIME, PROCESS_THREADS, PROCESS_VIRTUAL,
    };
    use crate::sample::Sample;

    pub(super) fn samples(out: &mut Vec<Sample>) {
        let Ok(stat) = Process::myself().and_then(|process| process.stat()) else {
            return;
        };
        out.push(PROCESS_CPU.sample([], seconds(stat.utime + stat.stime)));
        out.push(PROCESS_RESIDENT.sample([], stat.rss_bytes().get()));
        out.push(PROCESS_VIRTUAL.sample([], stat.vsize));
        out.push(PROCESS_THREADS.sample([], u64::try_from(stat.num_threads).unwrap_or(0)));
        let started = started(&stat).ok();
        out.extend(started.map(|at| PROCESS_START_TIME.sample([], at)));
    }

    /// Asked once: it never changes, and the machine's boot time costs a large file.
    fn started(stat: &Stat) -> ProcResult<f64> {
        static STARTED: OnceLock<f64> = OnceLock::new();
        if let Some(started) = STARTED.get() {
            return Ok(*started);
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 are far below 2^53"
        )]
        let booted = boot_time_secs()? as f64;
        Ok(*STARTED.get_or_init(|| booted + seconds(stat.starttime)))
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "ticks of centuries are below 2^53"
    )]
    fn seconds(ticks: u64) -> f64 {
        ticks as f64 / ticks_per_second() as f64
    }
}
