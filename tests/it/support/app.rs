//! The whole service in process, on free ports of loopback.

use std::ops::Deref;
use std::time::Duration;

use infra_health::app::{App, EndedEarly};
use infra_health::checks;
use infra_health::clock::Clock;
use infra_health::config::{Loaded, load};
use infra_health::serve::{Shutdown, Stage};
use infra_health::telemetry::LostLines;
use tokio::task::JoinHandle;

use super::caller::{Caller, KEY};
use super::raw::DEADLINE;

/// A decided check asks twice a second, so that its timeout is no trouble on a busy machine; an
/// undecided one asks at once again.
const DEFAULTS: [(&str, &str); 5] = [
    ("PORT", "0"),
    ("CHECK_INTERVAL", "500ms"),
    ("CHECK_RETRY_INTERVAL", "20ms"),
    ("RATE_LIMIT_PER_SECOND", "0"),
    ("API_KEYS", KEY),
];

/// Between two readings of secret files.
const RELOAD_PERIOD: Duration = Duration::from_millis(50);

/// A running service. Ends when dropped. Derefs to a client of its main listener.
pub(crate) struct TestApp {
    caller: Caller,
    /// A client of `PROBE_ADDR`.
    pub(crate) probes: Option<Caller>,
    /// A client of `METRICS_ADDR`.
    pub(crate) scrapes: Option<Caller>,
    shutdown: Shutdown,
    running: JoinHandle<Result<(), EndedEarly>>,
}

impl TestApp {
    /// Starts with these variables over the defaults; a later one wins, and a file wins over a value.
    pub(crate) fn start<V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (&'static str, V)>,
        more: &[(&'static str, &str)],
    ) -> TestApp {
        let mut all: Vec<(String, String)> = Vec::new();
        let mut set = |name: &str, value: &str| {
            let plain = name.strip_suffix("_FILE").unwrap_or(name);
            all.retain(|(known, _)| known != plain);
            all.push((name.to_owned(), value.to_owned()));
        };
        for (name, value) in DEFAULTS {
            set(name, value);
        }
        for (name, value) in pairs {
            set(name, value.as_ref());
        }
        for (name, value) in more {
            set(name, value);
        }
        Self::of(load(all, checks::NAMES).unwrap())
    }

    fn of(loaded: Loaded) -> TestApp {
        let loaded = Loaded {
            reloader: loaded.reloader.with_period(RELOAD_PERIOD),
            ..loaded
        };
        let app = App::start(loaded, Clock::default(), LostLines::default()).unwrap();
        TestApp {
            caller: Caller(app.address().unwrap()),
            probes: app.probe_address().unwrap().map(Caller),
            scrapes: app.metrics_address().unwrap().map(Caller),
            shutdown: app.shutdown(),
            running: tokio::spawn(app.run()),
        }
    }

    pub(crate) fn advance(&self, stage: Stage) {
        self.shutdown.advance(stage);
    }

    /// Shuts down; what `run` returned.
    pub(crate) async fn end(mut self) -> Result<(), EndedEarly> {
        self.advance(Stage::Closing);
        let ended = tokio::time::timeout(DEADLINE, &mut self.running).await;
        ended.expect("the service did not end").unwrap()
    }
}

impl Deref for TestApp {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // Listeners, connections and the monitor's thread end with it.
        self.running.abort();
    }
}
