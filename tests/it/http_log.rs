//! The log lines of requests.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock, Mutex};

#[cfg(feature = "jobs")]
use infra_health::http::endpoints::Webhooks;
use serde_json::Value;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

use crate::support::service::Mode::{Fail, Pass};
use crate::support::service::{CANARY, KEY, Service};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes the lines of this thread, on which these tests' requests are answered.
    fn start() -> (Log, DefaultGuard) {
        // While there is but one subscriber, whichever thread comes to a line first is asked whether anybody wants it,
        // and its answer holds for all threads; the other tests' have none.
        static SECOND: LazyLock<Dispatch> = LazyLock::new(|| {
            let nowhere = tracing_subscriber::fmt().with_writer(std::io::sink);
            Dispatch::new(nowhere.with_max_level(tracing::Level::DEBUG).finish())
        });
        LazyLock::force(&SECOND);
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(move || writer.clone())
            .finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// The lines since the last call.
    fn take(&self) -> Vec<Value> {
        let text = self.text();
        self.0.lock().unwrap().clear();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

#[tokio::test]
async fn a_line_tells_who_asked_what_and_how_it_ended() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    let (log, _guard) = Log::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [
        ("x-api-key", KEY),
        ("x-request-id", "mine"),
        ("traceparent", trace),
    ];
    for (path, route, level, code) in [
        ("/health", "/health", "DEBUG", Value::Null),
        (
            "/health/api?verbose",
            "/health/{check}",
            "DEBUG",
            Value::Null,
        ),
        (
            "/health/runpod_configured",
            "/health/{check}",
            "INFO",
            "check_failed".into(),
        ),
        (
            "/health?verbose=x",
            "/health",
            "INFO",
            "invalid_request".into(),
        ),
        ("/secret-in-a-path", "unmatched", "INFO", "not_found".into()),
    ] {
        service.ask("GET", path, &headers).await;
        let lines = log.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = &lines[0];
        assert_eq!(line["level"], level, "{path}");
        assert_eq!(line["route"], route);
        assert_eq!(line["code"], code);
        assert_eq!(line["request_id"], "mine");
        assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(line["span_id"], "b7ad6b7169203331");
        assert_eq!(line["method"], "GET");
        assert_eq!(line["client"], "192.0.2.1");
        assert!(line["duration_ms"].is_number());
        if route != "unmatched" {
            assert_eq!(line["key"].as_str().map(str::len), Some(8));
        }
        let text = line.to_string();
        assert!(!text.contains(KEY) && !text.contains("secret-in"), "{text}");
    }
}

#[tokio::test]
async fn refused_requests_are_counted_into_one_line() {
    let service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 3;
    })
    .settled()
    .await;
    let (log, _guard) = Log::start();
    for _ in 0..5 {
        service.ask("POST", "/health/refresh", &[]).await;
    }
    let wrong = [("x-api-key", "a-wrong-operator-key")];
    service.ask("GET", "/health", &wrong).await;
    assert_eq!(log.text(), "");
    service.front.flush_refusals();
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["missing_api_key"], 3);
    assert_eq!(lines[0]["invalid_api_key"], 1);
    assert_eq!(lines[0]["invalid_signature"], 0);
    assert_eq!(lines[0]["rate_limited"], 2);
    assert_eq!(lines[0]["client"], "192.0.2.1");
    service.front.flush_refusals();
    assert_eq!(log.text(), "", "nothing new, no line");
}

#[tokio::test]
async fn a_panic_is_one_error_line_without_its_payload() {
    let service = Service::start([Pass; 3]).settled().await;
    service.switches.panics.store(true, Ordering::SeqCst);
    // The service's hook, in a process whose other tests want to see why they fail.
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !infra_health::panics::leave(info) {
            previous(info);
        }
    }));
    let (log, _guard) = Log::start();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for path in ["/readyz", "/readyz?x"] {
        let reply = service.ask("GET", path, &[("traceparent", trace)]).await;
        assert!(!log.text().contains(CANARY), "{}", log.text());
        let lines = log.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["level"], "ERROR");
        assert_eq!(lines[0]["code"], "internal_error");
        let cause = lines[0]["cause"].as_str().unwrap();
        let place = "a handler panicked at tests/it/support/service.rs:";
        assert!(cause.starts_with(place), "{cause}");
        assert_eq!(lines[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(lines[0]["span_id"], "b7ad6b7169203331");
        assert_eq!(
            lines[0]["request_id"].as_str(),
            reply.header("x-request-id")
        );
    }
}

#[cfg(feature = "jobs")]
#[tokio::test]
async fn a_token_in_a_path_is_in_no_line_and_the_cause_of_a_503_is_in_one() {
    let service = Service::configured([Pass; 3], |with| with.webhooks = Webhooks::ALL)
        .settled()
        .await;
    let (log, _guard) = Log::start();
    let path = "/webhooks/runpod/a-token-that-nobody-may-ever-see-0001";
    let json = [("content-type", "application/json")];
    let job = r#"{"id":"r-1","status":"COMPLETED"}"#;
    for (method, body, level, code) in [
        ("POST", job, "ERROR", "unavailable"),
        ("GET", "", "INFO", "method_not_allowed"),
    ] {
        service.send(method, path, &json, body).await;
        let lines = log.take();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["level"], level);
        assert_eq!(lines[0]["code"], code);
        assert_eq!(lines[0]["route"], "/webhooks/runpod/{token}");
        let has_cause = lines[0]["cause"] == "the job store is not open";
        assert_eq!(has_cause, code == "unavailable");
        assert!(!lines[0].to_string().contains("nobody"), "{}", lines[0]);
    }
}
