//! The command line, by the real binary in an environment of its own.

use std::net::TcpListener;

use crate::support::binary::{Service, run};
use crate::support::caller::{Caller, three_checks};
use crate::support::exposition::Page;
use crate::support::tls::{authority, tls_server};
use crate::support::upstreams::{Upstreams, pairs};

const NONE: [(&str, &str); 0] = [];

#[tokio::test]
async fn without_any_configuration_it_serves_and_says_what_is_missing() {
    let service = Service::start(NONE, &[]).await;
    let answer = service
        .until("/readyz", |answer| answer.status == 200)
        .await;
    assert_eq!(answer.json()["status"], "ok");
    let answer = service.get("/health").await;
    assert_eq!(answer.status, 200);
    assert_eq!(three_checks(&answer.json()), [true, false, false]);
    assert_eq!(answer.json()["status"], "degraded");
    let line = service
        .logged(|line| line["check"] == "r2_configured")
        .await;
    assert_eq!(line["reason"], "missing_config");
    assert!(
        line["detail"].as_str().unwrap().contains("R2_BUCKET"),
        "{line}"
    );

    let doctor = run(&["doctor"], NONE).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    for variable in [
        "RUNPOD_API_KEY",
        "RUNPOD_ENDPOINT_ID",
        "R2_ACCOUNT_ID",
        "R2_ACCESS_KEY_ID",
        "R2_SECRET_ACCESS_KEY",
        "R2_BUCKET",
    ] {
        assert!(doctor.stdout.contains(variable), "{variable}: {doctor:?}");
    }
    let json = run(&["doctor", "--json"], NONE).await;
    assert_eq!(json.code, Some(1));
    assert_eq!(
        json.json()["details"]["runpod_configured"]["reason"],
        "missing_config"
    );
}

#[tokio::test]
async fn doctor_finds_nothing_wrong_with_a_healthy_configuration() {
    let upstreams = Upstreams::start().await;
    for arguments in [
        &["doctor"][..],
        &["doctor", "--json"],
        &["doctor", "--for", "100ms"],
    ] {
        let doctor = run(arguments, upstreams.pairs()).await;
        assert_eq!(doctor.code, Some(0), "{doctor:?}");
        assert!(doctor.stdout.contains("healthy"), "{doctor:?}");
    }
    upstreams.s3.delete_bucket("videos").unwrap();
    let doctor = run(&["doctor"], upstreams.pairs()).await;
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.stdout.contains("bucket_not_found"), "{doctor:?}");
}

/// A check's values: the service starts, the check says so, the commands exit 2.
#[tokio::test]
async fn malformed_values_of_checks_stop_nothing_but_the_checks() {
    let malformed = [
        ("RUNPOD_ENDPOINT_ID", "https://x/abc"),
        ("R2_BUCKET", "Videos/x"),
    ];
    for command in ["doctor", "config"] {
        let ended = run(&[command], malformed).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        for variable in ["RUNPOD_ENDPOINT_ID is a URL", "R2_BUCKET has a slash"] {
            assert!(ended.stdout.contains(variable), "{command}: {ended:?}");
        }
    }
    let service = Service::start(malformed, &[]).await;
    let answer = service
        .until("/health", |answer| answer.json()["checks"]["api"] == true)
        .await;
    assert_eq!(answer.json()["checks"]["r2_configured"], false);
    let line = service
        .logged(|line| line["reason"] == "malformed_config")
        .await;
    assert_eq!(line["level"], "WARN", "{line}");
}

#[tokio::test]
async fn malformed_values_of_the_service_are_told_all_at_once() {
    let malformed = [
        ("PORT", "65536"),
        ("CHECK_INTERVAL", "30"),
        ("HEALTH_DETAILS", "sometimes"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("API_KEYS", "short"),
        ("RUNPOD_API_KEY_FILE", "/nonexistent/key"),
        ("R2_ACCOUNT_ID", "abc"),
        ("API_KYES", "misspelt"),
    ];
    for command in ["serve", "doctor"] {
        let ended = run(&[command], malformed).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{ended:?}"
        );
        for (variable, _) in malformed {
            assert!(ended.stderr.contains(variable), "{variable}: {ended:?}");
        }
    }
    let config = run(&["config"], malformed).await;
    assert_eq!(config.code, Some(2), "{config:?}");
    assert!(config.stdout.contains("PROBLEMS"), "{config:?}");
}

#[tokio::test]
async fn config_shows_what_holds_and_no_secret() {
    let upstreams = Upstreams::start().await;
    let config = run(&["config"], upstreams.pairs()).await;
    assert_eq!(
        (config.code, config.stderr.as_str()),
        (Some(0), ""),
        "{config:?}"
    );
    assert!(config.stdout.contains("calls: 120 an hour"), "{config:?}");
    for (variable, value) in upstreams.pairs() {
        let secret = variable.contains("KEY");
        assert_eq!(
            config.stdout.contains(&value),
            !secret,
            "{variable}: {config:?}"
        );
    }
}

#[tokio::test]
async fn a_taken_port_is_one_clear_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(&["serve"], [("PORT", port.as_str())]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(
        (ended.stdout.lines().count(), ended.stderr.as_str()),
        (1, ""),
        "{ended:?}"
    );
    let line = ended.json();
    assert_eq!(line["level"], "ERROR");
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("PORT") && error.contains(&port), "{line}");
    let probe = format!("127.0.0.1:{port}");
    let clash = run(&["serve"], [("PORT", "0"), ("METRICS_ADDR", &probe)]).await;
    assert_eq!(
        (
            clash.code,
            clash.stdout.lines().count(),
            clash.stderr.as_str()
        ),
        (Some(1), 1, ""),
        "{clash:?}"
    );
    let line = clash.json();
    assert_eq!(line["level"], "ERROR");
    let error = line["error"].as_str().unwrap();
    assert!(
        error.starts_with("METRICS_ADDR: cannot listen on"),
        "{line}"
    );
    assert!(error.contains(&probe), "{line}");
    let ended = run(&["serve"], [("PORT", "0"), ("PROBE_ADDR", &probe)]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("PROBE_ADDR"), "{ended:?}");
}

#[tokio::test]
async fn probe_tells_by_its_exit_code() {
    let service = Service::start(NONE, &[("HEALTH_DEGRADED_STATUS", "503")]).await;
    service
        .until("/readyz", |answer| answer.status == 200)
        .await;
    let url = |path: &str| format!("http://{}{path}", service.0);
    let broken = [("PORT", "abc"), ("CHECK_INTERVAL", "0s")];
    let port = service.0.port().to_string();
    let code = async |url: &str| run(&["probe", url], broken).await.code;
    assert_eq!(
        code(&url("/livez")).await,
        Some(0),
        "whatever the configuration"
    );
    assert_eq!(code(&url("/readyz")).await, Some(0));
    assert_eq!(code(&url("/health")).await, Some(1));
    assert_eq!(code(&url("/nowhere")).await, Some(1));
    assert_eq!(code("http://127.0.0.1:1/").await, Some(1));
    assert_eq!(code("https://127.0.0.1/").await, Some(1));
    assert_eq!(
        run(&["probe"], [("PORT", port.as_str())]).await.code,
        Some(0)
    );
    let ended = run(&["probe"], broken).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.contains("CHECK_INTERVAL"), "{ended:?}");
}

#[tokio::test]
async fn arguments_are_explained() {
    let version = run(&["--version"], NONE).await;
    assert_eq!(version.code, Some(0));
    assert_eq!(
        version.stdout,
        concat!("infra-health ", env!("CARGO_PKG_VERSION"), "\n")
    );
    let help = run(&["--help"], NONE).await;
    assert_eq!(help.code, Some(0));
    for word in [
        "serve",
        "doctor",
        "probe",
        "config",
        "Exit codes:",
        "2 bad configuration",
    ] {
        assert!(help.stdout.contains(word), "{word}: {help:?}");
    }
    for wrong in [
        &["unknown"][..],
        &["--unknown"],
        &["doctor", "--for", "2"],
        &["serve", "more"],
    ] {
        let ended = run(wrong, NONE).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{wrong:?}: {ended:?}"
        );
        assert!(!ended.stderr.is_empty(), "{wrong:?}");
    }
    // A wrong configuration keeps nobody from reading the help.
    assert_eq!(run(&["--help"], [("PORT", "abc")]).await.code, Some(0));
}

#[tokio::test]
async fn https_upstreams_are_verified_against_the_bundle_given() {
    let authority = authority();
    let bundle = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(bundle.path(), authority.pem()).unwrap();
    let day = time::Duration::days(1);
    let now = time::OffsetDateTime::now_utc();
    let expired = tls_server(&authority, |c| {
        (c.not_before, c.not_after) = (now - 2 * day, now - day);
    })
    .await;
    let good = tls_server(&authority, |_| {}).await;
    let with_bundle = |url: &str, bundle: &str| {
        let mut pairs = pairs(url, url);
        pairs.push(("SSL_CERT_FILE", bundle.to_owned()));
        pairs
    };
    let trusted = bundle.path().to_str().unwrap();
    for (url, bundle, reason, words) in [
        (&expired, trusted, "tls_error", "expired"),
        (&good, "/nonexistent/bundle.pem", "tls_error", "issuer"),
        // Reached: what comes back is no answer of RunPod or R2.
        (&good, trusted, "invalid_response", ""),
    ] {
        let doctor = run(&["doctor", "--json"], with_bundle(url, bundle)).await;
        assert_eq!(doctor.code, Some(1), "{doctor:?}");
        for check in ["runpod_configured", "r2_configured"] {
            let details = doctor.json()["details"][check].clone();
            assert_eq!(details["reason"], reason, "{details}");
            assert!(
                details["message"].as_str().unwrap().contains(words),
                "{details}"
            );
        }
    }
}

#[tokio::test]
async fn the_log_tells_where_to_scrape() {
    let service = Service::start([("METRICS_ADDR", "127.0.0.1:0")], &[]).await;
    let line = service
        .logged(|line| line["message"] == "listening for scrapes of /metrics only")
        .await;
    let scrapes = Caller(line["address"].as_str().unwrap().parse().unwrap());
    let page = Page::of(scrapes).await;
    let build = page.of_name("infra_health_build_info");
    assert_eq!(build.len(), 1);
    assert!(!build[0].0["commit"].is_empty());
}
