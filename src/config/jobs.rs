//! The job room's own values.

use std::time::Duration;

use super::job_types::{JobWebhooks, Jobs};
use super::raw::RawJobs;
use super::secret_source::Given;
use super::signals;
use super::types::Problem;
use super::values::{self, Fault, Parsed, Reader};
use crate::detail::Detail;

const SIZE: &str = "a whole number with a unit from 1MiB to 16TiB, such as 512MiB or 1GiB";
const RETENTION: &str = "a longer time, such as 90d";
const MIB: u64 = 1 << 20;
const DAY: Duration = Duration::from_hours(24);
/// How far a sender's clock may be ahead. A delivery that comes again within its age must still be known.
const MOST_AHEAD: Duration = Duration::from_mins(5);

/// The room's settings; `webhooks` as far as they are known.
pub(super) fn jobs(
    raw: &RawJobs,
    affect_health: Option<bool>,
    webhooks: Option<&JobWebhooks>,
    reader: &mut Reader,
) -> Option<Jobs> {
    let max_age = reader.value(
        "JOB_WEBHOOK_MAX_AGE",
        raw.job_webhook_max_age.as_ref(),
        |text| {
            let range = Duration::from_secs(1)..=30 * DAY;
            let accepted = "a number with a unit from 1s to 30d, such as 24h";
            values::duration(text, &range, accepted)
        },
    );
    let retention = reader.value("JOBS_RETENTION", raw.jobs_retention.as_ref(), |text| {
        let range = Duration::from_secs(1)..=3650 * DAY;
        let accepted = "a number with a unit up to 3650d, such as 90d";
        values::duration(text, &range, accepted)
    });
    let max_bytes = reader.value("JOBS_MAX_BYTES", raw.jobs_max_bytes.as_ref(), size);
    let signals = signals::signals(raw, affect_health, reader);
    let (max_age, retention) = (max_age?, retention?);
    let mut too_short = |wrong| reader.note(Fault::new(wrong, RETENTION).of("JOBS_RETENTION"));
    if retention <= max_age + MOST_AHEAD {
        too_short("is not longer than JOB_WEBHOOK_MAX_AGE + 5m");
    }
    let signals = signals?;
    if retention < signals.window {
        too_short("is shorter than SIGNAL_WINDOW");
    }
    Some(Jobs {
        takes_webhooks: webhooks.is_some_and(|webhooks| !webhooks.secrets.is_empty()),
        takes_runpod: webhooks.is_some_and(|webhooks| !webhooks.runpod_tokens.is_empty()),
        max_age,
        retention,
        max_bytes: max_bytes?,
        signals,
    })
}

/// What is set for the room, in a build without it.
pub(super) fn unbuilt(webhooks: &[Given], affect_health: Option<bool>) -> Vec<Problem> {
    const ACCEPTED: &str = "a build with it, or nothing";
    let problem = |variable, wrong| Fault::new(wrong, ACCEPTED).of(variable);
    let mut problems: Vec<_> = webhooks
        .iter()
        .filter(|given| !matches!(given.text, Ok(None)))
        .map(|given| {
            problem(
                given.blamed,
                "is set, and this build is without the feature jobs",
            )
        })
        .collect();
    if affect_health == Some(true) {
        let wrong = "is true, and this build is without the feature jobs";
        problems.push(problem("SIGNALS_AFFECT_HEALTH", wrong));
    }
    problems
}

/// What may be right and is worth a word.
pub(super) fn lints(raw: &RawJobs, jobs: &Jobs, runpod_is_missing: bool) -> Vec<Detail> {
    let mut lints = Vec::new();
    if !jobs.takes_webhooks && !jobs.takes_runpod {
        // Not JOBS_DATABASE_URL, which a deployment may set for all. The failure rate can come from
        // RunPod's counters, so its values and the window do something even so.
        let idle: Vec<_> = [
            ("JOB_WEBHOOK_MAX_AGE", &raw.job_webhook_max_age),
            ("JOBS_RETENTION", &raw.jobs_retention),
            ("JOBS_MAX_BYTES", &raw.jobs_max_bytes),
            ("LATENCY_SLO", &raw.latency_slo),
        ]
        .into_iter()
        .filter_map(|(variable, raw)| raw.as_ref().map(|_| variable))
        .collect();
        if !idle.is_empty() {
            lints.push(
                Detail::new()
                    .text("neither JOB_WEBHOOK_SECRET nor RUNPOD_WEBHOOK_TOKEN is set, and so nothing looks at ")
                    .list(idle),
            );
        }
        if jobs.signals.affect_health && runpod_is_missing {
            lints.push(Detail::new().text(
                "SIGNALS_AFFECT_HEALTH is true while neither a webhook nor RunPod is configured: there is no data to judge",
            ));
        }
    } else if !jobs.takes_webhooks && raw.job_webhook_max_age.is_some() {
        lints.push(Detail::new().text(
            "JOB_WEBHOOK_SECRET is not set, and so nothing looks at JOB_WEBHOOK_MAX_AGE: RunPod's webhook has no timestamp",
        ));
    }
    lints
}

fn size(text: &str) -> Parsed<u64> {
    let units = [
        ("MB", 1_000_000),
        ("MiB", MIB),
        ("GB", 1_000_000_000),
        ("GiB", MIB << 10),
        ("TB", 1_000_000_000_000),
        ("TiB", MIB << 20),
    ];
    let fault = |wrong| Err(Fault::new(wrong, SIZE));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if unit.is_empty() {
        return fault("has no unit");
    }
    let unit = values::word(unit.trim_start(), &units, SIZE);
    let (false, Ok(unit)) = (number.is_empty(), unit) else {
        return fault("is not a size");
    };
    match number.parse::<u64>().ok().and_then(|n| n.checked_mul(unit)) {
        Some(bytes) if bytes < MIB => fault("is too small"),
        Some(bytes) if bytes <= MIB << 24 => Ok(bytes),
        _ => fault("is too large"),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;
    use crate::config::secret_source::Source;

    #[test]
    fn a_build_without_the_room_refuses_what_is_set_for_it() {
        let secret = SecretString::from("0123456789-secret");
        let file = "/nonexistent".to_owned();
        let given = [
            Source::new("JOB_WEBHOOK_SECRET", Some(&secret), None).read(),
            Source::new("RUNPOD_WEBHOOK_TOKEN", None, Some(&file)).read(),
        ];
        let said: Vec<_> = unbuilt(&given, Some(true))
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "JOB_WEBHOOK_SECRET is set, and this build is without the feature jobs; accepted: a build with it, or nothing",
                "RUNPOD_WEBHOOK_TOKEN_FILE is set, and this build is without the feature jobs; accepted: a build with it, or nothing",
                "SIGNALS_AFFECT_HEALTH is true, and this build is without the feature jobs; accepted: a build with it, or nothing",
            ]
        );
        let none = [Source::new("JOB_WEBHOOK_SECRET", None, None).read()];
        assert_eq!(unbuilt(&none, Some(false)), []);
        assert_eq!(unbuilt(&none, None), []);
    }
}
