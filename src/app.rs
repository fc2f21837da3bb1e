//! The wiring: configuration in, a running service out. The only module that sees all others.

#[cfg(feature = "jobs")]
mod jobs;
mod listeners;
mod sources;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::calls::Calls;
use crate::checks::{self, Parts, client::Client};
use crate::clock::Clock;
use crate::config::{Config, Loaded, Reloader};
use crate::http::endpoints::Webhooks;
use crate::http::{Facts, Front, Setup, options};
use crate::monitor::{self, Monitor};
use crate::serve::{Drain, Shutdown, Stage};
use crate::supervise::Supervised;
#[cfg(target_os = "linux")]
use crate::systemd;
use crate::telemetry::LostLines;
use crate::vitals::{Vitals, sample_lag};

use listeners::{Listeners, Listening};
use sources::Counted;

/// Why the service cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    /// An address is taken or not ours.
    #[error(
        "{variable}: cannot listen on {address}: {source}; accepted: a free address of this machine"
    )]
    Bind {
        /// The variable that names it.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("the monitor's thread cannot be started: {0}")]
    Monitor(io::Error),
    /// Likewise.
    #[cfg(feature = "jobs")]
    #[error("the thread of the job room cannot be started: {0}")]
    Jobs(io::Error),
}

/// A task that must not end has ended.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("internal task ended early: {0}")]
pub struct EndedEarly(pub &'static str);

/// A bound and monitored service, ready to run.
pub struct App {
    config: Config,
    listeners: Listeners,
    front: Front,
    monitor: Monitor,
    shutdown: Shutdown,
    drain: Drain,
    vitals: Arc<Vitals>,
    reloader: Reloader,
    tasks: Supervised,
}

impl App {
    /// Binds the listeners and starts the monitor; call it on the HTTP runtime. `clock` is the checks',
    /// `lost` the log's.
    ///
    /// # Errors
    /// When an address cannot be bound or the monitor's thread cannot be started.
    pub fn start(loaded: Loaded, clock: Clock, lost: LostLines) -> Result<Self, StartError> {
        let Loaded {
            config,
            live,
            reloader,
            ..
        } = loaded;
        let listeners = Listeners::bind(&config)?;
        let vitals = Arc::new(Vitals::new());
        let (shutdown, drain) = Shutdown::new();
        let calls = Calls::default();
        #[cfg(feature = "jobs")]
        let (room, feed) = jobs::start(&config, &live, clock).map_err(StartError::Jobs)?;
        let parts = {
            let (live, vitals) = (live.clone(), Arc::clone(&vitals));
            #[cfg(feature = "jobs")]
            let signals = Some(room.boards());
            move |client| Parts {
                live,
                vitals,
                client,
                #[cfg(feature = "jobs")]
                signals,
            }
        };
        let monitor =
            start_monitor(&config, parts, &vitals, &calls, clock).map_err(StartError::Monitor)?;
        let metrics = sources::metrics(Counted {
            calls,
            listeners: listeners.counters(),
            reload_errors: reloader.reload_errors(),
            lost,
        });
        #[cfg(feature = "jobs")]
        let metrics = {
            let room = room.clone();
            metrics.with(move |out| room.samples(out))
        };
        let front = Front::new(Setup {
            answers: config.answers.clone(),
            limits: config.limits.clone(),
            api_keys: live.api_keys,
            infos: checks::infos(&config),
            monitor: monitor.handle.clone(),
            facts: facts(&drain, &vitals),
            metrics,
            webhooks: Webhooks {
                jobs: config.jobs.takes_webhooks,
                runpod: config.jobs.takes_runpod,
            },
            #[cfg(feature = "jobs")]
            jobs: room,
        });
        #[cfg_attr(
            not(feature = "jobs"),
            expect(unused_mut, reason = "nothing else begins this early")
        )]
        let mut tasks = Supervised::new();
        #[cfg(feature = "jobs")]
        if let Some(feed) = feed {
            let published = monitor.handle.published.clone();
            let window = config.jobs.signals.window;
            tasks.spawn("job signals", jobs::feed(feed, published, window));
        }
        Ok(App {
            config,
            listeners,
            front,
            monitor,
            shutdown,
            drain,
            vitals,
            reloader,
            tasks,
        })
    }

    /// The address of the main listener.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listeners.main.address()
    }

    /// The address of the listener for probes.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn probe_address(&self) -> io::Result<Option<SocketAddr>> {
        let probe = self.listeners.probe.as_ref();
        probe.map(Listening::address).transpose()
    }

    /// The address of the listener for metrics.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        let metrics = self.listeners.metrics.as_ref();
        metrics.map(Listening::address).transpose()
    }

    /// What answers; it knows which refused requests have not been told yet.
    pub fn front(&self) -> Front {
        self.front.clone()
    }

    /// The end that starts a shutdown.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// From now on systemd is told how the service is; call it on the HTTP runtime.
    #[cfg(target_os = "linux")]
    pub fn notify(&mut self, notifier: systemd::Notifier) {
        let infos = checks::infos(&self.config);
        let source = systemd::Source {
            published: self.monitor.handle.published.clone(),
            heartbeat: self.monitor.handle.heartbeat.clone(),
            drain: self.drain.clone(),
            excluded: options(&self.config.answers, &infos).excluded,
        };
        self.tasks.spawn("service manager", notifier.run(source));
    }

    /// Serves until the shutdown is through.
    ///
    /// # Errors
    /// When a task that must not end ends: a service that has lost a part of itself must not go on.
    pub async fn run(self) -> Result<(), EndedEarly> {
        let mut tasks = self.tasks;
        tasks.spawn("lag sampler", sample_lag(self.vitals));
        tasks.spawn("secret reloader", self.reloader.run());
        let front = self.front.clone();
        tasks.spawn("refusal report", async move {
            match front.report_refusals().await {}
        });

        let Listeners {
            main,
            probe,
            metrics,
        } = self.listeners;
        let limits = listeners::limits(&self.config);
        let serve = async |listening: Option<Listening>, front: Front| {
            if let Some(listening) = listening {
                listening.serve(front, limits, self.drain.clone()).await;
            }
        };
        let main = serve(Some(main), self.front.clone());
        let probe = serve(probe, self.front.probes_only());
        let metrics = serve(metrics, self.front.metrics_only());
        let Monitor { ended, .. } = self.monitor;
        tokio::select! {
            _ = async { tokio::join!(main, probe, metrics) } => Ok(()),
            name = tasks.first_end() => Err(EndedEarly(name)),
            name = ended => Err(EndedEarly(name.unwrap_or("monitor"))),
        }
    }
}

fn start_monitor(
    config: &Config,
    parts: impl FnOnce(Client) -> Parts + Send + 'static,
    vitals: &Arc<Vitals>,
    calls: &Calls,
    clock: Clock,
) -> io::Result<Monitor> {
    let infos = checks::infos(config);
    let (for_build, calls) = (config.clone(), calls.clone());
    let sampled = Arc::clone(vitals);
    monitor::start(monitor::Setup {
        options: options(&config.answers, &infos),
        infos,
        clock,
        refresh_gap: config.policy.retry_interval,
        build: move || {
            let client = Client::new(for_build.https_proxy.clone())?.counted_in(calls);
            Ok(checks::registry(&for_build, &parts(client))?)
        },
        on_beat: Box::new(move |_now| sampled.sample_descriptors()),
    })
}

fn facts(drain: &Drain, vitals: &Arc<Vitals>) -> Facts {
    let (is_draining, drain_begun, vitals) = (drain.clone(), drain.clone(), Arc::clone(vitals));
    Facts {
        is_draining: Box::new(move || is_draining.is_draining()),
        drain_begun: Box::new(move || {
            let drain = drain_begun.clone();
            Box::pin(async move { drain.reached(Stage::Draining).await })
        }),
        descriptors_exhausted: Box::new(move || vitals.descriptors_exhausted()),
    }
}
