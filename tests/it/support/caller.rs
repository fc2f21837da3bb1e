//! A client of the service: one connection a request, answers read as JSON, polling with a deadline.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::raw::{Answer, DEADLINE, Raw};

/// An operator key of the services under test.
pub(crate) const KEY: &str = "operator-key-0123456789";

/// Between two polls.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks the service at one address.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller(pub(crate) SocketAddr);

/// A request's head without a body.
pub(crate) fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> String {
    let fields: String = headers
        .iter()
        .flat_map(|(name, value)| [name, ": ", value, "\r\n"])
        .collect();
    format!("{method} {target} HTTP/1.1\r\nhost: test\r\n{fields}\r\n")
}

impl Caller {
    /// Sends one request; the service must answer it.
    pub(crate) async fn ask(self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut raw = Raw::connect(self.0).await;
        raw.send(head(method, target, headers)).await;
        raw.answer().await.expect("no answer")
    }

    pub(crate) async fn get(self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    /// `GET` with [`KEY`].
    pub(crate) async fn get_as_operator(self, target: &str) -> Answer {
        self.ask("GET", target, &[("x-api-key", KEY)]).await
    }

    /// Polls `target` with [`KEY`] until its answer is as wanted; returns that answer.
    pub(crate) async fn until(self, target: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let began = Instant::now();
        loop {
            let answer = self.get_as_operator(target).await;
            if wanted(&answer) {
                return answer;
            }
            assert!(began.elapsed() < DEADLINE, "{target} stays {answer}");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Polls `/health` until its `status` is this one.
    pub(crate) async fn until_status(self, status: &str) -> Value {
        let answer = self.until("/health", |answer| answer.json()["status"] == status);
        answer.await.json()
    }

    /// Polls the details until `check` gives this reason; returns its details.
    pub(crate) async fn until_reason(self, check: &str, reason: &str) -> Value {
        let given = |answer: &Answer| answer.json()["details"][check]["reason"] == reason;
        let answer = self.until("/health?verbose", given).await;
        answer.json()["details"][check].clone()
    }
}

/// Polls anything else until it holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < DEADLINE, "{what}: never");
        tokio::time::sleep(PAUSE).await;
    }
}

/// The booleans of `api`, `runpod_configured` and `r2_configured` in a body of `/health`; there may be more.
pub(crate) fn three_checks(body: &serde_json::Value) -> [bool; 3] {
    ["api", "runpod_configured", "r2_configured"]
        .map(|name| body["checks"][name].as_bool().unwrap())
}
