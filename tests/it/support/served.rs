//! `serve` on a free port with a handler that tests can hold up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use infra_health::peer::Peer;
use infra_health::serve::{Counters, Handler, Limits, ServeReport, Shutdown, Stage, serve};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::raw::{DEADLINE, Raw};

/// More than any socket buffers.
pub(crate) const BIG: usize = 32 << 20;

/// Answers its path; `/hold` waits for a permit, `/big` is [`BIG`] bytes.
#[derive(Clone)]
struct Scripted {
    arrived: Arc<Semaphore>,
    held: Arc<Semaphore>,
    big: Bytes,
}

impl Handler for Scripted {
    type Body = Full<Bytes>;

    async fn call(&self, _peer: &Peer, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let body = match request.uri().path() {
            "/hold" => {
                self.arrived.add_permits(1);
                self.held.acquire().await.unwrap().forget();
                Bytes::from_static(b"held")
            }
            "/big" => self.big.clone(),
            path => Bytes::copy_from_slice(path.as_bytes()),
        };
        Response::new(Full::new(body))
    }
}

/// A running listener.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    shutdown: Shutdown,
    arrived: Arc<Semaphore>,
    held: Arc<Semaphore>,
    running: JoinHandle<ServeReport>,
}

/// Limits that no test reaches by accident.
pub(crate) fn patient() -> Limits {
    let long = Duration::from_hours(1);
    Limits {
        header_timeout: long,
        idle_timeout: long,
        busy_timeout: long,
        shutdown_grace: long,
        max_connections: 100,
    }
}

impl Served {
    pub(crate) async fn start(limits: Limits) -> Served {
        Self::on(
            TcpListener::bind("127.0.0.1:0").await.unwrap(),
            limits,
            Stage::Serving,
        )
    }

    /// Starts at `stage`, for a listener that has had connections before.
    pub(crate) fn on(listener: TcpListener, limits: Limits, stage: Stage) -> Served {
        let address = listener.local_addr().unwrap();
        let (shutdown, drain) = Shutdown::new();
        shutdown.advance(stage);
        let counters = Arc::new(Counters::default());
        let (arrived, held) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let handler = Scripted {
            arrived: Arc::clone(&arrived),
            held: Arc::clone(&held),
            big: vec![b'x'; BIG].into(),
        };
        let running = tokio::spawn(serve(
            listener,
            handler,
            limits,
            drain,
            Arc::clone(&counters),
        ));
        Served {
            address,
            shutdown,
            arrived,
            held,
            running,
        }
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.address).await
    }

    /// A connection whose request the handler holds.
    pub(crate) async fn connect_held(&self) -> Raw {
        let mut raw = self.connect().await;
        raw.send(super::raw::get("/hold")).await;
        timeout(DEADLINE, self.arrived.acquire())
            .await
            .unwrap()
            .unwrap()
            .forget();
        raw
    }

    /// Lets one held request go on.
    pub(crate) fn release(&self) {
        self.held.add_permits(1);
    }

    pub(crate) fn advance(&self, stage: Stage) {
        self.shutdown.advance(stage);
    }

    /// Waits for the end of a shutdown.
    pub(crate) async fn report(self) -> ServeReport {
        timeout(DEADLINE, self.running)
            .await
            .expect("the listener did not end")
            .unwrap()
    }

    /// Shuts down and waits for it.
    pub(crate) async fn end(self) -> ServeReport {
        self.advance(Stage::Closing);
        self.report().await
    }
}
