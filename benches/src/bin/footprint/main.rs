//! What the service takes beside what a request costs: size, start, memory, and the price of asking upstreams.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint -- --brief
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin footprint -- --image target/image.tar
//! ```
//!
//! Linux, two cores, and a hard descriptor limit above `--connections`. Servers run on core 0, client and stand-ins on
//! core 1. Bare hyper and nginx are measured in the same way. The service's upstreams are behind TLS, as in production. A
//! probe round is priced by two services that nobody asks anything and that differ in `CHECK_INTERVAL` alone: what the one
//! that checks ten times a second uses more is what its rounds cost. It is priced over plain HTTP as well, which
//! tells TLS apart. How often a round allocates is told by `allocations` in `benches/micro`. About 2 minutes, once built.

mod memory;
mod round;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use infra_health_benches::arguments::{Common, Yardstick};
use infra_health_benches::cores::{CLIENT_CORE, SERVER_CORE, allow_descriptors, run_here_on};
use infra_health_benches::goals::Goals;
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::{Process, load_average};
use infra_health_benches::servers::{bare, nginx, nginx_version, service, wait_until_healthy};
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

/// What the benchmark itself needs besides one descriptor a connection.
const SPARE_DESCRIPTORS: usize = 64;
/// Until a server has settled after its start, or after its last connection.
const SETTLING: Duration = Duration::from_millis(500);
/// The ones that are compared.
const BARE: &str = "bare hyper";
const SERVICE: &str = "service";

#[derive(Debug, Parser)]
#[command(about = "Size, start, memory and the price of a probe round")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    yardstick: Yardstick,
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
    let (ours, yardstick) = (common.service()?, arguments.yardstick.binary()?);
    let mut goals = Goals::new(common.brief);
    println!("load average {}", load_average());
    print_sizes(&ours, arguments.image.as_deref(), &mut goals)?;

    let connections = arguments.connections.unwrap_or(common.pick(5_000, 200));
    allow_descriptors((connections + SPARE_DESCRIPTORS) as u64)?;
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start_with_tls(&runtime)?;
    let plain = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    let first = service(&ours, &upstreams, &[SERVER_CORE], &[])?;
    let body = wait_until_healthy(&first)?.body;
    drop(first);
    let body = String::from_utf8(body).map_err(io::Error::other)?;

    let mut kinds: Vec<Kind<'_>> = vec![
        (BARE, Box::new(|| bare(&yardstick, &body))),
        (
            SERVICE,
            Box::new(|| service(&ours, &upstreams, &[SERVER_CORE], &[])),
        ),
        (
            "service, upstreams without TLS",
            Box::new(|| service(&ours, &plain, &[SERVER_CORE], &[])),
        ),
    ];
    if nginx_version().is_some() {
        kinds.push(("nginx", Box::new(|| nginx(&body))));
    } else {
        println!("SKIPPED: nginx: there is no nginx on PATH (Debian: nginx-light)");
    }
    print_starts(&kinds, common.pick(20, 2), &mut goals)?;
    memory::print(&kinds, connections, common.pick(3, 1), &mut goals)?;
    let slice = Duration::from_secs(common.pick(4, 1));
    round::print(&runtime, &ours, slice, common.pick(5, 1), &mut goals)?;
    goals.print();
    println!("\nload average {} at the end", load_average());
    Ok(())
}

/// A name and how to start it.
type Kind<'a> = (&'static str, Box<dyn Fn() -> io::Result<Process> + 'a>);

fn print_sizes(binary: &Path, image: Option<&Path>, goals: &mut Goals) -> io::Result<()> {
    let mut judge = |figure: &str, path, goal| {
        let bytes = size(path)?;
        println!("{figure}: {bytes} bytes");
        goals.at_most(
            figure,
            "MB",
            count(bytes) / 1e6,
            goal,
            &format!("{:.2}", count(bytes) / 1e6),
        );
        io::Result::Ok(())
    };
    judge("binary, as it is given", binary, 9.0)?;
    match image {
        Some(image) => judge("image, all of its files", image, 12.5)?,
        None => goals.unknown(
            "image, all of its files",
            "≤ 12.5 MB",
            "not given (--image)",
        ),
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
fn print_starts(kinds: &[Kind<'_>], starts: usize, goals: &mut Goals) -> io::Result<()> {
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
    println!(
        "\nexec to the first answer of /livez, {starts} starts, median (quartiles), largest\n"
    );
    println!("| | ms |\n|---|---|");
    for ((name, _), millis) in kinds.iter().zip(millis) {
        let sample = Sample::new(millis);
        let told = format!("{}, {:.2}", sample.spread(2), sample.quantile(1000));
        println!("| {name} | {told} |");
        if *name == SERVICE {
            let figure = "exec to first answered `/livez`";
            goals.at_most(figure, "ms", sample.median(), 10.0, &told);
        }
    }
    Ok(())
}
