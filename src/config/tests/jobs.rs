//! The job room's values: good and bad, what they say together, and secrets that change.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use super::reloading::Files;
use super::{Loaded, good, good_but, problems, resolve};
use crate::cli::config::render;
use crate::config::{Database, JOB_SIGNALS, Jobs};

const SECRET: &str = "0123456789-secret";
const TOKEN: &str = "0123456789_ABCDEFGHIJ-abcdefghij";

type Pair = (&'static str, &'static str);

fn jobs(changes: &[Pair]) -> Jobs {
    resolve(good_but(changes)).unwrap().config.jobs
}

fn database(loaded: &Loaded) -> String {
    match &*loaded.live.job_database.get() {
        Database::Sqlite(path) => format!("file {}", path.display()),
        Database::Postgres(url) => url.expose_secret().to_owned(),
    }
}

fn secrets(loaded: &Loaded) -> Vec<String> {
    let webhooks = loaded.live.job_webhooks.get();
    let secrets = webhooks.secrets.iter();
    secrets.map(|one| one.expose_secret().to_owned()).collect()
}

#[test]
fn without_its_variables_the_room_is_shut_and_has_its_defaults() {
    let loaded = resolve(good()).unwrap();
    let Jobs {
        takes_webhooks,
        takes_runpod,
        max_age,
        retention,
        max_bytes,
        signals,
    } = &loaded.config.jobs;
    assert_eq!((*takes_webhooks, *takes_runpod), (false, false));
    assert_eq!(*max_age, Duration::from_hours(24));
    assert_eq!(*retention, Duration::from_hours(24 * 90));
    assert_eq!(*max_bytes, 1 << 30);
    assert!(!signals.affect_health);
    assert_eq!(signals.latency_slo, Duration::from_mins(5));
    assert_eq!(signals.latency_slo_by_model, []);
    let shares = (signals.failure_baseline, signals.failure_budget);
    assert_eq!(shares, (0.02, 0.03));
    assert_eq!(signals.window, Duration::from_mins(15));
    assert_eq!(signals.min_samples, 20);
    assert_eq!(secrets(&loaded), [""; 0]);
    assert_eq!(loaded.live.job_webhooks.get().runpod_tokens, [[0; 32]; 0]);
    let path = PathBuf::from("infra-health.db");
    assert!(matches!(&*loaded.live.job_database.get(), Database::Sqlite(p) if *p == path));
}

#[test]
fn several_secrets_and_tokens_are_valid_at_once() {
    let loaded = resolve(good_but(&[
        (
            "JOB_WEBHOOK_SECRET",
            "0123456789-secret , it's:\"another\"=one",
        ),
        ("RUNPOD_WEBHOOK_TOKEN", TOKEN),
    ]))
    .unwrap();
    let jobs = &loaded.config.jobs;
    assert_eq!((jobs.takes_webhooks, jobs.takes_runpod), (true, true));
    assert_eq!(secrets(&loaded), [SECRET, "it's:\"another\"=one"]);
    let digest: [u8; 32] = Sha256::digest(TOKEN).into();
    assert_eq!(loaded.live.job_webhooks.get().runpod_tokens, [digest]);
    let jobs = self::jobs(&[("RUNPOD_WEBHOOK_TOKEN", TOKEN)]);
    assert_eq!((jobs.takes_webhooks, jobs.takes_runpod), (false, true));
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("1MiB", 1 << 20),
        ("512MiB", 512 << 20),
        ("10MB", 10_000_000),
        ("2 gib", 2 << 30),
        ("3GB", 3_000_000_000),
        ("1TB", 1_000_000_000_000),
        ("16TiB", 16 << 40),
    ] {
        assert_eq!(jobs(&[("JOBS_MAX_BYTES", text)]).max_bytes, bytes, "{text}");
    }
}

#[test]
fn the_slo_is_one_for_all_or_one_a_model() {
    let slo = |text| {
        let signals = jobs(&[("LATENCY_SLO", text)]).signals;
        let by_model: Vec<_> = signals
            .latency_slo_by_model
            .iter()
            .map(|(model, slo)| format!("{model} {slo:?}"))
            .collect();
        (signals.latency_slo, by_model.join(", "))
    };
    let (five, ten) = (Duration::from_mins(5), Duration::from_mins(10));
    assert_eq!(slo("10m"), (ten, String::new()));
    let pairs = "a.B_c:d-1 = 30s, quality=2m 30s";
    assert_eq!(slo(pairs), (five, "a.B_c:d-1 30s, quality 150s".to_owned()));
    assert_eq!(slo("fast=1ms,10m"), (ten, "fast 1ms".to_owned()));
    let thirty: Vec<_> = (0..30).map(|n| format!("m{n}=1s")).collect();
    let loaded = resolve([("LATENCY_SLO", thirty.join(","))]).unwrap();
    let by_model = loaded.config.jobs.signals.latency_slo_by_model;
    assert_eq!(by_model.len(), 30);
}

#[test]
fn shares_are_decimal_numbers_and_add_up() {
    for (baseline, budget) in [("0", "0"), ("1", "0."), (".25", "0.75"), ("0.7", "0.3")] {
        let signals = jobs(&[
            ("FAILURE_RATE_BASELINE", baseline),
            ("FAILURE_RATE_BUDGET", budget),
        ])
        .signals;
        let shares = [baseline, budget].map(|text| text.parse::<f64>().unwrap());
        let found = (signals.failure_baseline, signals.failure_budget);
        assert_eq!(found, (shares[0], shares[1]));
    }
}

#[test]
fn a_delivery_that_comes_again_is_still_known() {
    let set = |retention, age| {
        problems(&resolve([
            ("JOBS_RETENTION", retention),
            ("JOB_WEBHOOK_MAX_AGE", age),
            ("SIGNAL_WINDOW", "1m"),
        ]))
    };
    assert_eq!(set("65m 1ms", "1h"), [""; 0]);
    assert_eq!(set("65m", "1h").len(), 1);
    assert_eq!(set("3650d", "30d"), [""; 0]);
}

/// What sqlx makes of a URL is what was checked.
#[test]
fn databases_are_files_or_complete_urls_of_postgres() {
    let read = |url: &'static str| database(&resolve([("JOBS_DATABASE_URL", url)]).unwrap());
    for (url, path) in [
        ("sqlite://infra-health.db", "infra-health.db"),
        ("sqlite://../state/my%20jobs%3F.db", "../state/my jobs?.db"),
        ("sqlite:///data/infra-health.db", "/data/infra-health.db"),
        ("sqlite:///data/%C3%A9+1%23.db", "/data/é+1#.db"),
    ] {
        assert_eq!(read(url), format!("file {path}"));
    }
    for (url, [host, user, base], port) in [
        (
            "postgres://me:pw@localhost/jobs",
            ["localhost", "me", "jobs"],
            5432,
        ),
        (
            "postgresql://me@[::1]:5433/jobs",
            ["[::1]", "me", "jobs"],
            5433,
        ),
        (
            "postgres://me@127.0.0.1/a%2Db?password=p%40w",
            ["127.0.0.1", "me", "a-b"],
            5432,
        ),
        (
            "postgres:///jobs?host=/run/postgresql&user=me&port=6432",
            ["/run/postgresql", "me", "jobs"],
            6432,
        ),
        (
            "postgres://m%40e@%2Frun%2Fpg/jobs",
            ["/run/pg", "m@e", "jobs"],
            5432,
        ),
        (
            "postgres://me@db-1.example.com/jobs?sslmode=require",
            ["db-1.example.com", "me", "jobs"],
            5432,
        ),
        (
            "postgres://db_1/?user=me&dbname=jobs&sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem&application_name=x",
            ["db_1", "me", "jobs"],
            5432,
        ),
        (
            "postgres:///jobs?hostaddr=10.0.0.1&sslmode=verify-ca&user=me",
            ["10.0.0.1", "me", "jobs"],
            5432,
        ),
    ] {
        assert_eq!(read(url), url);
        let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        let socket = options.get_socket().map(|path| path.to_str().unwrap());
        assert_eq!(socket.unwrap_or(options.get_host()), host, "{url}");
        assert_eq!(options.get_username(), user, "{url}");
        assert_eq!(options.get_database(), Some(base), "{url}");
        assert_eq!(options.get_port(), port, "{url}");
    }
}

#[test]
fn a_database_in_clear_is_allowed_on_loopback_and_by_the_switch_alone() {
    let set = |url, switch| {
        resolve([
            ("JOBS_DATABASE_URL", url),
            ("ALLOW_INSECURE_UPSTREAMS", switch),
        ])
        .is_ok()
    };
    for (url, safe) in [
        ("postgres://me:pw@localhost/jobs", true),
        ("postgres://me:pw@LOCALHOST/jobs?sslmode=disable", true),
        ("postgres://me:pw@127.0.0.2/jobs?sslmode=prefer", true),
        ("postgres://me:pw@[::1]/jobs", true),
        ("postgres:///jobs?host=/run&user=me", true),
        ("postgres://me:pw@db/jobs", false),
        ("postgres://me:pw@db/jobs?sslmode=disable", false),
        ("postgres://me:pw@db/jobs?sslmode=allow", false),
        ("postgres://me:pw@db/jobs?sslmode=prefer", false),
        ("postgres://me:pw@[::2]/jobs", false),
        ("postgres:///jobs?hostaddr=10.0.0.1&user=me", false),
        ("postgres://me:pw@db/jobs?sslmode=require", true),
        ("postgres://me:pw@db/jobs?sslmode=verify-ca", true),
        ("postgres://me:pw@db/jobs?sslmode=verify-full", true),
    ] {
        assert_eq!(set(url, ""), safe, "{url}");
        assert!(set(url, "true"), "{url}");
    }
}

#[test]
fn the_check_of_the_signals_is_known_while_they_affect_health() {
    let on = ("SIGNALS_AFFECT_HEALTH", "true");
    let all = "api,runpod_configured,r2_configured";
    let with = "api,runpod_configured,r2_configured,job_signals";
    for variable in ["HEALTH_EXCLUDE", "READY_REQUIRES"] {
        let named = (variable, JOB_SIGNALS);
        assert!(jobs(&[on, named]).signals.affect_health);
        assert_eq!(
            problems(&resolve(good_but(&[named]))),
            [format!(
                "{variable} is not a check; the checks are api, runpod_configured, r2_configured; accepted: a comma-separated list of different checks"
            )]
        );
        // A malformed switch is one problem.
        let malformed = [("SIGNALS_AFFECT_HEALTH", "1"), named];
        assert_eq!(problems(&resolve(good_but(&malformed))).len(), 1);
    }
    let none = "HEALTH_EXCLUDE leaves no check that counts; accepted: all checks but one at most";
    assert!(resolve(good_but(&[on, ("HEALTH_EXCLUDE", all)])).is_ok());
    let excluded = resolve(good_but(&[on, ("HEALTH_EXCLUDE", with)]));
    assert_eq!(problems(&excluded), [none]);
    let excluded = resolve(good_but(&[("HEALTH_EXCLUDE", all)]));
    assert_eq!(problems(&excluded), [none]);
}

fn warnings(changes: &[Pair]) -> Vec<String> {
    let config = resolve(good_but(changes)).unwrap().config;
    config.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn values_that_nothing_looks_at_are_warned_of() {
    let idle = [
        ("JOBS_MAX_BYTES", "2GiB"),
        ("LATENCY_SLO", "1m"),
        ("JOB_WEBHOOK_MAX_AGE", "1h"),
        ("JOBS_RETENTION", "30d"),
    ];
    let said =
        "neither JOB_WEBHOOK_SECRET nor RUNPOD_WEBHOOK_TOKEN is set, and so nothing looks at";
    assert_eq!(
        warnings(&idle),
        [format!(
            "{said} JOB_WEBHOOK_MAX_AGE, JOBS_RETENTION, JOBS_MAX_BYTES, LATENCY_SLO"
        )]
    );
    assert_eq!(warnings(&idle[1..2]), [format!("{said} LATENCY_SLO")]);
    let counted = [
        ("FAILURE_RATE_BASELINE", "0.1"),
        ("FAILURE_RATE_BUDGET", "0.1"),
        ("SIGNAL_WINDOW", "5m"),
        ("SIGNAL_MIN_SAMPLES", "5"),
        ("SIGNALS_AFFECT_HEALTH", "true"),
        ("JOBS_DATABASE_URL", "sqlite:///data/infra-health.db"),
    ];
    assert_eq!(warnings(&counted), [""; 0]);
    let secret = [("JOB_WEBHOOK_SECRET", SECRET)];
    assert_eq!(warnings(&[&idle[..], &secret].concat()), [""; 0]);
    let token = [("RUNPOD_WEBHOOK_TOKEN", TOKEN)];
    assert_eq!(
        warnings(&[&idle[..], &token].concat()),
        [
            "JOB_WEBHOOK_SECRET is not set, and so nothing looks at JOB_WEBHOOK_MAX_AGE: RunPod's webhook has no timestamp"
        ]
    );
}

#[test]
fn signals_that_affect_health_without_data_are_warned_of() {
    let on = ("SIGNALS_AFFECT_HEALTH", "true");
    let said = "SIGNALS_AFFECT_HEALTH is true while neither a webhook nor RunPod is configured: there is no data to judge";
    for (set, warned) in [
        (&[][..], false),
        (&[("RUNPOD_API_KEY", "")], true),
        (&[("RUNPOD_ENDPOINT_ID", "")], true),
        // That is a problem of its own.
        (&[("RUNPOD_ENDPOINT_ID", "a b")], false),
        (
            &[("RUNPOD_API_KEY", ""), ("JOB_WEBHOOK_SECRET", SECRET)],
            false,
        ),
        (
            &[("RUNPOD_API_KEY", ""), ("RUNPOD_WEBHOOK_TOKEN", TOKEN)],
            false,
        ),
    ] {
        let expected: &[&str] = if warned { &[said] } else { &[] };
        assert_eq!(warnings(&[&[on], set].concat()), expected, "{set:?}");
    }
    assert_eq!(warnings(&[("RUNPOD_API_KEY", "")]), [""; 0]);
}

#[test]
fn a_secret_in_a_variable_that_is_shown_is_found() {
    let password = "c4n4ry-password-16";
    for (secret, value, part) in [
        (
            "JOB_WEBHOOK_SECRET",
            "0123456789-secret,c4n4ry-webhook-secret",
            "c4n4ry-webhook-secret",
        ),
        (
            "RUNPOD_WEBHOOK_TOKEN",
            "0123456789_ABCDEFGHIJ-abcdefghij,c4n4ry-0123456789-ABCDEFGHIJabcdefghij",
            "c4n4ry-0123456789-ABCDEFGHIJabcdefghij",
        ),
        (
            "JOBS_DATABASE_URL",
            "postgres://me:c4n4ry%2Dpassword-16@localhost/jobs",
            password,
        ),
        (
            "JOBS_DATABASE_URL",
            "postgres://me@localhost/jobs?password=c4n4ry-password-16",
            password,
        ),
    ] {
        let loaded = resolve([(secret, value), ("R2_BUCKET", part)]);
        assert_eq!(
            problems(&loaded)[0],
            format!("R2_BUCKET holds the value of {secret}; accepted: a value that is no secret")
        );
    }
    // A short password may be a word.
    let words = [
        ("JOBS_DATABASE_URL", "postgres://me:videos@localhost/jobs"),
        ("R2_BUCKET", "videos"),
    ];
    assert_eq!(problems(&resolve(good_but(&words))), [""; 0]);
}

#[test]
fn the_report_says_what_the_signals_do_and_no_secret() {
    let signals = |changes: &[Pair]| {
        let report = render(&resolve(good_but(changes)).unwrap());
        let section = &report[report.find("SIGNALS (").unwrap()..];
        section.split("\n\n").next().unwrap().trim().to_owned()
    };
    insta::assert_snapshot!(signals(&[]), @r"
    SIGNALS (of jobs that ended within 15m)
    job_failure_rate
      fires when more than 5 % of them failed
      from the counters of RunPod's endpoints
    processing_latency_p95
      fires when p95 is over its SLO for 15m: 5m
      from nothing: no webhook is configured
    neither says anything below 20 jobs; /health does not look at them
    ");
    let nothing = signals(&[("RUNPOD_API_KEY", "")]);
    assert!(
        nothing.contains(
            "  from nothing: no webhook is configured, and RunPod's configuration is missing or malformed
"
        ),
        "{nothing}"
    );
    let all = [
        ("JOB_WEBHOOK_SECRET", "c4n4ry-0123456789"),
        (
            "RUNPOD_WEBHOOK_TOKEN",
            "c4n4ry-0123456789-ABCDEFGHIJabcdefghij",
        ),
        (
            "JOBS_DATABASE_URL",
            "postgres://c4n4ry:c4n4ry@localhost/c4n4ry",
        ),
        ("LATENCY_SLO", "10m,fast=1m 30s"),
        ("FAILURE_RATE_BASELINE", "0.045"),
        ("SIGNAL_WINDOW", "5m"),
        ("SIGNAL_MIN_SAMPLES", "50"),
        ("SIGNALS_AFFECT_HEALTH", "true"),
    ];
    insta::assert_snapshot!(signals(&all), @r"
    SIGNALS (of jobs that ended within 5m)
    job_failure_rate
      fires when more than 7.5 % of them failed
      from webhooks
    processing_latency_p95
      fires when p95 is over its SLO for 5m: 10m, fast 1m 30s
      from webhooks
    neither says anything below 50 jobs; /health counts them as the check job_signals
    ");
    let loaded = resolve(good_but(&all)).unwrap();
    let said = format!("{loaded:?} {loaded:#?} {}", render(&loaded));
    assert!(!said.contains("c4n4ry"), "{said}");
    let shown = |loaded: &Loaded, name| {
        let row = loaded.effective.iter().find(|row| row.variable == name);
        row.unwrap().value.clone()
    };
    let url = "JOBS_DATABASE_URL";
    assert_eq!(shown(&loaded, url), "set, 41 characters");
    assert_eq!(shown(&loaded, "JOB_WEBHOOK_SECRET"), "set, 17 characters");
    let loaded = resolve(good()).unwrap();
    assert_eq!(shown(&loaded, url), "sqlite://infra-health.db");
    assert_eq!(shown(&loaded, "JOB_WEBHOOK_SECRET"), "not set");
}

#[test]
fn rotated_secrets_are_in_use_after_the_next_reading() {
    let files = Files::new();
    let mut loaded = files.load();
    assert_eq!(secrets(&loaded), ["first-webhook-secret"]);
    assert_eq!(database(&loaded), "file /data/jobs.db");
    let tokens = loaded.live.job_webhooks.get().runpod_tokens.clone();
    let url = "postgres://me:second@localhost/jobs";
    files.write(
        "JOB_WEBHOOK_SECRET",
        "second-webhook-secret,first-webhook-secret\n",
    );
    files.write("RUNPOD_WEBHOOK_TOKEN", TOKEN);
    files.write("JOBS_DATABASE_URL", url);
    loaded.reloader.poll();
    let both = ["second-webhook-secret", "first-webhook-secret"];
    assert_eq!(secrets(&loaded), both);
    assert_ne!(loaded.live.job_webhooks.get().runpod_tokens, tokens);
    assert_eq!(database(&loaded), url);
    assert_eq!(loaded.reloader.reload_errors().count(), 0);
}

#[test]
fn bad_content_keeps_the_last_good_secrets_and_counts() {
    let files = Files::new();
    let mut loaded = files.load();
    let errors = loaded.reloader.reload_errors();
    let tokens = loaded.live.job_webhooks.get().runpod_tokens.clone();
    for bad in ["", "\n", "short", "\"in quotes of any length, and words\""] {
        let before = errors.count();
        files.write("RUNPOD_WEBHOOK_TOKEN", bad);
        files.write("JOBS_DATABASE_URL", bad);
        // A good one is not taken beside a bad one: both are one generation.
        files.write("JOB_WEBHOOK_SECRET", "second-webhook-secret");
        loaded.reloader.poll();
        loaded.reloader.poll();
        assert_eq!(errors.count(), before + 4, "{bad:?}");
        assert_eq!(secrets(&loaded), ["first-webhook-secret"], "{bad:?}");
        assert_eq!(loaded.live.job_webhooks.get().runpod_tokens, tokens);
        assert_eq!(database(&loaded), "file /data/jobs.db", "{bad:?}");
    }
    files.write("RUNPOD_WEBHOOK_TOKEN", TOKEN);
    files.write("JOBS_DATABASE_URL", "sqlite://other.db");
    loaded.reloader.poll();
    assert_eq!(secrets(&loaded), ["second-webhook-secret"]);
    assert_eq!(database(&loaded), "file other.db");
}

#[test]
fn an_insecure_database_is_refused_at_run_time_too() {
    let files = Files::new();
    let mut loaded = files.load();
    files.write("JOBS_DATABASE_URL", "postgres://me:pw@db/jobs");
    loaded.reloader.poll();
    assert_eq!(database(&loaded), "file /data/jobs.db");
    assert_eq!(loaded.reloader.reload_errors().count(), 1);
}
