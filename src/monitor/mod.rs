//! The asking side: every check on its own schedule, on a thread and a runtime of its own.
//!
//! `runner` runs one check for ever; `publisher` collects the states, renders the answers and keeps the
//! heartbeat; `announce` writes the log lines. What happens on the answering side reaches none of them,
//! except [`Refresh`], at a bounded rate.

mod announce;
mod heartbeat;
mod publisher;
mod refresh;
mod runner;
pub mod schedule;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::answers::{Options, Published, publish};
use crate::clock::Clock;
use crate::registry::{Info, Registry};
use crate::snapshot::{Moment, Snapshot};
use crate::supervise::Supervised;

pub use heartbeat::{Heartbeat, STALLED_AFTER, livez};
pub use refresh::Refresh;
pub use runner::step;

/// Why the checks cannot be built.
pub type BuildError = Box<dyn std::error::Error + Send + Sync>;

/// What a monitor needs to start.
pub struct Setup<B> {
    /// The checks, as far as they are known before they are built.
    pub infos: Vec<Info>,
    /// How the published answers are rendered.
    pub options: Options,
    /// The checks' time.
    pub clock: Clock,
    /// The least distance of two refreshes.
    pub refresh_gap: Duration,
    /// Builds the checks and their client on the monitor's thread, so that answering need not wait for it.
    /// An error ends the monitor.
    pub build: B,
    /// Called once a second with the heartbeat.
    pub on_beat: Box<dyn FnMut(Instant) + Send>,
}

/// The answering side's hold on the monitor.
#[derive(Debug, Clone)]
pub struct Handle {
    /// The newest snapshot and its rendered answers.
    pub published: watch::Receiver<Arc<Published>>,
    /// The monitor's sign of life.
    pub heartbeat: Heartbeat,
    /// A fresh fan-out on demand.
    pub refresh: Refresh,
}

/// The running monitor; dropping it ends the thread.
#[derive(Debug)]
pub struct Monitor {
    /// The answering side's hold on it.
    pub handle: Handle,
    /// Resolves when the monitor ends early, with the name of the task that ended.
    pub ended: oneshot::Receiver<&'static str>,
    _stop: oneshot::Sender<()>,
}

/// Starts the monitor's thread.
///
/// # Errors
/// When the system gives no thread.
pub fn start<B>(setup: Setup<B>) -> io::Result<Monitor>
where
    B: FnOnce() -> Result<Registry, BuildError> + Send + 'static,
{
    let snapshot = Snapshot::starting(&setup.infos);
    let at = Moment {
        now: Instant::now(),
        stalled: false,
    };
    let (publish_to, published) = watch::channel(Arc::new(publish(snapshot, &setup.options, at)));
    let heartbeat = Heartbeat::new();
    let (refresh, refresh_requests) = Refresh::new(setup.refresh_gap, published.clone());
    let (stop, stopped) = oneshot::channel();
    let (end, ended) = oneshot::channel();
    let parts = Parts {
        publish_to,
        heartbeat: heartbeat.clone(),
        refresh_requests,
        setup,
    };
    std::thread::Builder::new()
        .name("monitor".to_owned())
        .spawn(move || parts.run(stopped, end))?;
    Ok(Monitor {
        handle: Handle {
            published,
            heartbeat,
            refresh,
        },
        ended,
        _stop: stop,
    })
}

/// What moves to the monitor's thread.
struct Parts<B> {
    publish_to: watch::Sender<Arc<Published>>,
    heartbeat: Heartbeat,
    refresh_requests: watch::Receiver<Option<Instant>>,
    setup: Setup<B>,
}

impl<B: FnOnce() -> Result<Registry, BuildError>> Parts<B> {
    fn run(self, stopped: oneshot::Receiver<()>, end: oneshot::Sender<&'static str>) {
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "the monitor's runtime cannot be built");
                // The other side may be gone already; then nobody needs to know.
                let _ = end.send("monitor runtime");
                return;
            }
        };
        let early = runtime.block_on(async {
            tokio::select! {
                name = self.supervise() => Some(name),
                _ = stopped => None,
            }
        });
        if let Some(name) = early {
            let _ = end.send(name);
        }
        // A resolver stuck in libc would delay an ordinary drop by seconds.
        runtime.shutdown_background();
    }

    /// Runs every task; returns the name of the first that ends, which none should.
    async fn supervise(self) -> &'static str {
        let Setup {
            options,
            clock,
            build,
            on_beat,
            ..
        } = self.setup;
        let (results, collected) = mpsc::channel(64);
        let mut tasks = Supervised::new();
        let publisher =
            publisher::Publisher::new(self.publish_to, options, self.heartbeat, clock, on_beat);
        tasks.spawn("publisher", publisher.run(collected));
        // The publisher's first beat comes before the checks are built, which may take milliseconds.
        tokio::task::yield_now().await;
        let registry = match build() {
            Ok(registry) => registry,
            Err(error) => {
                tracing::error!(%error, "the checks cannot be built");
                return "checks";
            }
        };
        for (index, entry) in registry.into_entries().into_iter().enumerate() {
            let name = entry.info.name;
            let runner = runner::Runner::new(
                index,
                entry,
                clock,
                results.clone(),
                self.refresh_requests.clone(),
            );
            tasks.spawn(name, runner.run());
        }
        tasks.first_end().await
    }
}
