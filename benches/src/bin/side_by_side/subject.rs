//! One way of asking one server, round after round.

use std::io;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use infra_health_benches::client::get;
use infra_health_benches::load::{Clients, Measured};
use infra_health_benches::numbers::count;
use infra_health_benches::process::Process;

use crate::{CONNECTIONS, Round};

/// Until a server that has answered everything sleeps, so that its scheduler's account is complete.
pub(crate) const SETTLING: Duration = Duration::from_millis(2);

/// One way of asking one server.
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    process: Rc<Process>,
    clients: Clients,
    rounds: Vec<Round>,
    /// kB, after the last round.
    pub(crate) resident: u64,
}

impl Subject {
    /// Opens its connections.
    pub(crate) fn new(
        name: &'static str,
        process: Rc<Process>,
        key: Option<&str>,
    ) -> io::Result<Self> {
        let request = get("/health", key);
        let (clients, _) = Clients::open(process.address(), request, CONNECTIONS)?;
        Ok(Subject {
            name,
            process,
            clients,
            rounds: Vec::new(),
            resident: 0,
        })
    }

    /// One round.
    pub(crate) fn load(
        &mut self,
        load: impl FnOnce(&mut Clients) -> io::Result<Measured>,
    ) -> io::Result<()> {
        let before = self.process.cpu()?;
        let measured = load(&mut self.clients)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.name)))?;
        sleep(SETTLING);
        let cpu = self.process.cpu()?.saturating_sub(before);
        self.resident = self.process.resident()?;
        self.rounds.push(Round { measured, cpu });
        Ok(())
    }

    /// CPU time a request in µs, by round.
    pub(crate) fn micros(&self) -> Vec<f64> {
        self.each(|round| round.cpu.as_secs_f64() * 1e6 / count(round.measured.answers))
    }

    /// The share of a core that the server used in percent, by round.
    pub(crate) fn busy(&self) -> Vec<f64> {
        self.each(|round| 100.0 * round.cpu.as_secs_f64() / round.measured.took.as_secs_f64())
    }

    /// Something that the load generator saw, by round.
    pub(crate) fn seen(&self, what: impl Fn(&Measured) -> f64) -> Vec<f64> {
        self.each(|round| what(&round.measured))
    }

    /// The rounds, as the load generator saw them.
    pub(crate) fn measured(&self) -> impl Iterator<Item = &Measured> {
        self.rounds.iter().map(|round| &round.measured)
    }

    fn each(&self, what: impl Fn(&Round) -> f64) -> Vec<f64> {
        self.rounds.iter().map(what).collect()
    }
}

/// Loads all in turns, `rounds` times and once before that does not count. Rounds begin with different ones, and every
/// other round goes backwards, so that nobody always comes after the same one.
pub(crate) fn in_turns(
    subjects: &mut [Subject],
    rounds: usize,
    mut load: impl FnMut(&mut Subject) -> io::Result<()>,
) -> io::Result<()> {
    for round in 0..=rounds {
        for at in order(round, subjects.len()) {
            load(&mut subjects[at])?;
        }
        if round == 0 {
            for subject in &mut *subjects {
                subject.rounds.clear();
            }
        }
    }
    Ok(())
}

/// Who is loaded when in a round.
pub(crate) fn order(round: usize, number: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..number)
        .map(|turn| (round / 2 + turn) % number)
        .collect();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_turn_in_each_round_and_comes_after_different_ones() {
        let rounds: Vec<_> = (0..8).map(|round| order(round, 4)).collect();
        for round in &rounds {
            let mut all = round.clone();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3]);
        }
        for one in 0..4 {
            let firsts = rounds.iter().filter(|round| round[0] == one).count();
            assert_eq!(firsts, 2);
            let after = |other| {
                let pairs = rounds.iter().flat_map(|round| round.windows(2));
                pairs.filter(|pair| *pair == [other, one]).count()
            };
            assert_eq!([after((one + 3) % 4), after((one + 1) % 4)], [3, 3]);
        }
    }
}
