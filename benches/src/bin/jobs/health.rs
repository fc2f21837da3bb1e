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

use crate::room::{Plan, is_of_the_room, senders};
use crate::{CONNECTIONS, Extent, RATE};

/// Requests of `/health` a second, for its latency.
const HEALTH_RATE: u32 = 10_000;
/// A closed loop of `/health` is what it costs; "unchanged" is within this of 1, what two processes of the same
/// binary differ by.
const UNCHANGED: f64 = 1.05;
const SETTLING: Duration = Duration::from_millis(20);

/// CPU seconds of the room's threads, its database's among them, and of all others: who serves HTTP is there, which takes
/// requests of `/health` and deliveries alike.
#[derive(Clone, Copy)]
struct Cpu {
    room: f64,
    rest: f64,
}

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

    /// CPU seconds while `work` goes on.
    fn cpu<T>(&mut self, work: impl FnOnce(&mut Self) -> io::Result<T>) -> io::Result<(Cpu, T)> {
        let before = self.spent()?;
        let done = work(self)?;
        sleep(SETTLING);
        let after = self.spent()?;
        let cpu = Cpu {
            room: after.room - before.room,
            rest: after.rest - before.rest,
        };
        Ok((cpu, done))
    }

    fn spent(&self) -> io::Result<Cpu> {
        let room = self.process.cpu_of(is_of_the_room)?.as_secs_f64();
        let all = self.process.cpu()?.as_secs_f64();
        Ok(Cpu {
            room,
            rest: all - room,
        })
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

/// µs by turn.
#[derive(Default)]
struct Cost {
    without_room: Vec<f64>,
    idle: Vec<f64>,
    /// With what the same threads did for events.
    with_events: Vec<f64>,
    /// Without that, as it was measured alone.
    beside_events: Vec<f64>,
    /// Of an event alone: HTTP, and the room.
    event: [Vec<f64>; 2],
    /// Percent of the core that the room took beside a full load of `/health`.
    room: Vec<f64>,
}

fn cost(
    closed_room: &mut Both,
    room: &mut Both,
    extent: Extent,
    goals: &mut Goals,
) -> io::Result<()> {
    let mut cost = Cost::default();
    let turn = extent.turn;
    for number in 0..=extent.turns {
        let (without_room, some) = closed_room.cpu(|both| both.health.closed(turn))?;
        let (idle, others) = room.cpu(|both| both.health.closed(turn))?;
        let (alone, events) = room.cpu(|both| both.events(turn))?;
        let (beside, (health, sent)) =
            room.cpu(|both| both.meanwhile(turn, |health| health.closed(turn)))?;
        // The first turn warms up.
        if number == 0 {
            continue;
        }
        let each = |seconds: f64, of: &Measured| seconds * 1e6 / count(of.answers);
        let share = alone.rest * count(sent.answers) / count(events.answers);
        cost.without_room.push(each(without_room.rest, &some));
        cost.idle.push(each(idle.rest + idle.room, &others));
        cost.with_events.push(each(beside.rest, &health));
        cost.beside_events.push(each(beside.rest - share, &health));
        cost.event[0].push(each(alone.rest, &events));
        cost.event[1].push(each(alone.room, &events));
        cost.room.push(100.0 * beside.room / turn.as_secs_f64());
    }
    cost.print(extent);
    cost.judge(goals);
    Ok(())
}

impl Cost {
    fn print(&self, extent: Extent) {
        println!(
            "\nCPU a GET /health, closed loop, {CONNECTIONS} connections, {} turns of {:?}\n",
            extent.turns, extent.turn
        );
        println!("| | µs | ratio to the room idle |\n|---|---|---|");
        for (name, micros) in [
            ("without a room", &self.without_room),
            ("room open, idle", &self.idle),
            (
                "500 events a second, their part in HTTP included",
                &self.with_events,
            ),
            (
                "500 events a second, their part in HTTP taken off",
                &self.beside_events,
            ),
        ] {
            println!(
                "| {name} | {} | {} |",
                Sample::new(micros.clone()).spread(2),
                Sample::paired(micros, &self.idle).spread(3)
            );
        }
        let [http, room] = &self.event;
        println!(
            "\nan event alone takes {} µs in HTTP and {} µs in the room; beside this load the room takes {} % of the core",
            Sample::new(http.clone()).spread(0),
            Sample::new(room.clone()).spread(0),
            Sample::new(self.room.clone()).spread(1)
        );
    }

    fn judge(&self, goals: &mut Goals) {
        let ratio = |micros: &[f64]| Sample::paired(micros, &self.idle);
        let figure = "CPU a `GET /health` with 500 events a second against none";
        goals.ratio(figure, &ratio(&self.beside_events), UNCHANGED, None);
        let told = ratio(&self.with_events).spread(3);
        goals.stated("the same with the events' part in HTTP", &told);
        let ratio = Sample::paired(&self.idle, &self.without_room);
        let figure = "CPU a `GET /health`, room idle against no room";
        goals.ratio(figure, &ratio, UNCHANGED, None);
    }
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
