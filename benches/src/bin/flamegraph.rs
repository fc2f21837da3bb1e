//! Where the time of `GET /health` goes: a flame graph of the service under full load.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin flamegraph
//! ```
//!
//! Linux, two cores, `perf` (Debian: linux-perf) and leave to use it (root, or `kernel.perf_event_paranoid` at most 1 and
//! `kernel.kptr_restrict` 0 for the names of the kernel's functions). Builds the service once more, as it is shipped but
//! with symbols and frame pointers, into `benches/target/symbols`. Samples by the timer (`cpu-clock`), so that it
//! works on virtual machines without hardware counters. Writes `target/flamegraph.svg`, and prints which layer
//! takes how much.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::Parser;
use inferno::collapse::Collapse as _;
use inferno::collapse::perf::{Folder, Options as Folding};
use inferno::flamegraph::color::{MultiPalette, Palette};
use inferno::flamegraph::{Options, from_lines};
use infra_health_benches::arguments::Common;
use infra_health_benches::client::get;
use infra_health_benches::cores::{CLIENT_CORE, SERVER_CORE, run_here_on};
use infra_health_benches::layers::Shares;
use infra_health_benches::load::Clients;
use infra_health_benches::servers::{cargo, root, service, wait_until_healthy};
use infra_health_benches::upstreams::{KEY, Upstreams, fit_endpoint, listing};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const CONNECTIONS: usize = 64;
/// Samples a second; no divisor of a clock's rate, so that nothing periodic is always or never met.
const FREQUENCY: &str = "2999";
/// Percent of all time. Nobody could read what is narrower, and it would be most of the file.
const NARROWEST: f64 = 0.1;

#[derive(Debug, Parser)]
#[command(about = "Where the time of GET /health goes, as target/flamegraph.svg")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Send a valid key
    #[arg(long)]
    with_key: bool,
    /// Where to write the graph, instead of target/flamegraph.svg
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let binary = match &arguments.common.service {
        Some(_) => arguments.common.service()?,
        None => build_with_symbols()?,
    };
    let output = arguments.output.clone();
    let output = output.unwrap_or_else(|| root().join("target/flamegraph.svg"));
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    let process = service(&binary, &upstreams, &[SERVER_CORE], &[])?;
    wait_until_healthy(&process)?;

    let key = arguments.with_key.then_some(KEY);
    let (mut clients, _) = Clients::open(process.address(), get("/health", key), CONNECTIONS)?;
    // Not the first requests of a process.
    clients.closed(Duration::from_millis(arguments.common.pick(1_000, 100)))?;
    let lasting = Duration::from_secs(arguments.common.pick(20, 1));
    let directory = tempfile::tempdir()?;
    let recording = Recording::start(process.id(), lasting, &directory)?;
    let measured = clients.closed(lasting)?;
    let stacks = recording.stacks()?;
    drop(process);

    let title = format!(
        "GET /health, {:.0} requests a second on one core",
        measured.per_second()
    );
    draw(&stacks, &title, &output)?;
    Shares::of(stacks.iter().map(String::as_str)).print();
    let size = fs::metadata(&output)?.len();
    println!("\n{}: {size} bytes", output.display());
    Ok(())
}

/// As shipped, but for symbols and frame pointers.
fn build_with_symbols() -> io::Result<PathBuf> {
    let environment = [
        ("CARGO_PROFILE_RELEASE_STRIP", "none"),
        ("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only"),
        ("RUSTFLAGS", "-C force-frame-pointers=yes"),
    ];
    let target = root().join("benches/target/symbols");
    cargo(
        &root().join("Cargo.toml"),
        &target,
        "infra-health",
        &environment,
    )
}

/// A running `perf record`.
struct Recording {
    perf: Child,
    data: PathBuf,
}

impl Recording {
    /// Records the process with the given id.
    fn start(id: u32, lasting: Duration, directory: &TempDir) -> io::Result<Self> {
        let data = directory.path().join("perf.data");
        let perf = Command::new("perf")
            .args([
                "record",
                "--quiet",
                "--event",
                "cpu-clock",
                "--call-graph",
                "fp",
            ])
            .args(["--freq", FREQUENCY, "--pid", &id.to_string(), "--output"])
            .arg(&data)
            .args(["--", "sleep", &lasting.as_secs().to_string()])
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| {
                let why = format!("perf: {error}; accepted: perf on PATH (Debian: linux-perf)");
                io::Error::new(error.kind(), why)
            })?;
        Ok(Recording { perf, data })
    }

    /// Waits for its end: one line a stack, with the nanoseconds spent in it.
    fn stacks(mut self) -> io::Result<Vec<String>> {
        let status = self.perf.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("perf record: {status}")));
        }
        let mut script = Command::new("perf")
            .args(["script", "--input"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let text = script.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut folded = Vec::new();
        let mut folding = Folding::default();
        folding.annotate_kernel = true;
        Folder::from(folding).collapse(BufReader::new(text), &mut folded)?;
        let status = script.wait()?;
        if !status.success() {
            return Err(io::Error::other(format!("perf script: {status}")));
        }
        let folded = String::from_utf8(folded).map_err(io::Error::other)?;
        Ok(folded.lines().map(str::to_owned).collect())
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // By the id of this very child; an error means that it has ended already.
        let _ = self.perf.kill();
        let _ = self.perf.wait();
    }
}

fn draw(stacks: &[String], title: &str, output: &Path) -> io::Result<()> {
    let mut options = Options::default();
    title.clone_into(&mut options.title);
    // The timer counts in nanoseconds.
    "ms".clone_into(&mut options.count_name);
    options.factor = 1e-6;
    options.min_width = NARROWEST;
    // The kernel's, Rust's and other code in colours of their own.
    options.colors = Palette::Multi(MultiPalette::Rust);
    if let Some(directory) = output.parent() {
        fs::create_dir_all(directory)?;
    }
    let mut file = BufWriter::new(File::create(output)?);
    from_lines(&mut options, stacks.iter().map(String::as_str), &mut file)
        .map_err(io::Error::other)?;
    file.flush()
}
