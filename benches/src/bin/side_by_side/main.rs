//! What `GET /health` costs beside bare hyper and nginx: CPU time a request, latency, memory, start.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side -- --brief
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin side_by_side -- --parts closed
//! ```
//!
//! Linux, two cores. Servers run on core 0, the load generator on core 1, and they are loaded in turns, so that whatever
//! else the machine does meets all alike. CPU time is the scheduler's count of all threads of a process: the
//! service's monitor and log writer are in it. Bare hyper and nginx send the body that the service sends. Bare hyper runs
//! twice: what the second seems to cost more or less than the first is what this machine cannot tell apart.
//!
//! Four parts: a closed loop for the cost of a request; an open loop at a fixed rate for its latency; two workers on two
//! cores beside one on one; and the closed loop once more with wrk in place of our own generator. `--with-node` and
//! `--with-fastapi` download packages and add terminus and FastAPI to the first; `--also PATH` adds another build of
//! the service. About 8 minutes, once built.

mod contenders;
mod cross_check;
mod subject;
mod table;
mod verdicts;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use infra_health_benches::arguments::{Common, Yardstick};
use infra_health_benches::cores::{BOTH_CORES, CLIENT_CORE, SERVER_CORE, run_here_on};
use infra_health_benches::goals::Goals;
use infra_health_benches::load::Measured;
use infra_health_benches::process::load_average;
use infra_health_benches::servers::{service, wait_until_healthy};
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

use contenders::{Contender, Plan, contenders};
use subject::{Subject, in_turns};

/// Requests under way at a time, one a connection.
const CONNECTIONS: usize = 64;
/// Of the open loop.
const RATE: u32 = 20_000;
/// The open loop has so many rounds for one of the others, each so much shorter: a single stall of the
/// machine, some milliseconds long, would be the p99 of a whole round.
const OPEN_SPLIT: u32 = 5;

#[derive(Debug, Parser)]
#[command(about = "What GET /health costs beside bare hyper and nginx")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    yardstick: Yardstick,
    /// Rounds of each part but wrk's; every contender has its turn in each
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Not all parts, but these
    #[arg(long, value_name = "PART", value_delimiter = ',', value_enum, default_values_t = Part::ALL)]
    parts: Vec<Part>,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// What a request costs
    Closed,
    /// How long one takes at 20,000 a second
    Open,
    /// Two workers on two cores
    Workers,
    /// The closed loop by wrk
    Wrk,
}

impl Part {
    const ALL: [Part; 4] = [Part::Closed, Part::Open, Part::Workers, Part::Wrk];
}

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    round: Duration,
    /// wrk's rounds, of whole seconds each.
    wrk_rounds: usize,
    wrk_round: Duration,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let common = &arguments.common;
    let plan = Plan {
        service: common.service()?,
        bare: arguments.yardstick.binary()?,
        also: arguments.also.clone(),
        with_node: arguments.with_node,
        with_fastapi: arguments.with_fastapi,
        starts: common.pick(11, 2),
    };
    let extent = Extent {
        rounds: arguments.rounds.unwrap_or(common.pick(31, 2)).max(1),
        round: Duration::from_millis(common.pick(1_000, 200)),
        wrk_rounds: common.pick(5, 1),
        wrk_round: Duration::from_secs(common.pick(2, 1)),
    };
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    println!("load average {}", load_average());

    let mut goals = Goals::new(common.brief);
    let wanted = |part| arguments.parts.contains(&part);
    let contenders = contenders(&plan, &upstreams)?;
    if wanted(Part::Closed) {
        let subjects = closed_loop(&contenders, extent)?;
        verdicts::of_cost(&mut goals, &subjects);
    }
    if wanted(Part::Open) {
        let subjects = open_loop(&contenders, extent)?;
        verdicts::of_latency(&mut goals, &subjects)?;
    }
    if wanted(Part::Wrk) {
        cross_check::by_wrk(&contenders, extent.wrk_rounds, extent.wrk_round)?;
    }
    drop(contenders);
    if wanted(Part::Workers) {
        let subjects = two_workers(&plan, &upstreams, extent)?;
        verdicts::of_workers(&mut goals, &subjects);
    }
    goals.print();
    println!("\nload average {} at the end", load_average());
    Ok(())
}

/// What a request costs while the server has always something to do.
fn closed_loop(contenders: &[Contender], extent: Extent) -> io::Result<Vec<Subject>> {
    let mut subjects = subjects(contenders)?;
    in_turns(&mut subjects, extent.rounds, |subject| {
        subject.load(|clients| clients.closed(extent.round))
    })?;
    println!(
        "\nGET /health, closed loop, {CONNECTIONS} connections, {} rounds of {:?}; median (quartiles)\n",
        extent.rounds, extent.round
    );
    table::cost(&subjects, contenders);
    Ok(subjects)
}

/// How long a request takes at a rate that leaves the server time.
fn open_loop(contenders: &[Contender], extent: Extent) -> io::Result<Vec<Subject>> {
    let able = |contender: &&Contender| contender.takes_any_rate;
    let mut subjects = subjects(contenders.iter().filter(able))?;
    let (rounds, round) = (
        extent.rounds * OPEN_SPLIT as usize,
        extent.round / OPEN_SPLIT,
    );
    in_turns(&mut subjects, rounds, |subject| {
        subject.load(|clients| clients.at_rate(RATE, round))
    })?;
    println!(
        "\nGET /health, open loop, {RATE} requests a second over {CONNECTIONS} connections, {rounds} rounds of {round:?}; \
         latency from when a request was due\n"
    );
    table::latency(&subjects)?;
    Ok(subjects)
}

/// What a second worker adds to the cost of a request. The load generator then shares a core with it, so one worker that
/// shares both cores in the same way is the control.
fn two_workers(plan: &Plan, upstreams: &Upstreams, extent: Extent) -> io::Result<Vec<Subject>> {
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
    in_turns(&mut subjects, extent.rounds, |subject| {
        subject.load(|clients| clients.closed(extent.round))
    })?;
    println!(
        "\nworkers and cores, closed loop, {} rounds of {:?}; the client is on core 1\n",
        extent.rounds, extent.round
    );
    table::workers(&subjects);
    Ok(subjects)
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
