//! The asking side: the checks, run by hand.

use std::net::SocketAddr;
use std::sync::Arc;

use infra_health::checks::client::Client;
use infra_health::checks::{self, Parts};
use infra_health::clock::Clock;
use infra_health::config::{Loaded, load};
use infra_health::monitor::step;
use infra_health::registry::Entry;
use infra_health::snapshot::{Moment, Snapshot};
use infra_health::state::{State, Verdict};
use infra_health::vitals::Vitals;

use crate::{Error, KEY};

/// More than the configuration accepts, as there are no sockets in the way: one request in 64 ns is never too many.
const UNREACHED: u32 = 15_000_000;

/// A configuration as in production, but for the two upstreams and a limit that no benchmark reaches.
pub fn configured(runpod: SocketAddr, r2: SocketAddr) -> Result<Loaded, Error> {
    let pairs = [
        ("PORT", "0".to_owned()),
        ("RUNPOD_API_KEY", "rpa_BENCHMARK0123456789".to_owned()),
        ("RUNPOD_ENDPOINT_ID", "bench0endpoint".to_owned()),
        ("RUNPOD_ENDPOINT_BASE_URL", format!("http://{runpod}/v2")),
        ("R2_ENDPOINT_URL", format!("http://{r2}")),
        ("R2_ACCESS_KEY_ID", "0123456789abcdef".repeat(2)),
        ("R2_SECRET_ACCESS_KEY", "0123456789abcdef".repeat(4)),
        ("R2_BUCKET", "videos".to_owned()),
        ("API_KEYS", KEY.to_owned()),
        // Once, so that nothing else happens while something is measured.
        ("CHECK_INTERVAL", "1h".to_owned()),
        ("R2_CHECK_INTERVAL", "1h".to_owned()),
        ("CHECK_TIMEOUT", "5s".to_owned()),
    ];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value));
    let mut loaded = load(pairs, checks::NAMES)?;
    loaded.config.limits.per_second = UNREACHED;
    Ok(loaded)
}

/// The checks of a configuration, each with its state.
pub struct Checks {
    clock: Clock,
    /// A check and what is known of it so far.
    pub each: Vec<(Entry, State)>,
}

impl Checks {
    /// Builds them; none has run yet.
    pub fn new(loaded: &Loaded) -> Result<Self, Error> {
        let client = Client::new(loaded.config.https_proxy.clone())?;
        let parts = Parts {
            live: loaded.live.clone(),
            vitals: Arc::new(Vitals::new()),
            client,
            signals: None,
        };
        let entries = checks::registry(&loaded.config, &parts)?.into_entries();
        Ok(Checks {
            clock: Clock::default(),
            each: entries
                .into_iter()
                .map(|entry| (entry, State::new()))
                .collect(),
        })
    }

    /// Runs the check at `index` once.
    pub async fn run(&mut self, index: usize) {
        let (entry, state) = &mut self.each[index];
        *state = step(entry, self.clock, state).await;
    }

    /// Runs all once, one after the other, as one task would.
    pub async fn run_all(&mut self) {
        for index in 0..self.each.len() {
            self.run(index).await;
        }
    }

    /// # Errors
    /// When a check is not true: then it has not done the work that was to be measured.
    pub fn must_pass(&self) -> Result<(), Error> {
        let failing = self
            .each
            .iter()
            .find(|(_, state)| state.verdict != Verdict::Passing);
        match failing {
            None => Ok(()),
            Some((entry, _)) => Err(format!("{} does not pass", entry.info.name).into()),
        }
    }

    /// What they have found, as the monitor publishes it.
    pub fn snapshot(&self) -> Snapshot {
        let infos: Vec<_> = self.each.iter().map(|(entry, _)| entry.info).collect();
        let mut snapshot = Snapshot::starting(&infos);
        for (check, (_, state)) in snapshot.checks.iter_mut().zip(&self.each) {
            check.state = Arc::new(state.clone());
        }
        snapshot
    }

    /// This moment.
    pub fn moment(&self) -> Moment {
        Moment {
            now: self.clock.now().mono,
            stalled: false,
        }
    }
}
