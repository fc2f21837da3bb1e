//! What `GET /health` costs beside bare hyper and nginx: CPU time a request, latency, memory, start.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side -- --brief
//! ```
//!
//! Linux, two cores. Servers run on core 0, the load generator on core 1, and they are loaded in turns, so that whatever
//! else the machine does meets all alike. CPU time is the scheduler's count of all threads of a process: the
//! service's monitor and log writer are in it. Bare hyper and nginx send the body that the service sends.
//!
//! Three parts: a closed loop for the cost of a request; an open loop at a fixed rate for its latency; and
//! two workers on two cores beside one on one. `--with-node` and `--with-fastapi` download packages and add
//! terminus and FastAPI to the first; `--also PATH` adds another build of the service. About 6 minutes,
//! once built.

mod contenders;
mod subject;
mod table;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use infra_health_benches::arguments::Common;
use infra_health_benches::cores::{BOTH_CORES, CLIENT_CORE, SERVER_CORE, run_here_on};
use infra_health_benches::load::Measured;
use infra_health_benches::process::load_average;
use infra_health_benches::servers::{build_bare, service, wait_until_healthy};
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

use contenders::{Contender, Plan, contenders};
use subject::{Subject, in_turns};

/// Requests under way at a time, one a connection.
const CONNECTIONS: usize = 64;
/// Of the open loop.
const RATE: u32 = 20_000;

#[derive(Debug, Parser)]
#[command(about = "What GET /health costs beside bare hyper and nginx")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Rounds of each part; every contender has its turn in each
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Another binary of the service, to be compared
    #[arg(long, value_name = "PATH")]
    also: Option<PathBuf>,
    /// Add node with terminus; downloads packages from npm
    #[arg(long)]
    with_node: bool,
    /// Add FastAPI with uvicorn; downloads packages from `PyPI`
    #[arg(long)]
    with_fastapi: bool,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let common = &arguments.common;
    let plan = Plan {
        service: common.service()?,
        bare: build_bare()?,
        also: arguments.also.clone(),
        with_node: arguments.with_node,
        with_fastapi: arguments.with_fastapi,
        starts: common.pick(11, 2),
    };
    let rounds = arguments.rounds.unwrap_or(common.pick(31, 2)).max(1);
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    println!("load average {}", load_average());

    let contenders = contenders(&plan, &upstreams)?;
    closed_loop(&contenders, rounds, common.pick(1_000, 200))?;
    open_loop(&contenders, rounds, common.pick(1_000, 200))?;
    drop(contenders);
    two_workers(&plan, &upstreams, rounds, common.pick(1_000, 200))?;
    println!("\nload average {} at the end", load_average());
    if common.brief {
        println!("brief: the figures mean nothing");
    }
    Ok(())
}

/// What a request costs while the server has always something to do.
fn closed_loop(contenders: &[Contender], rounds: usize, millis: u64) -> io::Result<()> {
    let mut subjects = subjects(contenders)?;
    in_turns(&mut subjects, rounds, |subject| {
        subject.load(|clients| clients.closed(Duration::from_millis(millis)))
    })?;
    println!(
        "\nGET /health, closed loop, {CONNECTIONS} connections, {rounds} rounds of {millis} ms; median (quartiles)\n"
    );
    table::cost(&subjects, contenders)
}

/// How long a request takes at a rate that leaves the server time.
fn open_loop(contenders: &[Contender], rounds: usize, millis: u64) -> io::Result<()> {
    let able = |contender: &&Contender| contender.takes_any_rate;
    let mut subjects = subjects(contenders.iter().filter(able))?;
    in_turns(&mut subjects, rounds, |subject| {
        subject.load(|clients| clients.at_rate(RATE, Duration::from_millis(millis)))
    })?;
    println!(
        "\nGET /health, open loop, {RATE} requests a second over {CONNECTIONS} connections, {rounds} rounds of {millis} ms; \
         latency from when a request was due\n"
    );
    table::latency(&subjects);
    Ok(())
}

/// What a second worker adds to the cost of a request. The load generator then shares a core with it, so one worker that
/// shares both cores in the same way is the control.
fn two_workers(plan: &Plan, upstreams: &Upstreams, rounds: usize, millis: u64) -> io::Result<()> {
    let kinds: [(&str, &[usize], &str); 3] = [
        ("1 worker, core 0", &[SERVER_CORE], "1"),
        ("1 worker, both cores", &BOTH_CORES, "1"),
        ("2 workers, both cores", &BOTH_CORES, "2"),
    ];
    let mut subjects = Vec::new();
    for (name, cores, workers) in kinds {
        let workers = [("TOKIO_WORKER_THREADS", workers)];
        let process = service(&plan.service, upstreams, cores, &workers)?;
        wait_until_healthy(&process)?;
        subjects.push(Subject::new(name, process.into(), None)?);
    }
    in_turns(&mut subjects, rounds, |subject| {
        subject.load(|clients| clients.closed(Duration::from_millis(millis)))
    })?;
    println!(
        "\nworkers and cores, closed loop, {rounds} rounds of {millis} ms; the client is on core 1\n"
    );
    table::workers(&subjects);
    Ok(())
}

fn subjects<'a>(contenders: impl IntoIterator<Item = &'a Contender>) -> io::Result<Vec<Subject>> {
    contenders
        .into_iter()
        .map(|contender| Subject::new(contender.name, contender.process.clone(), contender.key))
        .collect()
}

/// One round of load: what the load generator saw, and what the server used for it.
#[derive(Debug)]
struct Round {
    measured: Measured,
    cpu: Duration,
}
