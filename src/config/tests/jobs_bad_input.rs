//! A table of bad input for the job room, with the exact sentences.

use super::{good, problems, resolve};

const SECRETS: &str = "comma-separated secrets of at least 16 visible ASCII characters";
const TOKENS: &str = "comma-separated tokens of at least 32 characters of A-Z a-z 0-9 _ -";
const SIZE: &str = "a whole number with a unit from 1MiB to 16TiB, such as 512MiB or 1GiB";
const SLO: &str = "durations from 1ms to 24h: one for every model, model=duration for others, such as 5m, fast=30s";
const SHARE: &str = "a share from 0 to 1, such as 0.02";
const URL: &str =
    "sqlite://relative/path, sqlite:///absolute/path or postgres://user:password@host/database";
const SQLITE: &str =
    "sqlite:// and the path of a file, other characters than letters and digits percent-encoded";
const POSTGRES: &str = "postgres://user:password@host/database, other characters than letters and digits in each part percent-encoded";
const PARAMETERS: &str = "sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, dbname, user, password and application_name, each once and with a value";

/// A variable, what is accepted, and bad values, each with what is wrong with it.
type Group = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const BAD: &[Group] = &[
    (
        "JOB_WEBHOOK_SECRET",
        SECRETS,
        &[
            ("fifteen-letters", "has 15 characters"),
            ("0123456789-secret,short", "item 2 has 5 characters"),
            ("0123456789-secret,", "item 2 is empty"),
            ("'0123456789-secret'", "has quotes around it"),
            ("0123456789\nsecret", "contains a line break"),
            (
                "0123456789 secret",
                "contains something other than visible ASCII",
            ),
            (
                "0123456789-sécret",
                "contains something other than visible ASCII",
            ),
            (
                "0123456789-secret,0123456789-secret",
                "item 2 is the same secret as another item",
            ),
            (
                "JOB_WEBHOOK_SECRET=0123456789",
                "begins with its own name and =",
            ),
        ],
    ),
    (
        "JOB_WEBHOOK_SECRET",
        "plain text",
        &[("0123456789-secret\u{fffd}", "is not valid UTF-8")],
    ),
    (
        "RUNPOD_WEBHOOK_TOKEN",
        TOKENS,
        &[
            ("0123456789_ABCDEFGHIJ-abcdefghi", "has 31 characters"),
            (
                "0123456789_ABCDEFGHIJ-abcdefghi/",
                "contains something other than A-Z a-z 0-9 _ -",
            ),
            (
                "\"0123456789_ABCDEFGHIJ-abcdefghij\"",
                "has quotes around it",
            ),
            (
                "0123456789_ABCDEFGHIJ-abcdefghij,0123456789_ABCDEFGHIJ-abcdefghij",
                "item 2 is the same token as another item",
            ),
            (
                "runpod_webhook_token=0123456789_ABCDEFGHIJ",
                "begins with its own name and =",
            ),
        ],
    ),
    (
        "JOB_WEBHOOK_MAX_AGE",
        "a number with a unit from 1s to 30d, such as 24h",
        &[
            ("24", "has no unit"),
            ("31d", "is too long"),
            ("0s", "is zero"),
        ],
    ),
    (
        "JOBS_RETENTION",
        "a number with a unit up to 3650d, such as 90d",
        &[("forever", "is not a duration"), ("11years", "is too long")],
    ),
    (
        "JOBS_RETENTION",
        "a longer time, such as 90d",
        &[("24h 5m", "is not longer than JOB_WEBHOOK_MAX_AGE + 5m")],
    ),
    (
        "JOBS_MAX_BYTES",
        SIZE,
        &[
            ("1073741824", "has no unit"),
            ("1MB", "is too small"),
            ("0GiB", "is too small"),
            ("17TiB", "is too large"),
            ("99999999999999999999GiB", "is too large"),
            ("20000000TiB", "is too large"),
            ("1.5GiB", "is not a size"),
            ("GiB", "is not a size"),
            ("-1GiB", "is not a size"),
            ("1Gi", "is not a size"),
        ],
    ),
    (
        "LATENCY_SLO",
        SLO,
        &[
            ("300", "has no unit"),
            ("25h", "is too long"),
            ("fast", "is not a duration"),
            ("5m,10m", "item 2 is a second duration for every model"),
            ("5m,fast=", "item 2 has no unit"),
            ("5m,fast=0s", "item 2 is zero"),
            ("5m,fast=1us", "item 2 is too short"),
            ("5m,,fast=1s", "item 2 is empty"),
            (
                "=5m",
                "has a model that is not 1 to 128 characters of A-Z a-z 0-9 . _ : -",
            ),
            (
                "a/b=5m",
                "has a model that is not 1 to 128 characters of A-Z a-z 0-9 . _ : -",
            ),
            (
                "fast=1s,fast=2s",
                "item 2 has a model that another item has",
            ),
        ],
    ),
    (
        "FAILURE_RATE_BASELINE",
        SHARE,
        &[
            ("2%", "is not a decimal number"),
            ("nan", "is not a decimal number"),
            ("1e-3", "is not a decimal number"),
            ("-0.1", "is not a decimal number"),
            (".", "is not a decimal number"),
        ],
    ),
    ("FAILURE_RATE_BUDGET", SHARE, &[("2", "is out of range")]),
    (
        "FAILURE_RATE_BUDGET",
        "two shares that add up to 1 at most",
        &[("0.99", "and FAILURE_RATE_BASELINE add up to more than 1")],
    ),
    (
        "SIGNAL_WINDOW",
        "a number with a unit from 100ms to 24h, such as 15m",
        &[
            ("15", "has no unit"),
            ("99ms", "is too short"),
            ("25h", "is too long"),
        ],
    ),
    (
        "SIGNAL_MIN_SAMPLES",
        "a whole number from 1 to 1000000",
        &[("0", "is out of range"), ("some", "is not a whole number")],
    ),
    (
        "SIGNALS_AFFECT_HEALTH",
        "true or false",
        &[("yes", "is not an accepted word")],
    ),
    (
        "JOBS_DATABASE_URL",
        URL,
        &[
            (
                "infra-health.db",
                "begins with none of sqlite://, postgres:// and postgresql://",
            ),
            (
                "sqlite:infra-health.db",
                "begins with none of sqlite://, postgres:// and postgresql://",
            ),
            (
                "mysql://me:pw@db/jobs",
                "begins with none of sqlite://, postgres:// and postgresql://",
            ),
            (
                "JOBS_DATABASE_URL=sqlite://a.db",
                "begins with its own name and =",
            ),
            ("\"sqlite://a.db\"", "has quotes around it"),
            (
                "sqlite://a b.db",
                "contains something other than visible ASCII",
            ),
            (
                "postgres://me:pw@localhost/jobs\n",
                "contains something other than visible ASCII",
            ),
        ],
    ),
    (
        "JOBS_DATABASE_URL",
        SQLITE,
        &[
            ("sqlite://", "has no path"),
            ("sqlite:///data/", "has the path of a folder"),
            ("sqlite://a.db?mode=rwc", "has parameters"),
            ("sqlite://a#b.db", "has a fragment"),
            (
                "sqlite://:memory:",
                "is a database in memory, which no restart survives",
            ),
            (
                "sqlite://%3Amemory%3A",
                "is a database in memory, which no restart survives",
            ),
            ("sqlite://file:a.db", "has file: after sqlite://"),
            ("sqlite://a%00.db", "has a control character in its path"),
            (
                "sqlite://%ff.db",
                "has a path that is not UTF-8 once decoded",
            ),
        ],
    ),
    (
        "JOBS_DATABASE_URL",
        POSTGRES,
        &[
            ("postgres://me:p/w@localhost/jobs", "is not a URL"),
            ("postgres://me:pw@localhost/jobs#1", "has a fragment"),
            ("postgres://localhost/jobs", "has no user"),
            ("postgres:///jobs?user=me", "has no host"),
            ("postgres://me:pw@localhost", "has no database"),
            (
                "postgres://me:pw@localhost/jobs/x",
                "has more than a database in its path",
            ),
            (
                "postgres://me:%ff@localhost/jobs",
                "is not UTF-8 once decoded",
            ),
            (
                "postgres://me@db-1,db-2/jobs?sslmode=require",
                "has a host that is neither a name, an address nor the folder of a socket",
            ),
            ("postgres://me:p?w@localhost/jobs", "is not a URL"),
        ],
    ),
    (
        "JOBS_DATABASE_URL",
        "a port from 1 to 65535",
        &[(
            "postgres://me@localhost/jobs?port=0",
            "has a malformed port",
        )],
    ),
    (
        "JOBS_DATABASE_URL",
        PARAMETERS,
        &[
            (
                "postgres://me@localhost/jobs?options=-csearch_path%3Dx",
                "has a parameter that is not known",
            ),
            ("postgres://me@localhost/jobs?user=you", "says a part twice"),
            (
                "postgres://me@localhost/jobs?hostaddr=10.0.0.1",
                "says a part twice",
            ),
            (
                "postgres://me@localhost/jobs?sslmode=",
                "has a parameter without a value",
            ),
            (
                "postgres:///jobs?hostaddr=db&user=me",
                "has a hostaddr that is not an IP address",
            ),
        ],
    ),
    (
        "JOBS_DATABASE_URL",
        "sslmode of disable, allow, prefer, require, verify-ca or verify-full",
        &[(
            "postgres://me@localhost/jobs?sslmode=on",
            "has an unknown sslmode",
        )],
    ),
    (
        "JOBS_DATABASE_URL",
        "sslmode=require, verify-ca or verify-full, or ALLOW_INSECURE_UPSTREAMS=true",
        &[(
            "postgres://me:pw@db/jobs",
            "may send its password in clear: its host is outside loopback, and its sslmode lets the server refuse TLS",
        )],
    ),
];

#[track_caller]
fn assert_said(variable: &'static str, value: &str, wrong: &str, accepted: &str) {
    let mut pairs: Vec<_> = good()
        .into_iter()
        .map(|(name, value)| (name, value.to_owned()))
        .collect();
    pairs.push((variable, value.to_owned()));
    let loaded = resolve(pairs);
    let said = format!("{variable} {wrong}; accepted: {accepted}");
    assert_eq!(problems(&loaded), [said], "{value}");
    assert!(loaded.is_err(), "{variable}={value}");
}

#[test]
fn each_bad_value_has_its_sentence() {
    for (variable, accepted, values) in BAD {
        for (value, wrong) in *values {
            assert_said(variable, value, wrong, accepted);
        }
    }
}

#[test]
fn long_names_and_many_models_are_refused() {
    let long = "m".repeat(129) + "=5m";
    let wrong = "has a model that is not 1 to 128 characters of A-Z a-z 0-9 . _ : -";
    assert_said("LATENCY_SLO", &long, wrong, SLO);
    let many: Vec<_> = (0..31).map(|n| format!("m{n}=1s")).collect();
    let many = many.join(",");
    assert_said(
        "LATENCY_SLO",
        &many,
        "has too many items",
        "up to 30 models",
    );
}

#[test]
fn what_is_wrong_with_several_is_told_at_once() {
    let failed = resolve([
        ("JOB_WEBHOOK_SECRET", "short"),
        ("RUNPOD_WEBHOOK_TOKEN", "short"),
        ("JOBS_DATABASE_URL", "jobs.db"),
        ("JOBS_RETENTION", "6m"),
        ("JOB_WEBHOOK_MAX_AGE", "5m"),
        ("JOBS_MAX_BYTES", "1"),
        ("SIGNAL_WINDOW", "15m"),
    ]);
    insta::assert_snapshot!(failed.unwrap_err(), @r"
    the configuration has 6 problems:
      JOB_WEBHOOK_SECRET has 5 characters; accepted: comma-separated secrets of at least 16 visible ASCII characters
      RUNPOD_WEBHOOK_TOKEN has 5 characters; accepted: comma-separated tokens of at least 32 characters of A-Z a-z 0-9 _ -
      JOBS_MAX_BYTES has no unit; accepted: a whole number with a unit from 1MiB to 16TiB, such as 512MiB or 1GiB
      JOBS_RETENTION is not longer than JOB_WEBHOOK_MAX_AGE + 5m; accepted: a longer time, such as 90d
      JOBS_RETENTION is shorter than SIGNAL_WINDOW; accepted: a longer time, such as 90d
      JOBS_DATABASE_URL begins with none of sqlite://, postgres:// and postgresql://; accepted: sqlite://relative/path, sqlite:///absolute/path or postgres://user:password@host/database
    ");
}
