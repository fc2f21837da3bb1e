//! How often the service allocates: for an answer, for a publication, for a probe round.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --package infra-health-micro --bin allocations
//! ```
//!
//! Counts what happens between a parsed request and its response, so nothing of hyper's; and a check from its start to its
//! new state, over a kept connection, so everything of the HTTP client's (without TLS). The upstreams are threads of
//! this process that allocate nothing. Counts of the whole process: the median of many runs, as the monitor's
//! heartbeat may fall into one.

use std::alloc::System;
use std::hint::black_box;

use infra_health::answers::{Options, health, publish};
use infra_health::snapshot::CheckSet;
use infra_health_micro::answering::{Answering, get, must_be};
use infra_health_micro::asking::{Checks, configured};
use infra_health_micro::{Error, KEY, upstream};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Builder;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Runs of each.
const RUNS: usize = 101;

fn main() -> Result<(), Error> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let _guard = runtime.enter();
    let (runpod, r2) = (upstream::runpod()?, upstream::r2()?);
    let mut checks = Checks::new(&configured(runpod, r2)?)?;
    // The first runs open the connections.
    runtime.block_on(checks.run_all());
    checks.must_pass()?;
    let answering = Answering::start(configured(runpod, r2)?)?;

    println!("| | allocations | bytes |\n|---|---|---|");
    for (path, key, status) in [
        ("/livez", None, 200),
        ("/readyz", None, 200),
        ("/health", None, 200),
        ("/health", Some(KEY), 200),
        ("/health", Some("a-key-that-nobody-has-ever-set"), 401),
        ("/health/api", None, 200),
        ("/health?verbose", Some(KEY), 200),
        ("/nowhere", None, 404),
    ] {
        let answers = (0..RUNS).map(|_| {
            let request = get(path, key)?;
            let region = Region::new(ALLOCATOR);
            let response = answering.answer(request)?;
            let counted = Counted::of(&region);
            must_be(&response, status)?;
            Ok(counted)
        });
        let answers = answers.collect::<Result<Vec<_>, Error>>()?;
        let key = match key {
            None => "",
            Some(KEY) => " with a key",
            Some(_) => " with a wrong key",
        };
        print(&format!("GET {path}{key}: {status}"), answers.into_iter());
    }

    for index in 0..checks.each.len() {
        let name = checks.each[index].0.info.name;
        print(
            &format!("a run of {name}"),
            repeated(|| runtime.block_on(checks.run(index))),
        );
    }
    let (snapshot, at) = (checks.snapshot(), checks.moment());
    let options = Options::default();
    let fold = repeated(|| {
        black_box(snapshot.fold(CheckSet::EMPTY, at));
    });
    print("fold", fold);
    let rendering = repeated(|| {
        black_box(health(&snapshot, &options, at));
    });
    print("fold and body of /health", rendering);
    let publication = repeated(|| {
        black_box(publish(snapshot.clone(), &options, at));
    });
    print("a publication: every answer", publication);
    Ok(())
}

/// What one run allocated.
struct Counted {
    allocations: usize,
    bytes: usize,
}

impl Counted {
    fn of(region: &Region<'_, System>) -> Self {
        let change = region.change();
        Counted {
            allocations: change.allocations + change.reallocations,
            bytes: change.bytes_allocated,
        }
    }
}

fn repeated(mut run: impl FnMut()) -> impl Iterator<Item = Counted> {
    (0..RUNS).map(move |_| {
        let region = Region::new(ALLOCATOR);
        run();
        Counted::of(&region)
    })
}

fn print(name: &str, runs: impl Iterator<Item = Counted>) {
    let (mut allocations, mut bytes): (Vec<_>, Vec<_>) =
        runs.map(|run| (run.allocations, run.bytes)).unzip();
    let median = |values: &mut Vec<usize>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    println!(
        "| {name} | {} | {} |",
        median(&mut allocations),
        median(&mut bytes)
    );
}
