//! What the service takes beside what a request costs: size, start, memory, and the price of asking upstreams.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint -- --brief
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint -- --image target/image.tar
//! ```
//!
//! Linux, two cores, and a hard descriptor limit above `--connections`. Servers run on core 0, client and stand-ins on
//! core 1. Bare hyper and nginx are measured in the same way. A probe round is priced by two services that nobody asks
//! anything and that differ in `CHECK_INTERVAL` alone: what the one that checks ten times a second uses more is what
//! its rounds cost. How often a round allocates is told by `allocations` in `benches/micro`. About 1 minute, once built.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use infra_health_benches::arguments::Common;
use infra_health_benches::client::{Connection, get};
use infra_health_benches::cores::{CLIENT_CORE, SERVER_CORE, allow_descriptors, run_here_on};
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::{Process, load_average};
use infra_health_benches::servers::{
    bare, build_bare, nginx, nginx_version, service, wait_until_healthy,
};
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

/// What the benchmark itself needs besides one descriptor a connection.
const SPARE_DESCRIPTORS: usize = 64;
/// Until a server has settled after its start, or after its last connection.
const SETTLING: Duration = Duration::from_millis(500);
/// The two paces of the probe round's price; the second never comes.
const OFTEN: [(&str, &str); 2] = [("CHECK_INTERVAL", "100ms"), ("R2_CHECK_INTERVAL", "100ms")];
const ONCE: [(&str, &str); 2] = [("CHECK_INTERVAL", "1h"), ("R2_CHECK_INTERVAL", "1h")];

#[derive(Debug, Parser)]
#[command(about = "Size, start, memory and the price of a probe round")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// An image, or the directory of one, whose size is told
    #[arg(long, value_name = "PATH")]
    image: Option<PathBuf>,
    /// Idle keep-alive connections to hold open
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let common = &arguments.common;
    let (ours, yardstick) = (common.service()?, build_bare()?);
    println!("load average {}", load_average());
    print_sizes(&ours, arguments.image.as_deref())?;

    let connections = arguments.connections.unwrap_or(common.pick(5_000, 200));
    allow_descriptors((connections + SPARE_DESCRIPTORS) as u64)?;
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    let first = service(&ours, &upstreams, &[SERVER_CORE], &[])?;
    let body = wait_until_healthy(&first)?.body;
    drop(first);
    let body = String::from_utf8(body).map_err(io::Error::other)?;

    let mut kinds: Vec<Kind<'_>> = vec![
        ("bare hyper", Box::new(|| bare(&yardstick, &body))),
        (
            "service",
            Box::new(|| service(&ours, &upstreams, &[SERVER_CORE], &[])),
        ),
    ];
    if nginx_version().is_some() {
        kinds.push(("nginx", Box::new(|| nginx(&body))));
    } else {
        println!("SKIPPED: nginx: there is no nginx on PATH");
    }
    print_starts(&kinds, common.pick(20, 2))?;
    print_memory(&kinds, connections)?;
    let lasting = Duration::from_secs(common.pick(20, 1));
    print_price_of_a_round(&runtime, &ours, lasting)?;
    println!("\nload average {} at the end", load_average());
    if common.brief {
        println!("brief: the figures mean nothing");
    }
    Ok(())
}

/// A name and how to start it.
type Kind<'a> = (&'static str, Box<dyn Fn() -> io::Result<Process> + 'a>);

fn print_sizes(binary: &Path, image: Option<&Path>) -> io::Result<()> {
    println!("binary: {} bytes", size(binary)?);
    match image {
        Some(image) => println!("image: {} bytes", size(image)?),
        None => println!("image: not given (--image)"),
    }
    Ok(())
}

/// The bytes of a file, or of all files below a directory.
fn size(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += size(&entry?.path())?;
    }
    Ok(sum)
}

/// From exec to the first answer of `/livez`, in turns.
fn print_starts(kinds: &[Kind<'_>], starts: usize) -> io::Result<()> {
    let mut millis = vec![Vec::new(); kinds.len()];
    for round in 0..=starts {
        for ((_, start), millis) in kinds.iter().zip(&mut millis) {
            let took = start()?.started_in.as_secs_f64() * 1e3;
            // The first one may have read from disk.
            if round > 0 {
                millis.push(took);
            }
        }
    }
    println!("\nexec to the first answer of /livez, {starts} starts, median (quartiles)\n");
    println!("| | ms |\n|---|---|");
    for ((name, _), millis) in kinds.iter().zip(millis) {
        println!("| {name} | {} |", Sample::new(millis).spread(2));
    }
    Ok(())
}

/// Idle, and with many idle connections.
fn print_memory(kinds: &[Kind<'_>], connections: usize) -> io::Result<()> {
    println!("\nresident memory, idle and with {connections} idle keep-alive connections\n");
    println!(
        "| | idle, kB | of it heap and stacks, kB | threads | with connections, kB | a connection, kB | ratio to bare hyper |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut of_bare = None;
    for (name, start) in kinds {
        let process = start()?;
        // The service's monitor has asked its upstreams and keeps their connections.
        process.wait_until("/health", |answer| {
            answer.body.starts_with(br#"{"status":"healthy""#)
        })?;
        sleep(SETTLING);
        let (idle, anonymous) = (process.resident()?, process.resident_anonymous()?);
        let threads = process.threads()?;
        let held = hold(&process, connections)?;
        let full = process.resident()?;
        still_there(held)?;
        let each = count(full.saturating_sub(idle)) / count(connections as u64);
        let ratio = each / *of_bare.get_or_insert(each);
        println!("| {name} | {idle} | {anonymous} | {threads} | {full} | {each:.2} | {ratio:.2} |");
    }
    Ok(())
}

/// Opens connections, asks once over each, and leaves them idle.
fn hold(process: &Process, connections: usize) -> io::Result<Vec<Connection>> {
    let request = get("/health", None);
    let mut held = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut connection = Connection::open(process.address())?;
        connection.ask(&request)?.must_be_good()?;
        held.push(connection);
    }
    sleep(SETTLING);
    Ok(held)
}

/// All of them must have been there while the memory was read.
fn still_there(held: Vec<Connection>) -> io::Result<()> {
    let request = get("/health", None);
    for mut connection in held {
        connection.ask(&request)?.must_be_good()?;
    }
    Ok(())
}

/// What the checks cost when nobody asks anything.
fn print_price_of_a_round(runtime: &Runtime, binary: &Path, lasting: Duration) -> io::Result<()> {
    let asked = || Upstreams::start(runtime, fit_endpoint(), listing());
    let (often, once) = (asked()?, asked()?);
    let busy = service(binary, &often, &[SERVER_CORE], &OFTEN)?;
    let quiet = service(binary, &once, &[SERVER_CORE], &ONCE)?;
    wait_until_healthy(&busy)?;
    wait_until_healthy(&quiet)?;
    sleep(SETTLING);

    let used = |process: &Process, before: Duration| {
        io::Result::Ok((process.cpu()?.saturating_sub(before)).as_secs_f64() * 1e6)
    };
    let (begin, calls) = (Instant::now(), often.calls());
    let (busy_before, quiet_before) = (busy.cpu()?, quiet.cpu()?);
    sleep(lasting);
    let seconds = begin.elapsed().as_secs_f64();
    let (busy_micros, quiet_micros) = (used(&busy, busy_before)?, used(&quiet, quiet_before)?);
    // One call to RunPod and one to R2 each.
    let rounds = count((often.calls() - calls) as u64) / 2.0;
    if rounds < 1.0 {
        return Err(io::Error::other("no check has run"));
    }
    println!(
        "\nprobe rounds over plain HTTP: {rounds:.0} in {seconds:.0} s, {} upstream connections in all (2 is one an upstream)\n\
         CPU a round (three checks, three publications): {:.0} µs\n\
         CPU of a service that neither asks nor is asked: {:.0} µs a second",
        often.connections(),
        (busy_micros - quiet_micros) / rounds,
        quiet_micros / seconds
    );
    Ok(())
}
