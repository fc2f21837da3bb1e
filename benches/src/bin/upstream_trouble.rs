//! Whether `/health` feels what its upstreams do: healthy ones, both hung, both dripping, both resetting.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin upstream_trouble
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin upstream_trouble -- --brief
//! ```
//!
//! Linux, two cores: the services run on core 0, client and upstreams on core 1, because a round trip
//! takes several times as long between cores as on one, and the kernel would choose anew each time.
//!
//! Builds the release binary and starts it five times, once a kind of upstream and twice with healthy ones, with checks every
//! 250 ms instead of every 30 s. Each round first leaves all alone and counts upstream calls. Then it asks each of them in
//! turn, over one keep-alive connection and as fast as it answers, and counts again; and then over 64 connections, so
//! that the service has never nothing to do, for the count alone. Each round begins with another one.
//!
//! The second healthy one shows the noise: quantiles are divided, round by round, by those of the first, and a trouble is
//! within the noise if its median ratio lies between the least and the largest of the second healthy one's. The last two columns
//! tell where slow requests came from: what all requests over 1 ms took together, and how long client and service were
//! ready to run without a core, as the scheduler counts it. Nothing about time is asserted, that is for the reader; it
//! fails when an answer is not 200 with JSON. About 6 minutes, once built.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use infra_health_benches::arguments::Common;
use infra_health_benches::client::{Connection, get};
use infra_health_benches::cores::{CLIENT_CORE, SERVER_CORE, run_here_on};
use infra_health_benches::fixture::Reply;
use infra_health_benches::goals::Goals;
use infra_health_benches::load::Clients;
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::{Process, load_average, without_core_here};
use infra_health_benches::servers::service;
use infra_health_benches::upstreams::{KEY, Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

/// How long it takes.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// A multiple of the cases, so that each begins as many rounds.
    rounds: usize,
    /// Of each part of a round: several runs of each check, every one of which meets its timeout.
    part: Duration,
    fewest: usize,
}

const FULL: Extent = Extent {
    rounds: 10,
    part: Duration::from_secs(3),
    fewest: 1_000,
};
const BRIEF: Extent = Extent {
    rounds: 1,
    part: Duration::from_secs(1),
    fewest: 100,
};
/// Connections that leave the service nothing to wait for.
const MANY: usize = 64;
/// Bounds the memory of a run on a very fast machine.
const MOST: usize = 1_000_000;
const PACE: [(&str, &str); 4] = [
    ("CHECK_INTERVAL", "250ms"),
    ("R2_CHECK_INTERVAL", "250ms"),
    ("CHECK_TIMEOUT", "125ms"),
    ("CHECK_RETRY_INTERVAL", "250ms"),
];
/// Upstream calls are counted over parts of a few seconds, to one call a check and part.
const COUNTING_ERROR: f64 = 0.05;

/// Healthy as well.
const CONTROL: &str = "healthy, again";

/// A service and its upstreams.
struct Case {
    name: &'static str,
    upstreams: Upstreams,
    service: Process,
    load: Load,
    /// p50 and p99 of each round.
    quantiles: [Vec<f64>; 2],
    idle: Calls,
    loaded: Calls,
    full: Calls,
}

/// What requests met.
#[derive(Default)]
struct Load {
    /// In microseconds.
    latencies: Vec<f64>,
    /// Client and service, ready to run.
    without_core: Duration,
}

/// Upstream calls within some time.
#[derive(Default)]
struct Calls {
    count: u64,
    during: Duration,
}

impl Calls {
    fn add(&mut self, count: usize, during: Duration) {
        self.count += count as u64;
        self.during += during;
    }

    fn a_minute(&self) -> f64 {
        count(self.count) * 60.0 / self.during.as_secs_f64()
    }
}

impl Case {
    fn start(
        name: &'static str,
        upstreams: Upstreams,
        binary: &Path,
        status: &str,
    ) -> io::Result<Self> {
        let service = service(binary, &upstreams, &[SERVER_CORE], &PACE)?;
        // The first round has ended and has found what it must find.
        service.wait_until("/readyz", |answer| answer.status == 200)?;
        let wanted = format!(r#"{{"status":"{status}""#);
        service.wait_until("/health", |answer| {
            answer.body.starts_with(wanted.as_bytes())
        })?;
        Ok(Case {
            name,
            upstreams,
            service,
            load: Load::default(),
            quantiles: Default::default(),
            idle: Calls::default(),
            loaded: Calls::default(),
            full: Calls::default(),
        })
    }

    /// One part of a round over one connection.
    fn load(&mut self, extent: Extent) -> io::Result<Load> {
        let request = get("/health", Some(KEY));
        let mut connection = Connection::open(self.service.address())?;
        let mut latencies = Vec::with_capacity(MOST);
        let (begin, before) = (Instant::now(), self.upstreams.calls());
        let waited = self.without_core()?;
        while (begin.elapsed() < extent.part && latencies.len() < MOST)
            || latencies.len() < extent.fewest
        {
            let asked = Instant::now();
            let answer = connection.ask(&request)?;
            latencies.push(asked.elapsed().as_secs_f64() * 1e6);
            answer.must_be_good()?;
        }
        self.loaded
            .add(self.upstreams.calls() - before, begin.elapsed());
        Ok(Load {
            latencies,
            without_core: self.without_core()?.saturating_sub(waited),
        })
    }

    /// One part of a round over many connections.
    fn load_fully(&mut self, extent: Extent) -> io::Result<()> {
        let request = get("/health", Some(KEY));
        let (mut clients, _) = Clients::open(self.service.address(), request, MANY)?;
        let (begin, before) = (Instant::now(), self.upstreams.calls());
        clients.closed(extent.part)?;
        self.full
            .add(self.upstreams.calls() - before, begin.elapsed());
        Ok(())
    }

    fn remember(&mut self, load: &Load) {
        self.load.latencies.extend(&load.latencies);
        self.load.without_core += load.without_core;
        let sample = Sample::new(load.latencies.clone());
        for (quantile, thousandths) in self.quantiles.iter_mut().zip([500, 990]) {
            quantile.push(sample.quantile(thousandths));
        }
    }

    fn without_core(&self) -> io::Result<Duration> {
        Ok(without_core_here()? + self.service.without_core()?)
    }
}

#[derive(Debug, Parser)]
#[command(about = "Whether /health feels what its upstreams do")]
struct Arguments {
    #[command(flatten)]
    common: Common,
}

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let binary = arguments.common.service()?;
    let extent = arguments.common.pick(FULL, BRIEF);
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let case = |name, runpod: Reply, r2: Reply, status| {
        let upstreams = Upstreams::start(&runtime, runpod, r2)?;
        Case::start(name, upstreams, &binary, status)
    };
    let healthy = |name| case(name, fit_endpoint().into(), listing().into(), "healthy");
    let mut cases = [
        healthy("healthy")?,
        healthy(CONTROL)?,
        case("both hung", Reply::Hang, Reply::Hang, "degraded")?,
        case(
            "both dripping",
            Reply::Drip(fit_endpoint()),
            Reply::Drip(listing()),
            "degraded",
        )?,
        case("both resetting", Reply::Reset, Reply::Reset, "degraded")?,
    ];
    println!(
        "GET /health, one connection, latency in µs; load average {}\n",
        load_average()
    );
    print_heading();
    for round in 0..extent.rounds {
        rest(&mut cases, extent.part);
        for turn in 0..cases.len() {
            let at = (round + turn) % cases.len();
            let case = &mut cases[at];
            let load = case.load(extent)?;
            case.remember(&load);
            print_row(case.name, load);
            case.load_fully(extent)?;
        }
    }
    println!("\nall rounds\n");
    print_heading();
    for case in &mut cases {
        print_row(case.name, std::mem::take(&mut case.load));
    }
    print_calls(&cases);
    let mut goals = Goals::new(arguments.common.brief);
    print_ratios(&cases, &mut goals);
    judge_calls(&cases, &mut goals);
    goals.print();
    println!("\nload average {} at the end", load_average());
    Ok(())
}

/// One part of a round in which nobody asks anything.
fn rest(cases: &mut [Case], part: Duration) {
    let before: Vec<_> = cases.iter().map(|case| case.upstreams.calls()).collect();
    let begin = Instant::now();
    sleep(part);
    for (case, before) in cases.iter_mut().zip(before) {
        case.idle
            .add(case.upstreams.calls() - before, begin.elapsed());
    }
}

fn print_calls(cases: &[Case]) {
    println!(
        "\n| upstream calls a minute | nobody asking | 1 connection | 64 connections |\n|---|---|---|---|"
    );
    for case in cases {
        println!(
            "| {} | {:.0} | {:.0} | {:.0} |",
            case.name,
            case.idle.a_minute(),
            case.loaded.a_minute(),
            case.full.a_minute()
        );
    }
}

/// Each case against the first healthy one, round by round.
fn print_ratios(cases: &[Case], goals: &mut Goals) {
    println!("\n| ratio to healthy, by round | p50 | p99 |\n|---|---|---|");
    let Some((healthy, others)) = cases.split_first() else {
        return;
    };
    let ratios =
        |case: &Case| [0, 1].map(|at| Sample::paired(&case.quantiles[at], &healthy.quantiles[at]));
    let Some(noise) = others.iter().find(|case| case.name == CONTROL).map(ratios) else {
        return;
    };
    for case in others {
        let told = ratios(case).map(|ratio| {
            format!(
                "{}, {:.3} to {:.3}",
                ratio.spread(3),
                ratio.quantile(0),
                ratio.quantile(1000)
            )
        });
        println!("| {} | {} |", case.name, told.join(" | "));
        if case.name == CONTROL {
            continue;
        }
        for ((ratio, noise), name) in ratios(case).iter().zip(&noise).zip(["p50", "p99"]) {
            let (least, largest) = (noise.quantile(0), noise.quantile(1000));
            goals.holds(
                &format!("`/health` {name}, {} against healthy", case.name),
                &format!("within healthy's own {least:.3} to {largest:.3}"),
                (least..=largest).contains(&ratio.median()),
                &ratio.spread(3),
            );
        }
    }
    println!("\nmedian (quartiles), least to largest of the rounds");
}

/// Whether load makes upstream calls.
fn judge_calls(cases: &[Case], goals: &mut Goals) {
    for case in cases {
        let (idle, full) = (case.idle.a_minute(), case.full.a_minute());
        goals.holds(
            &format!(
                "upstream calls a minute at 0 and at full load, {}",
                case.name
            ),
            "equal (± 5 %, the counting error)",
            (full / idle - 1.0).abs() <= COUNTING_ERROR,
            &format!("{idle:.0} and {full:.0}"),
        );
    }
}

fn print_heading() {
    println!(
        "| upstreams | requests | min | p50 | p99 | p99.9 | max | over 1 ms, ms | no core, ms |\n|---|---|---|---|---|---|---|---|---|"
    );
}

fn print_row(name: &str, load: Load) {
    let slow: f64 = load.latencies.iter().filter(|&&micros| micros > 1e3).sum();
    let sample = Sample::new(load.latencies);
    let [min, p50, p99, p999, max] = [0, 500, 990, 999, 1000].map(|at| sample.quantile(at));
    println!(
        "| {name} | {} | {min:.0} | {p50:.0} | {p99:.0} | {p999:.0} | {max:.0} | {:.0} | {:.0} |",
        sample.len(),
        slow / 1e3,
        load.without_core.as_secs_f64() * 1e3
    );
}
