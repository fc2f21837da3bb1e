//! Names in the environment that look like misspellings of ours.

use super::variables;
use crate::detail::{Detail, Label};

/// What only this service would use. `RUNPOD_` is not here: RunPod sets variables of its own in its pods.
const OUR_PREFIXES: &[&str] = &[
    "API_HEALTH_",
    "CHECK_",
    "FAILURE_RATE_",
    "HEALTH_",
    "JOBS_",
    "JOB_WEBHOOK_",
    "LATENCY_SLO",
    "R2_",
    "RATE_LIMIT_",
    "RUNPOD_CHECK_",
    "RUNPOD_WEBHOOK_",
    "SHUTDOWN_",
];

/// Well-known variables of others that are close to one of ours.
const FOREIGN: &[&str] = &["HTTP_PROXY"];

/// A warning for a name that is not ours, if it looks as if it was meant to be.
pub(super) fn warning(name: &str) -> Option<Detail> {
    let plain = name
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if !plain || name.len() > 64 || FOREIGN.contains(&name) || is_service_link(name) {
        return None;
    }
    let prefixed = OUR_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let (ours, distance) = variables::names()
        .map(|ours| (ours, strsim::osa_distance(name, ours)))
        .min_by_key(|(_, distance)| *distance)?;
    let close = distance <= tolerance(name, prefixed);
    if !close && !prefixed {
        return None;
    }
    let said = Detail::new()
        .label(&Label::new(name.to_owned())?)
        .text(" is not a variable of infra-health");
    Some(if close {
        said.text("; did you mean ").text(ours).text("?")
    } else {
        said
    })
}

/// How many slips still count as the same name. Short names are close to too many others: `HOME` to `HOST`.
fn tolerance(name: &str, prefixed: bool) -> usize {
    match name.len() {
        0..=5 => 0,
        6..=9 => 1,
        length if prefixed => length / 3,
        _ => 2,
    }
}

/// Kubernetes sets these for a service that happens to be called `r2` or `health`.
fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str) -> Option<String> {
        warning(name).map(|detail| detail.to_string())
    }

    #[test]
    fn a_slip_names_the_variable_that_was_meant() {
        for (slip, meant) in [
            ("R2_BUKET", "R2_BUCKET"),
            ("RUNPOD_API_KYE", "RUNPOD_API_KEY"),
            ("RUNPOD_ENDPOINT_IDS", "RUNPOD_ENDPOINT_ID"),
            ("API_KEY", "API_KEYS"),
            ("HEALTH_DETAIL", "HEALTH_DETAILS"),
            ("TRUSTED_PROXYS", "TRUSTED_PROXIES"),
            ("R2_ACCESS_KEY", "R2_ACCESS_KEY_ID"),
            ("JOB_WEBHOOK_SECRETS", "JOB_WEBHOOK_SECRET"),
            ("RUNPOD_WEBHOOK_TOKENS", "RUNPOD_WEBHOOK_TOKEN"),
            ("JOBS_DATABASE", "JOBS_DATABASE_URL"),
            ("LATENCY_SLOS", "LATENCY_SLO"),
            ("SIGNALS_WINDOW", "SIGNAL_WINDOW"),
            ("SIGNAL_AFFECTS_HEALTH", "SIGNALS_AFFECT_HEALTH"),
        ] {
            let sentence =
                format!("{slip} is not a variable of infra-health; did you mean {meant}?");
            assert_eq!(said(slip), Some(sentence));
        }
    }

    #[test]
    fn a_prefix_of_ours_is_enough() {
        assert_eq!(
            said("R2_COLOUR_SCHEME").unwrap(),
            "R2_COLOUR_SCHEME is not a variable of infra-health"
        );
    }

    #[test]
    fn names_of_others_are_left_alone() {
        for name in [
            "HOME",
            "PATH",
            "HOSTNAME",
            "POST",
            "HTTP_PROXY",
            "NO_PROXY",
            "LOGNAME",
            "RUNPOD_POD_ID",
            "JOB_COMPLETION_INDEX",
            "JOB_NAME",
            "DATABASE_URL",
            "RUNPOD_DC_ID",
            "RUNPOD_PUBLIC_IP",
            "R2_SERVICE_HOST",
            "HEALTH_PORT_80_TCP",
            "r2_buket",
            "R2_BUKÉT",
            "CARGO_PKG_NAME",
        ] {
            assert_eq!(said(name), None, "{name}");
        }
        assert_eq!(said(&format!("R2_{}", "A".repeat(90))), None);
    }
}
