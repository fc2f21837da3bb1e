//! `host_memory`: the machine has memory left to give.

use std::path::PathBuf;

use serde::Serialize;
use utoipa::ToSchema;

use infra_health::check::{Check, Context, Finding, Outcome, Report};
use infra_health::detail::Detail;
use infra_health::reason::{Class, INVALID_RESPONSE, Reason};

/// A peak may be over by the next run: transient, so that the thresholds damp it.
pub static MEMORY_LOW: Reason = Reason {
    code: "memory_low",
    class: Class::Transient,
    message: "the machine has hardly any memory left",
    remedy: "find the process that grows; give the machine more memory or move work elsewhere",
};

/// A smaller share of the whole, in percent, is too little.
const LEAST_PERCENT: u64 = 5;

/// Looks at the kernel's own count.
pub struct HostMemoryCheck(PathBuf);

impl HostMemoryCheck {
    /// `meminfo` is `/proc/meminfo`, or what a test puts in its place.
    pub fn new(meminfo: impl Into<PathBuf>) -> Self {
        HostMemoryCheck(meminfo.into())
    }
}

/// What the check tells besides the verdict.
#[derive(Debug, Serialize, ToSchema)]
pub struct HostMemoryData {
    /// What can be given without swapping, in KiB.
    pub available_kib: u64,
    /// The whole, in KiB.
    pub total_kib: u64,
}

impl Report for HostMemoryData {}

impl Check for HostMemoryCheck {
    const NAME: &'static str = "host_memory";
    const REASONS: &'static [&'static Reason] = &[&MEMORY_LOW];
    type Data = HostMemoryData;

    async fn run(&mut self, _cx: &Context) -> Outcome<HostMemoryData> {
        // The kernel answers from memory: nothing to await, nothing that could hang.
        let text = std::fs::read_to_string(&self.0).unwrap_or_default();
        let counts = (kib(&text, "MemAvailable:"), kib(&text, "MemTotal:"));
        let (Some(available_kib), Some(total_kib)) = counts else {
            let detail = Detail::new().text("no MemAvailable or no MemTotal in it");
            return Outcome::of(Finding::new(&INVALID_RESPONSE).detail(detail));
        };
        let data = HostMemoryData {
            available_kib,
            total_kib,
        };
        if available_kib.saturating_mul(100) >= total_kib.saturating_mul(LEAST_PERCENT) {
            return Outcome::pass().with_data(data);
        }
        let left = Detail::new().number(available_kib / 1024).text(" MiB of ");
        let detail = left.number(total_kib / 1024);
        Outcome::of(Finding::new(&MEMORY_LOW).detail(detail)).with_data(data)
    }
}

/// The number in the line that begins with `name`.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
