//! Whether `/health` notices the intake.

use std::io;
use std::thread::{scope, sleep};
use std::time::Duration;

use infra_health_benches::client::get;
use infra_health_benches::cores::{CLIENT_CORE, run_here_on};
use infra_health_benches::goals::Goals;
use infra_health_benches::load::{Clients, Measured};
use infra_health_benches::numbers::{Sample, count};
use infra_health_benches::process::Process;

use crate::room::{Plan, senders};
use crate::{CONNECTIONS, Extent, RATE};

/// Requests of `/health` a second, for its latency.
const HEALTH_RATE: u32 = 10_000;
/// A closed loop of `/health` is what it costs; "unchanged" is within this of 1, what two processes of the same
/// binary differ by.
const UNCHANGED: f64 = 1.05;
const SETTLING: Duration = Duration::from_millis(20);

/// Asks for `/health` and sends events to the same process.
struct Both {
    process: Process,
    health: Clients,
    events: Option<Clients>,
}

impl Both {
    fn new(process: Process, events: Option<Clients>) -> io::Result<Self> {
        let (health, _) = Clients::open(process.address(), get("/health", None), CONNECTIONS)?;
        Ok(Both {
            process,
            health,
            events,
        })
    }

    /// CPU seconds of the process while `work` goes on.
    fn cpu<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<(f64, T)> {
        let before = self.process.cpu()?;
        let done = work(self)?;
        sleep(SETTLING);
        let cpu = self.process.cpu()?.saturating_sub(before);
        Ok((cpu.as_secs_f64(), done))
    }

    fn events(&mut self, lasting: Duration) -> io::Result<Measured> {
        let events = self.events.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        events.paced(RATE, lasting)
    }

    /// `load` of `/health` while events come at their rate.
    fn meanwhile(
        &mut self,
        lasting: Duration,
        load: impl FnOnce(&mut Clients) -> io::Result<Measured>,
    ) -> io::Result<(Measured, Measured)> {
        let (health, events) = (&mut self.health, self.events.as_mut());
        let events = events.ok_or(io::ErrorKind::NotConnected)?;
        scope(|scope| {
            let sending = scope.spawn(|| {
                run_here_on(&[CLIENT_CORE])?;
                events.paced(RATE, lasting)
            });
            let health = load(health);
            let events = sending.join();
            let events = events.map_err(|_| io::Error::other("a sender panicked"))?;
            Ok((health?, events?))
        })
    }
}

pub(crate) fn print(plan: &Plan<'_>, extent: Extent, goals: &mut Goals) -> io::Result<()> {
    let mut closed_room = Both::new(plan.without_room()?, None)?;
    let process = plan.with_room()?;
    let events = senders(&process)?;
    let mut room = Both::new(process, Some(events))?;
    cost(&mut closed_room, &mut room, extent, goals)?;
    latency(&mut room, extent, goals)
}

/// CPU a `GET /health`, µs by turn.
#[derive(Default)]
struct Cost {
    without_room: Vec<f64>,
    idle: Vec<f64>,
    under_intake: Vec<f64>,
    /// Of an event, alone.
    event: Vec<f64>,
}

fn cost(
    closed_room: &mut Both,
    room: &mut Both,
    extent: Extent,
    goals: &mut Goals,
) -> io::Result<()> {
    let mut cost = Cost::default();
    let turn = extent.turn;
    let each = |cpu: f64, measured: &Measured| cpu * 1e6 / count(measured.answers);
    for number in 0..=extent.turns {
        let (cpu, health) = closed_room.cpu(|both| both.health.closed(turn))?;
        let without_room = each(cpu, &health);
        let (cpu, health) = room.cpu(|both| both.health.closed(turn))?;
        let idle = each(cpu, &health);
        let (alone, events) = room.cpu(|both| both.events(turn))?;
        let (cpu, (health, sent)) =
            room.cpu(|both| both.meanwhile(turn, |health| health.closed(turn)))?;
        let share = alone * count(sent.answers) / count(events.answers);
        // The first turn warms up.
        if number > 0 {
            cost.without_room.push(without_room);
            cost.idle.push(idle);
            cost.under_intake.push(each(cpu - share, &health));
            cost.event.push(each(alone, &events));
        }
    }
    println!(
        "\nCPU a GET /health, closed loop, {CONNECTIONS} connections, {} turns of {turn:?}\n",
        extent.turns
    );
    println!("| | µs | ratio to the room idle |\n|---|---|---|");
    for (name, micros) in [
        ("without a room", &cost.without_room),
        ("room open, idle", &cost.idle),
        (
            "room open, 500 events a second, these taken off",
            &cost.under_intake,
        ),
    ] {
        println!(
            "| {name} | {} | {} |",
            Sample::new(micros.clone()).spread(2),
            Sample::paired(micros, &cost.idle).spread(3)
        );
    }
    let event = Sample::new(cost.event.clone()).spread(0);
    println!("\nan event alone takes {event} µs; 500 a second are taken off as often as they came");
    let figure = "CPU a `GET /health` with 500 events a second against none";
    let ratio = Sample::paired(&cost.under_intake, &cost.idle);
    goals.ratio(figure, &ratio, UNCHANGED, None);
    let ratio = Sample::paired(&cost.idle, &cost.without_room);
    goals.ratio(
        "the same with the room idle against no room",
        &ratio,
        UNCHANGED,
        None,
    );
    Ok(())
}

fn latency(room: &mut Both, extent: Extent, goals: &mut Goals) -> io::Result<()> {
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for number in 0..=extent.turns {
        let alone = room.health.at_rate(HEALTH_RATE, extent.turn)?;
        let (beside, _) = room.meanwhile(extent.turn, |health| {
            health.at_rate(HEALTH_RATE, extent.turn)
        })?;
        if number > 0 {
            without.push(alone);
            with.push(beside);
        }
    }
    println!(
        "\nGET /health, open loop, {HEALTH_RATE} a second, {} turns of {:?}; both on one core\n",
        extent.turns, extent.turn
    );
    println!(
        "| | p50, µs | p99, µs | p99 of all turns, µs | p99.9 of all, µs | slowest, µs | left out, % |"
    );
    println!("|---|---|---|---|---|---|---|");
    for (name, turns) in [("no events", &without), ("500 events a second", &with)] {
        let of = |what: &dyn Fn(&Measured) -> f64| Sample::new(turns.iter().map(what).collect());
        println!(
            "| {name} | {} | {} | {:.0} | {:.0} | {:.0} | {} |",
            of(&|turn| turn.latency(0.5)).spread(0),
            of(&|turn| turn.latency(0.99)).spread(0),
            Measured::pooled(turns.iter(), 0.99)?,
            Measured::pooled(turns.iter(), 0.999)?,
            Measured::pooled(turns.iter(), 1.0)?,
            of(&Measured::apart).spread(2),
        );
    }
    let p99 = |turns: &[Measured]| Measured::pooled(turns.iter(), 0.99);
    let told = format!("{:.0} and {:.0} µs", p99(&without)?, p99(&with)?);
    goals.stated(
        "p99 of `/health` without and with 500 events a second",
        &told,
    );
    Ok(())
}
