//! What job events cost: the intake itself, and whether `/health` notices it.
//!
//! ```sh
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin jobs
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin jobs -- --brief
//! cargo run --release --locked --manifest-path benches/Cargo.toml --bin jobs -- --database postgres://…
//! ```
//!
//! Linux, two cores: the service runs on core 0 with all of its threads, the generator on core 1. Deliveries are signed, none is
//! like another, three tell of a job, and each is durable before it is answered: SQLite with `synchronous = FULL` in a new
//! file in `--folder`, so the disk there is a part of what is measured; what one synced write of 4 KiB takes is
//! printed beside it.
//!
//! Three parts. *Intake*: an open loop at 500 events a second, and a closed loop for the most that goes. *Cost*: CPU a
//! `GET /health` in a closed loop, in turns without the room, with the room open and idle, and with 500 events a second. Then
//! the room's threads do not count, and what the others do for events is taken off as it was in a turn of their own; since events
//! cost less in a crowd, the figure with that part stands beside it, and the truth between the two. *Latency*: `GET /health` at 10,000 requests
//! a second without and with 500 events a second. About 5 minutes, once built.

mod health;
mod intake;
mod room;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use infra_health_benches::arguments::Common;
use infra_health_benches::cores::{CLIENT_CORE, run_here_on};
use infra_health_benches::goals::Goals;
use infra_health_benches::process::load_average;
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

use room::Plan;

/// Events a second that the service has to take, and `/health` must not feel.
const RATE: u32 = 500;
/// Deliveries under way at a time, at most.
const CONNECTIONS: usize = 64;

#[derive(Debug, Parser)]
#[command(about = "What job events cost, and whether /health notices them")]
struct Arguments {
    #[command(flatten)]
    common: Common,
    /// Where the database is made, instead of a temporary folder
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
    /// This Postgres instead, an empty database (`postgres://…`)
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// How often, and how long.
#[derive(Debug, Clone, Copy)]
struct Extent {
    /// Of the intake.
    rounds: usize,
    open: Duration,
    closed: Duration,
    /// Of `/health`.
    turns: usize,
    turn: Duration,
}

const FULL: Extent = Extent {
    rounds: 6,
    open: Duration::from_secs(10),
    closed: Duration::from_secs(4),
    turns: 21,
    turn: Duration::from_secs(1),
};
const BRIEF: Extent = Extent {
    rounds: 1,
    open: Duration::from_millis(500),
    closed: Duration::from_millis(300),
    turns: 1,
    turn: Duration::from_millis(300),
};

fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let common = &arguments.common;
    let binary = common.service()?;
    let extent = common.pick(FULL, BRIEF);
    run_here_on(&[CLIENT_CORE])?;
    let runtime = Runtime::new()?;
    let upstreams = Upstreams::start(&runtime, fit_endpoint(), listing())?;
    let plan = Plan {
        binary: &binary,
        upstreams: &upstreams,
        folder: arguments.folder.as_deref(),
        database: arguments.database.as_deref(),
    };
    let mut goals = Goals::new(common.brief);
    println!("load average {}", load_average());
    intake::print(&plan, extent, &mut goals)?;
    health::print(&plan, extent, &mut goals)?;
    goals.print();
    println!("\nload average {} at the end", load_average());
    Ok(())
}
