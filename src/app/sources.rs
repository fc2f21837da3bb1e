//! What `/metrics` shows besides the checks and the requests: who counts it, and under which name.

use std::sync::Arc;

use crate::calls::Calls;
use crate::config::ReloadErrors;
use crate::metrics::families::{
    BUILD_INFO, CONNECTIONS, CONNECTIONS_ACCEPTED, CONNECTIONS_ENDED, LOG_LINES_DROPPED,
    SECRET_RELOAD_ERRORS,
};
use crate::metrics::{Metrics, of_calls, of_process};
use crate::sample::Sample;
use crate::serve::{Cause, Counters};
use crate::telemetry::LostLines;

/// The commit that this was built from; the image's build says.
const COMMIT: &str = match option_env!("INFRA_HEALTH_COMMIT") {
    Some(commit) => commit,
    None => "unknown",
};

fn of_listener(name: &'static str, counters: &Counters, out: &mut Vec<Sample>) {
    let report = counters.report();
    out.push(CONNECTIONS.sample([name.into()], counters.open()));
    out.push(CONNECTIONS_ACCEPTED.sample([name.into()], report.accepted));
    for cause in Cause::ALL {
        let labels = [name.into(), cause.as_str().into()];
        out.push(CONNECTIONS_ENDED.sample(labels, report.count(cause)));
    }
}

/// Who counts.
pub(super) struct Counted {
    pub(super) calls: Calls,
    pub(super) listeners: Vec<(&'static str, Arc<Counters>)>,
    pub(super) reload_errors: ReloadErrors,
    pub(super) lost: LostLines,
}

/// All of it for the page.
pub(super) fn metrics(counted: Counted) -> Metrics {
    let Counted {
        calls,
        listeners,
        reload_errors,
        lost,
    } = counted;
    Metrics::default()
        .with(move |out| of_calls(&calls, out))
        .with(move |out| {
            for (name, counters) in &listeners {
                of_listener(name, counters, out);
            }
        })
        .with(move |out| {
            let lost = u64::try_from(lost.count()).unwrap_or(u64::MAX);
            out.push(SECRET_RELOAD_ERRORS.sample([], reload_errors.count()));
            out.push(LOG_LINES_DROPPED.sample([], lost));
            let build = [env!("CARGO_PKG_VERSION").into(), COMMIT.into()];
            out.push(BUILD_INFO.sample(build, true));
        })
        .with(of_process)
}
