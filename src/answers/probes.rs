//! `/livez` and `/readyz`.

use bytes::Bytes;
use http::StatusCode;

use super::{Answer, Body, error_body};

/// Why this replica should get no traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotReady {
    /// The first round of checks has not ended.
    Starting,
    /// Shutting down.
    Draining,
    /// The monitor shows no sign of life.
    MonitorStalled,
    /// Too few descriptors are left for new connections.
    DescriptorsExhausted,
    /// This check, named in `READY_REQUIRES`, is false.
    RequiredCheck(&'static str),
}

impl NotReady {
    fn reason(self) -> &'static str {
        match self {
            NotReady::Starting => "starting",
            NotReady::Draining => "draining",
            NotReady::MonitorStalled => "monitor_stalled",
            NotReady::DescriptorsExhausted => "descriptors_exhausted",
            NotReady::RequiredCheck(_) => "check_failed",
        }
    }

    fn message(self) -> String {
        match self {
            NotReady::Starting => "the first round of checks has not ended".to_owned(),
            NotReady::Draining => "shutting down; send traffic elsewhere".to_owned(),
            NotReady::MonitorStalled => {
                "the monitor shows no sign of life; restart the process".to_owned()
            }
            NotReady::DescriptorsExhausted => {
                "too few file descriptors are left; raise the limit or lower MAX_CONNECTIONS"
                    .to_owned()
            }
            NotReady::RequiredCheck(name) => {
                format!("{name} is failing and READY_REQUIRES names it")
            }
        }
    }
}

const OK: &[u8] = br#"{"status":"ok"}"#;

/// 200 of `/livez` and `/readyz`.
pub fn ready() -> Answer {
    Answer::json(StatusCode::OK, Body::Whole(Bytes::from_static(OK)))
}

/// `/livez`.
pub fn live(alive: bool) -> Answer {
    if alive {
        ready()
    } else {
        not_ready(NotReady::MonitorStalled)
    }
}

/// 503 of `/readyz`.
pub fn not_ready(why: NotReady) -> Answer {
    let also = format!(r#"{{"reason":"{}"}}"#, why.reason());
    let body = error_body("not_ready", &why.message(), Some(&also));
    Answer::json(StatusCode::SERVICE_UNAVAILABLE, body)
}
