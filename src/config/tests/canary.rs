//! No value of a secret, and no malformed value of any variable, is ever shown.

use super::{Loaded, Problems, good, good_but, resolve};
use crate::cli::config::{render, render_problems};
use crate::config::VARIABLES;

const CANARY: &str = "c4n4ry";

/// Everything that a configuration can be made to say.
fn said(loaded: &Result<Loaded, Problems>) -> String {
    match loaded {
        Ok(loaded) => {
            let checks: Vec<_> = loaded
                .check_problems
                .iter()
                .map(ToString::to_string)
                .collect();
            format!("{loaded:?} {loaded:#?} {checks:?} {}", render(loaded))
        }
        Err(problems) => format!("{problems:?} {problems} {}", render_problems(problems)),
    }
}

#[test]
fn no_malformed_value_is_shown() {
    let junk = [
        format!("\"{CANARY}\" %"),
        format!("Bearer {CANARY}\n,,"),
        format!("https://{CANARY}:{CANARY}@{CANARY}/{CANARY}?{CANARY}#{CANARY}"),
        format!("{CANARY}={CANARY}=/{CANARY}"),
        format!("{CANARY}\u{fffd}"),
    ];
    for value in junk {
        let all = VARIABLES
            .iter()
            .map(|variable| (variable.name, value.clone()));
        let text = said(&resolve(all));
        assert!(!text.contains(CANARY), "{value:?}: {text}");
        for variable in VARIABLES {
            let text = said(&resolve([(variable.name, value.clone())]));
            assert!(
                !text.contains(CANARY),
                "{}={value:?}: {text}",
                variable.name
            );
        }
    }
}

#[test]
fn no_good_secret_is_shown() {
    let long = "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry32";
    let loaded = resolve(good_but(&[
        ("RUNPOD_API_KEY", "rpa_c4n4ry"),
        ("R2_ACCESS_KEY_ID", long),
        ("R2_SECRET_ACCESS_KEY", long),
        ("R2_SESSION_TOKEN", long),
        ("API_KEYS", long),
        ("HTTPS_PROXY", "http://c4n4ry:c4n4ry@proxy.example.com:3128"),
    ]));
    assert!(
        loaded
            .as_ref()
            .is_ok_and(|loaded| loaded.check_problems.is_empty())
    );
    let text = said(&loaded);
    assert!(!text.contains(CANARY), "{text}");
}

/// Every secret in place of, and in exchange for, every variable that is shown.
#[test]
fn no_secret_in_the_wrong_variable_is_shown() {
    let secrets = [
        ("RUNPOD_API_KEY", "rpa_c4n4ry0123456789ABCDEFGHJKLMNPQRSTUV"),
        ("RUNPOD_API_KEY", "c4n4ryshort"),
        ("R2_ACCESS_KEY_ID", "c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4"),
        (
            "R2_SECRET_ACCESS_KEY",
            "c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4c4a4",
        ),
        ("R2_SESSION_TOKEN", "c4n4ry-session-token"),
        ("API_KEYS", "c4n4ry-operator-key"),
        ("JOB_WEBHOOK_SECRET", "c4n4ry-webhook-secret"),
        (
            "RUNPOD_WEBHOOK_TOKEN",
            "c4n4ry-0123456789-ABCDEFGHJKLMNPQRSTUV",
        ),
        (
            "JOBS_DATABASE_URL",
            "postgres://c4n4ry:c4n4ry@localhost/c4n4ry",
        ),
    ];
    let shown = || VARIABLES.iter().filter(|variable| !variable.secret());
    for (secret, value) in secrets {
        for variable in shown() {
            let text = said(&resolve(good_but(&[
                (secret, value),
                (variable.name, value),
            ])));
            let found = text
                .to_ascii_lowercase()
                .contains(&value.to_ascii_lowercase());
            assert!(!found, "{secret} also in {}: {text}", variable.name);
        }
    }
    // Those that their form tells from every name.
    for (secret, value) in [secrets[0], secrets[3]] {
        for variable in shown() {
            let pairs = good();
            let old = pairs.iter().find(|(name, _)| *name == variable.name);
            let swapped = [
                (secret, old.map_or("", |(_, value)| value)),
                (variable.name, value),
            ];
            let text = said(&resolve(good_but(&swapped)));
            assert!(!text.contains(value), "{swapped:?}: {text}");
        }
    }
}

#[test]
fn the_report_shows_values_sources_cost_and_speed() {
    let loaded = resolve(good()).unwrap();
    let report = render(&loaded);
    let checks = &report[report.find("CHECKS").unwrap()..];
    let checks = checks.split("\n\nSIGNALS").next().unwrap();
    insta::assert_snapshot!(checks, @r"
    CHECKS (for each replica; a month has 30 days)
    api
      pace: every 30s, timeout 5s, retry 5s; false after 3 failures, true after 2 passes
      calls: none, API_HEALTH_URL is not set
      a fault is noticed within 59s
    runpod_configured
      pace: every 30s, timeout 5s, retry 5s; false after 3 failures, true after 2 passes
      calls: 120 an hour, 86400 a month
      a fault is noticed within 59s
      cost: none, RunPod does not charge for health calls
    r2_configured
      pace: every 1m, timeout 5s, retry 5s; false after 3 failures, true after 2 passes
      calls: 60 an hour, 43200 a month
      a fault is noticed within 1m 32s
      cost: class A, 4.3 % of the 1,000,000 that are free per account and month; $0.00 a month alone, $0.19 where others use up the free ones
    ");
    let rows: Vec<_> = report
        .lines()
        .filter(|line| {
            ["HOST", "RUNPOD_API_KEY ", "R2_JUR"]
                .iter()
                .any(|name| line.starts_with(name))
        })
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r"
    HOST                      127.0.0.1                         default
    RUNPOD_API_KEY            set, 14 characters                environment
    R2_JURISDICTION           not set
    ");
}
