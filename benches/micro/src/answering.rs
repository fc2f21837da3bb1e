//! The answering side without sockets: from a parsed request to a response.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Request, Response, StatusCode};
use http_body_util::{Empty, Full};
use infra_health::app::App;
use infra_health::clock::Clock;
use infra_health::config::Loaded;
use infra_health::http::Front;
use infra_health::peer::Peer;
use infra_health::telemetry::LostLines;

use crate::Error;

/// Longest wait for the first round of checks.
const PATIENCE: Duration = Duration::from_secs(10);

/// The service without anybody who could reach it.
pub struct Answering {
    front: Front,
    peer: Peer,
    /// The monitor ends with it.
    _app: App,
}

impl Answering {
    /// Starts it, and waits until its checks have run. Some answers set timers: whoever asks does so on a runtime.
    ///
    /// # Errors
    /// When they do not run within 10 s.
    pub fn start(loaded: Loaded) -> Result<Self, Error> {
        let app = App::start(loaded, Clock::default(), LostLines::default())?;
        let answering = Answering {
            front: app.front(),
            peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 50_000)).into(),
            _app: app,
        };
        let deadline = Instant::now() + PATIENCE;
        while answering.answer(get("/readyz", None)?)?.status() != StatusCode::OK {
            if Instant::now() > deadline {
                return Err("the first round of checks does not end".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(answering)
    }

    /// Answers a request that needs to wait for nothing.
    ///
    /// # Errors
    /// When it does wait.
    pub fn answer(&self, request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Error> {
        let answer = self.front.handle(&self.peer, request).now_or_never();
        answer.ok_or_else(|| "an answer waits for something".into())
    }
}

/// A request as monitors send it.
pub fn get(path: &str, key: Option<&str>) -> Result<Request<Empty<Bytes>>, Error> {
    let mut request = Request::get(path)
        .header("host", "127.0.0.1")
        .header("user-agent", "bench")
        .header("accept", "*/*");
    if let Some(key) = key {
        request = request.header("x-api-key", key);
    }
    Ok(request.body(Empty::new())?)
}

/// # Errors
/// When the answer is another one than was to be measured.
pub fn must_be(response: &Response<Full<Bytes>>, status: u16) -> Result<(), Error> {
    match response.status().as_u16() {
        same if same == status => Ok(()),
        other => Err(format!("answered {other} instead of {status}").into()),
    }
}
