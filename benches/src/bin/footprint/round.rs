//! What the checks cost when nobody asks anything, and whether they keep their connections.

use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use infra_health_benches::cores::SERVER_CORE;
use infra_health_benches::goals::Goals;
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::Process;
use infra_health_benches::servers::{service, wait_until_healthy};
use infra_health_benches::upstreams::{Upstreams, fit_endpoint, listing};
use tokio::runtime::Runtime;

use crate::SETTLING;

/// The two paces; the second never comes.
const OFTEN: [(&str, &str); 2] = [("CHECK_INTERVAL", "100ms"), ("R2_CHECK_INTERVAL", "100ms")];
const ONCE: [(&str, &str); 2] = [("CHECK_INTERVAL", "1h"), ("R2_CHECK_INTERVAL", "1h")];

/// The price of a round, over TLS and over plain HTTP.
pub(crate) fn print(
    runtime: &Runtime,
    binary: &Path,
    slice: Duration,
    slices: usize,
    goals: &mut Goals,
) -> io::Result<()> {
    println!(
        "\nprobe rounds (three checks, three publications), ten a second, {slices} slices of {slice:?}; median (quartiles)\n"
    );
    println!(
        "| upstreams | rounds | connections: RunPod, R2 | CPU a round, µs | CPU a second of a service that neither asks nor is asked, µs |"
    );
    println!("|---|---|---|---|---|");
    let plain = || Upstreams::start(runtime, fit_endpoint(), listing());
    let kinds: [(&str, &dyn Fn() -> io::Result<Upstreams>); 2] = [
        ("TLS", &|| Upstreams::start_with_tls(runtime)),
        ("plain HTTP", &plain),
    ];
    for (name, start) in kinds {
        let price = Price::of(binary, start, slice, slices)?;
        let [runpod, r2] = price.connections;
        println!(
            "| {name} | {} | {runpod}, {r2} | {} | {} |",
            price.rounds,
            price.micros.spread(0),
            price.idle.spread(0)
        );
        if name == "TLS" {
            goals.stated("CPU of a probe round over TLS, µs", &price.micros.spread(0));
            goals.holds(
                "TLS connections to RunPod and to R2",
                "1 each",
                price.connections == [1, 1],
                &format!("{runpod} and {r2}, over {} rounds", price.rounds),
            );
        }
    }
    Ok(())
}

struct Price {
    rounds: usize,
    connections: [usize; 2],
    /// CPU time a round in µs, by slice.
    micros: Sample,
    /// CPU time a second without rounds in µs, by slice.
    idle: Sample,
}

impl Price {
    fn of(
        binary: &Path,
        start: &dyn Fn() -> io::Result<Upstreams>,
        slice: Duration,
        slices: usize,
    ) -> io::Result<Self> {
        let (often, once) = (start()?, start()?);
        let busy = service(binary, &often, &[SERVER_CORE], &OFTEN)?;
        let quiet = service(binary, &once, &[SERVER_CORE], &ONCE)?;
        wait_until_healthy(&busy)?;
        wait_until_healthy(&quiet)?;
        sleep(SETTLING);

        let (mut micros, mut idle, mut all) = (Vec::new(), Vec::new(), 0);
        for _ in 0..slices {
            let (begin, calls) = (Instant::now(), often.calls());
            let before = (busy.cpu()?, quiet.cpu()?);
            sleep(slice);
            let used = (since(&busy, before.0)?, since(&quiet, before.1)?);
            // One call to RunPod and one to R2 each.
            let rounds = (often.calls() - calls) / 2;
            if rounds == 0 {
                return Err(io::Error::other("no check has run"));
            }
            all += rounds;
            micros.push((used.0 - used.1) / count(rounds as u64));
            idle.push(used.1 / begin.elapsed().as_secs_f64());
        }
        Ok(Price {
            rounds: all,
            connections: often.connections(),
            micros: Sample::new(micros),
            idle: Sample::new(idle),
        })
    }
}

/// CPU time in µs that a process has used since it had used `before`.
fn since(process: &Process, before: Duration) -> io::Result<f64> {
    Ok(process.cpu()?.saturating_sub(before).as_secs_f64() * 1e6)
}
