//! How many events go, how long one takes, and what it costs.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use infra_health_benches::goals::Goals;
use infra_health_benches::load::{Clients, Measured};
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::Process;

use crate::room::{Plan, counter, is_of_the_room, senders};
use crate::{CONNECTIONS, Extent, RATE};

const ACCEPTED: &str = r#"infra_health_job_deliveries_total{source="webhook",result="accepted"}"#;
/// Until the service has gone to sleep and its scheduler's account is complete.
const SETTLING: Duration = Duration::from_millis(20);

/// The rounds of one way of sending.
#[derive(Default)]
struct Seen {
    measured: Vec<Measured>,
    /// µs of CPU an event, by round: all of the process, and the room's threads alone.
    cpu: Vec<f64>,
    room: Vec<f64>,
}

impl Seen {
    fn round(
        &mut self,
        process: &Process,
        clients: &mut Clients,
        load: impl FnOnce(&mut Clients) -> io::Result<Measured>,
    ) -> io::Result<()> {
        let before = (process.cpu()?, process.cpu_of(is_of_the_room)?);
        let measured = load(clients)?;
        sleep(SETTLING);
        let after = (process.cpu()?, process.cpu_of(is_of_the_room)?);
        let each = |now: Duration, then: Duration| {
            now.saturating_sub(then).as_secs_f64() * 1e6 / count(measured.answers)
        };
        self.cpu.push(each(after.0, before.0));
        self.room.push(each(after.1, before.1));
        self.measured.push(measured);
        Ok(())
    }

    fn of(&self, what: impl Fn(&Measured) -> f64) -> Sample {
        Sample::new(self.measured.iter().map(what).collect())
    }

    /// A quantile of all rounds together, in ms.
    fn millis(&self, quantile: f64) -> io::Result<f64> {
        Ok(Measured::pooled(self.measured.iter(), quantile)? / 1e3)
    }

    fn answers(&self) -> u64 {
        self.measured.iter().map(|round| round.answers).sum()
    }

    fn print(&self, name: &str) -> io::Result<()> {
        println!(
            "| {name} | {} | {} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {} | {} |",
            self.answers(),
            self.of(Measured::per_second).spread(0),
            self.millis(0.5)?,
            self.millis(0.99)?,
            self.millis(0.999)?,
            self.millis(1.0)?,
            Sample::new(self.cpu.clone()).spread(0),
            Sample::new(self.room.clone()).spread(0),
            self.of(Measured::apart).spread(2),
        );
        Ok(())
    }
}

pub(crate) fn print(plan: &Plan<'_>, extent: Extent, goals: &mut Goals) -> io::Result<()> {
    let disk = plan.synced_write()?;
    let process = plan.with_room()?;
    let mut clients = senders(&process)?;
    // Not the first events of a store.
    clients.closed(extent.open / 10)?;
    let before = counter(&process, ACCEPTED)?;
    let (mut open, mut closed) = (Seen::default(), Seen::default());
    for _ in 0..extent.rounds {
        open.round(&process, &mut clients, |clients| {
            clients.at_rate(RATE, extent.open)
        })?;
    }
    for _ in 0..extent.rounds {
        closed.round(&process, &mut clients, |clients| {
            clients.closed(extent.closed)
        })?;
    }
    println!(
        "\nPOST /webhooks/jobs, {CONNECTIONS} connections, {} rounds; a synced write of 4 KiB takes {} ms\n",
        extent.rounds,
        disk.spread(2)
    );
    println!(
        "| | events | a second | p50, ms | p99, ms | p99.9, ms | slowest, ms | CPU an event, µs | of it the room's threads, µs | left out, % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    open.print(&format!("open loop, {RATE} a second"))?;
    closed.print("closed loop")?;

    let accepted = counter(&process, ACCEPTED)? - before;
    let sent = open.answers() + closed.answers();
    if accepted != sent {
        let why = format!("{sent} events were answered and {accepted} accepted");
        return Err(io::Error::other(why));
    }
    let p99 = open.millis(0.99)?;
    let figure = "p99 of an event at 500 a second, durable";
    goals.at_most(figure, "ms", p99, 100.0, &format!("{p99:.2}"));
    let most = closed.of(Measured::per_second).spread(0);
    goals.stated("most events a second", &most);
    let cost = Sample::new(open.cpu).spread(0);
    goals.stated("CPU an event at 500 a second, µs", &cost);
    Ok(())
}
