//! How long it takes to open a connection, attributed to the call that opens it.
//!
//! The pool may finish a connection in a task of its own when another becomes free first; that one belongs
//! to no call and is not counted.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;
use tower::{Layer, Service};

use crate::calls::Phase;

tokio::task_local! {
    static OPENING: Noted;
}

type Noted = Arc<Mutex<Opening>>;

/// What a call spent on opening a connection; nothing when it found one open.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Opening {
    dns: Option<Duration>,
    connect: Option<Duration>,
}

impl Opening {
    /// The phases that ended well.
    pub(super) fn phases(self) -> impl Iterator<Item = (Phase, Duration)> {
        let told = |phase| move |took| (phase, took);
        let dns = self.dns.map(told(Phase::Dns));
        dns.into_iter()
            .chain(self.connect.map(told(Phase::Connect)))
    }

    /// All of it.
    pub(super) fn lasted(self) -> Duration {
        self.connect.unwrap_or_default()
    }
}

/// Runs a call and tells what it spent on opening a connection.
pub(super) async fn timed<T>(call: impl Future<Output = T>) -> (T, Opening) {
    let noted = Noted::default();
    let done = OPENING.scope(Arc::clone(&noted), call).await;
    let opening = *noted.lock().unwrap_or_else(PoisonError::into_inner);
    (done, opening)
}

/// Measures a phase of the call that it is started in.
pub(super) struct Timer {
    phase: Phase,
    began: Instant,
    noted: Option<Noted>,
}

impl Timer {
    /// Starts now; outside of a call it measures nothing.
    pub(super) fn start(phase: Phase) -> Self {
        Timer {
            phase,
            began: Instant::now(),
            noted: OPENING.try_with(Arc::clone).ok(),
        }
    }

    /// The phase has ended well.
    pub(super) fn stop(self) {
        let Some(noted) = self.noted else { return };
        let mut opening = noted.lock().unwrap_or_else(PoisonError::into_inner);
        let took = Some(self.began.elapsed());
        match self.phase {
            Phase::Dns => opening.dns = took,
            Phase::Connect => opening.connect = took,
            Phase::Wait | Phase::Body => {}
        }
    }
}

/// A layer around the connector that measures [`Phase::Connect`].
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeConnect;

impl<S> Layer<S> for TimeConnect {
    type Service = TimedConnect<S>;

    fn layer(&self, inner: S) -> TimedConnect<S> {
        TimedConnect(inner)
    }
}

/// A connector whose work is measured.
#[derive(Debug, Clone)]
pub(super) struct TimedConnect<S>(S);

impl<S, R> Service<R> for TimedConnect<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: R) -> Self::Future {
        let timer = Timer::start(Phase::Connect);
        let connecting = self.0.call(to);
        Box::pin(async move {
            let connected = connecting.await?;
            timer.stop();
            Ok(connected)
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::sleep;

    use super::super::dns::Resolver;
    use super::super::{Client, builder};
    use super::*;
    use crate::calls::Calls;

    const SLOW: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn connecting_is_measured_to_its_end_and_only_if_it_ends_well() {
        let slow = tower::service_fn(async |opens: bool| {
            sleep(SLOW).await;
            opens.then_some(()).ok_or("refused")
        });
        let connect = async |opens| {
            let call = async { TimeConnect.layer(slow).call(opens).await };
            timed(call).await.1
        };
        assert_eq!(connect(true).await.lasted(), SLOW);
        assert_eq!(connect(false).await.phases().count(), 0);
    }

    /// The phases of a call of a host whose name is resolved slowly and whose answer is `answer`, and how
    /// long the call took.
    async fn call(answer: &'static str) -> (Vec<(Phase, Duration)>, Duration) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let upstream = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let lookup = move |_| async move {
            sleep(SLOW).await;
            Ok(vec![address])
        };
        let calls = Calls::default();
        let client = Client {
            http: builder(None)
                .dns_resolver(Resolver(lookup))
                .build()
                .unwrap(),
            calls: calls.clone(),
        };
        let client = client.of("test");
        let url = format!("http://host.test:{}/", address.port());
        let began = Instant::now();
        let get = client.get(
            "read",
            url.parse().unwrap(),
            HeaderMap::new(),
            Duration::from_secs(10),
        );
        get.await.unwrap();
        let took = began.elapsed();
        upstream.await.unwrap();
        let phases = calls.phases().into_iter();
        let phases = phases.map(|(_, phase, total)| (phase, total.sum));
        (phases.collect(), took)
    }

    #[tokio::test]
    async fn the_phases_of_a_call_follow_each_other() {
        let (phases, took) = call("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        let [
            (Phase::Dns, dns),
            (Phase::Connect, connect),
            (Phase::Wait, wait),
            (Phase::Body, body),
        ] = phases[..]
        else {
            panic!("{phases:?}");
        };
        assert!(SLOW <= dns && dns <= connect, "{phases:?}");
        assert!(connect + wait + body <= took, "{phases:?} of {took:?}");
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_phase() {
        let (phases, _) = call("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await;
        let phases: Vec<_> = phases.into_iter().map(|(phase, _)| phase).collect();
        assert_eq!(phases, [Phase::Dns, Phase::Connect, Phase::Wait]);
    }
}
