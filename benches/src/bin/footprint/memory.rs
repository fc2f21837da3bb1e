//! Memory, idle and with many idle connections.

use std::io;
use std::thread::sleep;

use infra_health_benches::client::{Connection, get};
use infra_health_benches::goals::Goals;
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::Process;

use crate::{BARE, Kind, SERVICE, SETTLING};

/// One server, by round; kB are of 1,024 bytes, as the kernel counts them.
#[derive(Default)]
struct Column {
    idle: Vec<f64>,
    anonymous: Vec<f64>,
    full: Vec<f64>,
    /// Bytes a connection.
    each: Vec<f64>,
    after: Vec<f64>,
    threads: u64,
}

/// Measures all in turns, each time in a new process.
pub(crate) fn print(
    kinds: &[Kind<'_>],
    connections: usize,
    rounds: usize,
    goals: &mut Goals,
) -> io::Result<()> {
    let mut columns: Vec<Column> = kinds.iter().map(|_| Column::default()).collect();
    for _ in 0..rounds {
        for ((_, start), column) in kinds.iter().zip(&mut columns) {
            measure(&start()?, connections, column)?;
        }
    }
    println!(
        "\nresident memory, idle and with {connections} idle keep-alive connections, {rounds} rounds; median\n"
    );
    println!(
        "| | idle, kB | of it heap and stacks, kB | threads | with connections, kB | after them, kB | a connection, bytes | ratio to bare hyper |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let of_bare = columns.first().map(|bare| bare.each.clone());
    let of_bare = of_bare.unwrap_or_default();
    for ((name, _), column) in kinds.iter().zip(columns) {
        let ratio = Sample::paired(&column.each, &of_bare);
        let each = Sample::new(column.each);
        let idle = Sample::new(column.idle);
        println!(
            "| {name} | {:.0} | {:.0} | {} | {:.0} | {:.0} | {} | {} |",
            idle.median(),
            Sample::new(column.anonymous).median(),
            column.threads,
            Sample::new(column.full).median(),
            Sample::new(column.after).median(),
            each.spread(0),
            ratio.spread(3),
        );
        if *name == SERVICE {
            // MB are of 1,000,000 bytes.
            let megabytes = idle.median() * 1024.0 / 1e6;
            goals.at_most(
                "RSS idle",
                "MB",
                megabytes,
                10.0,
                &format!("{megabytes:.2}"),
            );
            let figure = format!("RSS a connection of {connections} idle ones against {BARE}");
            goals.ratio(&figure, &ratio, 1.1, None);
        }
    }
    Ok(())
}

fn measure(process: &Process, connections: usize, column: &mut Column) -> io::Result<()> {
    // The service's monitor has asked its upstreams and keeps their connections.
    process.wait_until("/health", |answer| {
        answer.body.starts_with(br#"{"status":"healthy""#)
    })?;
    sleep(SETTLING);
    let idle = count(process.resident()?);
    column.idle.push(idle);
    column.anonymous.push(count(process.resident_anonymous()?));
    column.threads = process.threads()?;
    let held = hold(process, connections)?;
    let full = count(process.resident()?);
    column.full.push(full);
    let each = (full - idle) * 1024.0 / count(connections as u64);
    column.each.push(each);
    still_there(held)?;
    sleep(SETTLING);
    column.after.push(count(process.resident()?));
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
