//! The closed loop once more, by a generator that is not ours: should both disagree on who costs what, one of them is
//! wrong.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::wrk;

use crate::CONNECTIONS;
use crate::contenders::{BARE, Contender, NGINX, SERVICE};
use crate::subject::{SETTLING, order};

/// What wrk saw of a contender, and what that used for it, by round.
#[derive(Default)]
struct Column {
    name: &'static str,
    micros: Vec<f64>,
    per_second: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

/// Loads bare hyper, the service and nginx in turns with wrk, and prints the table.
pub(crate) fn by_wrk(contenders: &[Contender], rounds: usize, lasting: Duration) -> io::Result<()> {
    if !wrk::is_there() {
        println!("\nSKIPPED: the cross-check by wrk: there is no wrk on PATH (Debian: wrk)");
        return Ok(());
    }
    let compared: Vec<_> = contenders
        .iter()
        .filter(|contender| [BARE, SERVICE, NGINX].contains(&contender.name))
        .collect();
    let column = |contender: &&Contender| Column {
        name: contender.name,
        ..Column::default()
    };
    let mut columns: Vec<_> = compared.iter().map(column).collect();
    for round in 0..=rounds {
        for at in order(round, compared.len()) {
            let process = &compared[at].process;
            let before = process.cpu()?;
            let seen = wrk::run(process.address(), CONNECTIONS, lasting)?;
            sleep(SETTLING);
            let cpu = process.cpu()?.saturating_sub(before);
            // The first round does not count.
            if round > 0 {
                let column = &mut columns[at];
                column
                    .micros
                    .push(cpu.as_secs_f64() * 1e6 / count(seen.answers));
                column.per_second.push(seen.per_second);
                column.p50.push(seen.p50);
                column.p99.push(seen.p99);
            }
        }
    }
    println!(
        "\nGET /health by wrk, closed loop, {CONNECTIONS} connections, {rounds} rounds of {lasting:?}; median (quartiles)\n"
    );
    print(&columns);
    Ok(())
}

fn print(columns: &[Column]) {
    println!(
        "| | CPU a request, µs | ratio to bare hyper | requests a second | p50, µs | p99, µs |"
    );
    println!("|---|---|---|---|---|---|");
    let bare = columns.first().map(|bare| bare.micros.clone());
    let bare = bare.unwrap_or_default();
    for column in columns {
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            column.name,
            Sample::new(column.micros.clone()).spread(2),
            Sample::paired(&column.micros, &bare).spread(3),
            Sample::new(column.per_second.clone()).spread(0),
            Sample::new(column.p50.clone()).spread(0),
            Sample::new(column.p99.clone()).spread(0),
        );
    }
}
