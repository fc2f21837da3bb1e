//! `/livez` and `/readyz`.

use std::sync::LazyLock;

use bytes::Bytes;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::health::to_text;
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
    fn reason(self) -> Why {
        match self {
            NotReady::Starting => Why::Starting,
            NotReady::Draining => Why::Draining,
            NotReady::MonitorStalled => Why::MonitorStalled,
            NotReady::DescriptorsExhausted => Why::DescriptorsExhausted,
            NotReady::RequiredCheck(_) => Why::CheckFailed,
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

/// The machine word for why a replica should get no traffic.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = NotReadyReason)]
enum Why {
    /// The first round of checks has not ended.
    Starting,
    /// Shutting down.
    Draining,
    /// The monitor shows no sign of life.
    MonitorStalled,
    /// Too few descriptors are left.
    DescriptorsExhausted,
    /// A check that readiness depends on is false.
    CheckFailed,
}

/// What a 503 of `/livez` and `/readyz` has besides `error`.
#[derive(Serialize, ToSchema)]
#[schema(as = NotReady)]
pub(super) struct NotReadyBody {
    /// Why this replica should get no traffic.
    reason: Why,
}

/// All is well.
#[derive(Serialize, ToSchema)]
#[schema(as = Ready)]
pub(super) struct ReadyBody {
    status: Fine,
}

/// The only word.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ReadyStatus)]
enum Fine {
    Ok,
}

/// Rendered once and for all: it is asked for often.
static OK: LazyLock<Bytes> =
    LazyLock::new(|| to_text(&ReadyBody { status: Fine::Ok }, "{}").into());

/// 200 of `/livez` and `/readyz`.
pub fn ready() -> Answer {
    Answer::json(StatusCode::OK, Body::Whole(OK.clone()))
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
    let body = NotReadyBody {
        reason: why.reason(),
    };
    let also = to_text(&body, "{}");
    let body = error_body("not_ready", &why.message(), Some(&also));
    Answer::json(StatusCode::SERVICE_UNAVAILABLE, body)
}
