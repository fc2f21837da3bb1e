//! The wiring: configuration in, a running service out. The only module that sees all others.

mod sources;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use thiserror::Error;
use tokio::net::TcpListener;

use crate::calls::Calls;
use crate::checks::{self, Parts, client::Client};
use crate::clock::Clock;
use crate::config::{Config, Live, Loaded, Reloader};
use crate::http::{Facts, Front, LONGEST_WAIT, Setup, options, refresh_patience};
use crate::monitor::{self, Monitor};
use crate::peer::Peer;
use crate::serve::{
    self, Drain, Handler, Shutdown, Stage, effective_cap, listen, second_cap, serve,
};
use crate::supervise::Supervised;
use crate::telemetry::LostLines;
use crate::vitals::{Vitals, sample_lag};

use sources::{Counted, Listeners};

/// Connections of `PROBE_ADDR`: a kubelet and a few balancers, out of reach of a flood on the main port.
const PROBE_CONNECTIONS: usize = 256;

/// Connections of `METRICS_ADDR`: a few scrapers.
const METRICS_CONNECTIONS: usize = 64;

/// For the body of a refresh, and the answer.
const BUSY_MARGIN: Duration = Duration::from_secs(15);

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
}

/// A task that must not end has ended.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("internal task ended early: {0}")]
pub struct EndedEarly(pub &'static str);

/// A bound and monitored service, ready to run.
pub struct App {
    config: Config,
    listener: TcpListener,
    probe_listener: Option<TcpListener>,
    metrics_listener: Option<TcpListener>,
    counters: Listeners,
    front: Front,
    monitor: Monitor,
    shutdown: Shutdown,
    drain: Drain,
    vitals: Arc<Vitals>,
    reloader: Reloader,
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
        let main = SocketAddr::new(config.server.host, config.server.port);
        let listener = bind("HOST and PORT", main)?;
        let further = |variable, address: Option<SocketAddr>| {
            let listener = address.map(|address| bind(variable, address));
            listener.transpose()
        };
        let probe_listener = further("PROBE_ADDR", config.server.probe_addr)?;
        let metrics_listener = further("METRICS_ADDR", config.server.metrics_addr)?;
        let vitals = Arc::new(Vitals::new());
        let (shutdown, drain) = Shutdown::new();
        let calls = Calls::default();
        let monitor =
            start_monitor(&config, &live, &vitals, &calls, clock).map_err(StartError::Monitor)?;
        let counters = Listeners::of(&config);
        let metrics = sources::metrics(Counted {
            calls,
            listeners: counters.clone(),
            reload_errors: reloader.reload_errors(),
            lost,
        });
        let front = Front::new(Setup {
            answers: config.answers.clone(),
            limits: config.limits.clone(),
            api_keys: live.api_keys,
            infos: checks::infos(&config),
            monitor: monitor.handle.clone(),
            facts: facts(&drain, &vitals),
            metrics,
        });
        Ok(App {
            config,
            listener,
            probe_listener,
            metrics_listener,
            counters,
            front,
            monitor,
            shutdown,
            drain,
            vitals,
            reloader,
        })
    }

    /// The address of the main listener.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address of the listener for probes.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn probe_address(&self) -> io::Result<Option<SocketAddr>> {
        self.probe_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()
    }

    /// The address of the listener for metrics.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn metrics_address(&self) -> io::Result<Option<SocketAddr>> {
        self.metrics_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()
    }

    /// What answers; it knows which refused requests have not been told yet.
    pub fn front(&self) -> Front {
        self.front.clone()
    }

    /// The end that starts a shutdown.
    pub fn shutdown(&self) -> Shutdown {
        self.shutdown.clone()
    }

    /// Serves until the shutdown is through.
    ///
    /// # Errors
    /// When a task that must not end ends: a service that has lost a part of itself must not go on.
    pub async fn run(self) -> Result<(), EndedEarly> {
        let mut tasks = Supervised::new();
        tasks.spawn("lag sampler", sample_lag(self.vitals));
        tasks.spawn("secret reloader", self.reloader.run());
        let front = self.front.clone();
        tasks.spawn("refusal report", async move {
            match front.report_refusals().await {}
        });

        let limits = limits(&self.config);
        let further = further_caps(&self.config);
        let listen = async |listener: Option<TcpListener>, front, max_connections, counters| {
            if let Some(listener) = listener {
                let limits = serve::Limits {
                    max_connections,
                    ..limits
                };
                serve(
                    listener,
                    Served(front),
                    limits,
                    self.drain.clone(),
                    counters,
                )
                .await;
            }
        };
        let Listeners {
            main: of_main,
            probe: of_probe,
            metrics: of_metrics,
        } = self.counters;
        let main = listen(
            Some(self.listener),
            self.front.clone(),
            limits.max_connections,
            of_main,
        );
        let probes = listen(
            self.probe_listener,
            self.front.probes_only(),
            further.probe,
            of_probe.unwrap_or_default(),
        );
        let metrics = listen(
            self.metrics_listener,
            self.front.metrics_only(),
            further.metrics,
            of_metrics.unwrap_or_default(),
        );
        let Monitor { ended, .. } = self.monitor;
        tokio::select! {
            _ = async { tokio::join!(main, probes, metrics) } => Ok(()),
            name = tasks.first_end() => Err(EndedEarly(name)),
            name = ended => Err(EndedEarly(name.unwrap_or("monitor"))),
        }
    }
}

/// Must be called on a runtime.
fn bind(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Bind {
        variable,
        address,
        source,
    })
}

fn start_monitor(
    config: &Config,
    live: &Live,
    vitals: &Arc<Vitals>,
    calls: &Calls,
    clock: Clock,
) -> io::Result<Monitor> {
    let infos = checks::infos(config);
    let (for_build, live, vitals) = (config.clone(), live.clone(), Arc::clone(vitals));
    let calls = calls.clone();
    let sampled = Arc::clone(&vitals);
    monitor::start(monitor::Setup {
        options: options(&config.answers, &infos),
        infos,
        clock,
        refresh_gap: config.policy.retry_interval,
        build: move || {
            let client = Client::new(for_build.https_proxy.clone())?.counted_in(calls);
            Ok(checks::registry(
                &for_build,
                &Parts {
                    live,
                    vitals,
                    client,
                },
            )?)
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

fn limits(config: &Config) -> serve::Limits {
    let server = &config.server;
    let further = further_caps(config);
    let defaults = serve::Limits::default();
    let held = refresh_patience(&checks::infos(config)).max(LONGEST_WAIT);
    let longest = server.header_timeout + held + BUSY_MARGIN;
    serve::Limits {
        header_timeout: server.header_timeout,
        idle_timeout: server.idle_timeout,
        shutdown_grace: server.shutdown_grace,
        busy_timeout: defaults.busy_timeout.max(longest),
        max_connections: effective_cap(server.max_connections, further.probe + further.metrics),
    }
}

/// Connections that further listeners can have; 0 of one that is not asked for.
#[derive(Debug, Clone, Copy)]
struct Further {
    probe: usize,
    metrics: usize,
}

fn further_caps(config: &Config) -> Further {
    let server = &config.server;
    let (probe, metrics) = (server.probe_addr.is_some(), server.metrics_addr.is_some());
    let listeners = usize::from(probe) + usize::from(metrics);
    let cap = |wanted, asked| {
        if asked {
            second_cap(wanted, listeners)
        } else {
            0
        }
    };
    Further {
        probe: cap(PROBE_CONNECTIONS, probe),
        metrics: cap(METRICS_CONNECTIONS, metrics),
    }
}

/// The front behind a socket.
#[derive(Clone)]
struct Served(Front);

impl Handler for Served {
    type Body = Full<Bytes>;

    fn call(
        &self,
        peer: &Peer,
        request: ::http::Request<Incoming>,
    ) -> impl Future<Output = ::http::Response<Full<Bytes>>> + Send {
        self.0.handle(peer, request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    #[test]
    fn no_refresh_outlasts_its_connection() {
        for (timeout, expected) in [("5s", 120), ("10m", 5 + 601 + 15)] {
            let pairs = [("CHECK_INTERVAL", "10m"), ("CHECK_TIMEOUT", timeout)];
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let config = load(pairs, checks::NAMES).unwrap().config;
            assert_eq!(limits(&config).busy_timeout.as_secs(), expected);
        }
    }
}
