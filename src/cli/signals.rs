//! What the job signals do under a configuration, for `infra-health config`.

use std::fmt::{self, Write};

use super::config::span;
use crate::config::{Loaded, Setup};

/// The section on the job signals.
pub(super) fn write(out: &mut String, loaded: &Loaded) -> fmt::Result {
    let jobs = &loaded.config.jobs;
    let signals = &jobs.signals;
    let webhooks = jobs.takes_webhooks || jobs.takes_runpod;
    let runpod = matches!(&*loaded.live.runpod.get(), Setup::Ready(_));
    let window = span(signals.window);

    writeln!(out, "\nSIGNALS (of jobs that ended within {window})")?;
    writeln!(out, "job_failure_rate")?;
    let threshold = percent(signals.failure_baseline + signals.failure_budget);
    writeln!(out, "  fires when more than {threshold} % of them failed")?;
    let basis = match (webhooks, runpod) {
        (true, _) => "webhooks",
        (false, true) => "the counters of RunPod's endpoints",
        (false, false) => {
            "nothing: no webhook is configured, and RunPod's configuration is missing or malformed"
        }
    };
    writeln!(out, "  from {basis}")?;

    writeln!(out, "processing_latency_p95")?;
    write!(
        out,
        "  fires when p95 is over its SLO for {window}: {}",
        span(signals.latency_slo)
    )?;
    for (model, slo) in &signals.latency_slo_by_model {
        write!(out, ", {model} {}", span(*slo))?;
    }
    let basis = if webhooks {
        "webhooks"
    } else {
        "nothing: no webhook is configured"
    };
    writeln!(out, "\n  from {basis}")?;

    let affected = if signals.affect_health {
        "/health counts them as the check job_signals"
    } else {
        "/health does not look at them"
    };
    writeln!(
        out,
        "neither says anything below {} jobs; {affected}",
        signals.min_samples
    )
}

/// With two decimals at most.
fn percent(share: f64) -> f64 {
    (share * 10_000.0).round() / 100.0
}
