//! The sockets to listen on: one for everything, and those that are asked for besides.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::StartError;
use crate::checks;
use crate::config::Config;
use crate::http::{Front, LONGEST_WAIT, refresh_patience};
use crate::peer::Peer;
use crate::serve::{Counters, Drain, Handler, Limits, effective_cap, listen, second_cap, serve};

/// Connections of `PROBE_ADDR`: a kubelet and a few balancers, out of reach of a flood on the main port.
const PROBE_CONNECTIONS: usize = 256;

/// Connections of `METRICS_ADDR`: a few scrapers.
const METRICS_CONNECTIONS: usize = 64;

/// For the body of a refresh, and the answer.
const BUSY_MARGIN: Duration = Duration::from_secs(15);

/// All of them, bound.
pub(super) struct Listeners {
    pub(super) main: Listening,
    pub(super) probe: Option<Listening>,
    pub(super) metrics: Option<Listening>,
}

impl Listeners {
    /// Must be called on a runtime.
    pub(super) fn bind(config: &Config) -> Result<Self, StartError> {
        let server = &config.server;
        let address = SocketAddr::new(server.host, server.port);
        let main = bind("HOST and PORT", address)?;
        let asked =
            usize::from(server.probe_addr.is_some()) + usize::from(server.metrics_addr.is_some());
        let further = |variable, address: Option<SocketAddr>, wanted| {
            let bound = address.map(|address| bind(variable, address)).transpose()?;
            Ok(bound.map(|socket| Listening::new(socket, second_cap(wanted, asked))))
        };
        let probe = further("PROBE_ADDR", server.probe_addr, PROBE_CONNECTIONS)?;
        let metrics = further("METRICS_ADDR", server.metrics_addr, METRICS_CONNECTIONS)?;
        let others = [&probe, &metrics].into_iter().flatten();
        let others = others.map(|listening| listening.max_connections).sum();
        let most = effective_cap(server.max_connections, others);
        Ok(Listeners {
            main: Listening::new(main, most),
            probe,
            metrics,
        })
    }

    /// Their names and what they count.
    pub(super) fn counters(&self) -> Vec<(&'static str, Arc<Counters>)> {
        let all = [
            ("main", Some(&self.main)),
            ("probe", self.probe.as_ref()),
            ("metrics", self.metrics.as_ref()),
        ];
        let counters = |(name, listening): (_, Option<&Listening>)| {
            Some((name, Arc::clone(&listening?.counters)))
        };
        all.into_iter().filter_map(counters).collect()
    }
}

fn bind(variable: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    listen(address).map_err(|source| StartError::Bind {
        variable,
        address,
        source,
    })
}

/// One of them.
pub(super) struct Listening {
    socket: TcpListener,
    max_connections: usize,
    counters: Arc<Counters>,
}

impl Listening {
    fn new(socket: TcpListener, max_connections: usize) -> Self {
        Listening {
            socket,
            max_connections,
            counters: Arc::default(),
        }
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the shutdown is through. `limits` but for the number of connections, which is its own.
    pub(super) async fn serve(self, front: Front, limits: Limits, drain: Drain) {
        let limits = Limits {
            max_connections: self.max_connections,
            ..limits
        };
        serve(self.socket, Served(front), limits, drain, self.counters).await;
    }
}

/// The time limits of all of them.
pub(super) fn limits(config: &Config) -> Limits {
    let server = &config.server;
    let defaults = Limits::default();
    let held = refresh_patience(&checks::infos(config)).max(LONGEST_WAIT);
    let longest = server.header_timeout + held + BUSY_MARGIN;
    Limits {
        header_timeout: server.header_timeout,
        idle_timeout: server.idle_timeout,
        shutdown_grace: server.shutdown_grace,
        busy_timeout: defaults.busy_timeout.max(longest),
        ..defaults
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
