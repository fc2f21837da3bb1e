//! No secret reaches any output: canaries in every place that holds one, a search of everything said.

use infra_health::checks;
use infra_health::config::load;

use crate::support::binary::{Service, run};
use crate::support::caller::{Caller, eventually, head};
use crate::support::canary::{DIGEST_KEY, PLAIN_KEY, assert_silent, echoes};
use crate::support::fixture::Reply;
use crate::support::raw::Raw;
use crate::support::upstreams::{Pairs, Scripted, pairs};

/// The variables of a service every secret of which holds a canary.
fn secrets(runpod: &str, r2: &str) -> Pairs {
    let mut all = pairs(runpod, r2);
    all.retain(|(name, _)| !name.contains("KEY"));
    all.extend([
        ("RUNPOD_API_KEY", "rpa_c4n4ry".to_owned()),
        (
            "R2_ACCESS_KEY_ID",
            "c4n4ryc4n4ryc4n4ryc4n4ryc4n4ry00".to_owned(),
        ),
        (
            "R2_SECRET_ACCESS_KEY",
            "c4n4ry-secret-access-key".to_owned(),
        ),
        ("R2_SESSION_TOKEN", "c4n4ry-session-token".to_owned()),
        ("API_KEYS", format!("{PLAIN_KEY},{DIGEST_KEY}")),
        (
            "JOBS_DATABASE_URL",
            "postgres://c4n4ry:c4n4ry@127.0.0.1:1/c4n4ry".to_owned(),
        ),
    ]);
    if cfg!(feature = "jobs") {
        all.extend([
            ("JOB_WEBHOOK_SECRET", "c4n4ry-webhook-secret".to_owned()),
            (
                "RUNPOD_WEBHOOK_TOKEN",
                "c4n4ry-runpod-webhook-token-0123456789".to_owned(),
            ),
        ]);
    }
    all
}

/// Everything that callers can make the service say, with secrets of their own in every place.
async fn everything_said(service: Caller) -> String {
    let junk = "c4n4ry c4n4ry";
    let headers = [
        ("x-api-key", PLAIN_KEY),
        ("authorization", "Bearer c4n4ry"),
        ("x-request-id", junk),
        ("traceparent", junk),
        ("x-forwarded-for", "c4n4ry, 10.0.0.1"),
        ("forwarded", "for=c4n4ry"),
        ("user-agent", junk),
        ("cookie", junk),
        ("accept", junk),
    ];
    let wrong = [
        ("x-api-key", "c4n4ry-wrong-key-of-a-client"),
        ("authorization", "Bearer c4n4ry"),
    ];
    let mut said = String::new();
    // The same as a browser asks, for the page.
    let browser = |headers: &[(&'static str, &'static str)]| {
        let mut headers = headers.to_vec();
        headers.retain(|(name, _)| *name != "accept");
        headers.push(("accept", "text/html, c4n4ry"));
        headers
    };
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/?token=c4n4ry"),
        ("GET", "/health"),
        ("GET", "/health?verbose"),
        ("GET", "/health/runpod_configured?verbose"),
        ("GET", "/health/r2_configured?verbose"),
        ("GET", "/health/c4n4ry"),
        ("GET", "/health?exclude=c4n4ry"),
        ("GET", "/health?verbose=c4n4ry&token=c4n4ry"),
        ("GET", "/health?wait=c4n4ry&timeout=c4n4ry"),
        ("GET", "/health?c4n4ry=%zz"),
        ("POST", "/health/refresh"),
        ("POST", "/health?token=c4n4ry"),
        ("GET", "/readyz?c4n4ry"),
        ("GET", "/livez"),
        ("GET", "/metrics"),
        ("GET", "/metrics?c4n4ry=c4n4ry"),
        ("C4N4RY", "/metrics"),
        ("GET", "/c4n4ry?c4n4ry#c4n4ry"),
        ("C4N4RY", "/health"),
    ] {
        for headers in [&headers[..], &wrong, &[]] {
            said += &service.ask(method, target, headers).await.to_string();
            let browser = browser(headers);
            said += &service.ask(method, target, &browser).await.to_string();
        }
    }
    for broken in [
        "c4n4ry\r\n\r\n",
        "GET /c4n4ry HTTP/1.1\r\nc4n4ry\r\n\r\n",
        "GET c4n4ry HTTP/9\r\n\r\n",
    ] {
        let mut raw = Raw::connect(service.0).await;
        raw.send(broken).await;
        said += &String::from_utf8_lossy(&raw.closed().await);
    }
    said
}

async fn assert_service_is_silent(format: &str) {
    let upstreams = Scripted::start(Reply::Hang, Reply::Hang).await;
    let variables = [
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", format),
        ("CHECK_INTERVAL", "100ms"),
        ("CHECK_RETRY_INTERVAL", "10ms"),
        ("TRUSTED_PROXIES", "127.0.0.0/8"),
        ("RATE_LIMIT_PER_SECOND", "100"),
        ("RATE_LIMIT_BURST", "200"),
    ];
    let service = Service::start(
        secrets(&upstreams.runpod.url(), &upstreams.r2.url()),
        &variables,
    )
    .await;
    for reply in echoes() {
        upstreams.runpod.set(reply.clone());
        upstreams.r2.set(reply.clone());
        // A raw reply is given without a request having been read; each is a connection of its own.
        let seen = || [&upstreams.runpod, &upstreams.r2].map(|f| f.calls() + f.connections());
        let before = seen();
        eventually("two rounds", async || {
            seen()
                .iter()
                .zip(before)
                .all(|(now, before)| *now >= before + 2)
        })
        .await;
        let metrics = service
            .ask("GET", "/metrics", &[("x-api-key", PLAIN_KEY)])
            .await;
        assert_eq!(metrics.status, 200, "{metrics}");
        assert_silent(&format!("/metrics after {reply:?}"), &metrics.to_string());
        let verbose = service
            .ask("GET", "/health?verbose", &[("x-api-key", PLAIN_KEY)])
            .await;
        assert_eq!(verbose.status, 200, "{verbose}");
        assert_silent(
            &format!("/health?verbose after {reply:?}"),
            &verbose.to_string(),
        );
        let headers = [("x-api-key", PLAIN_KEY), ("accept", "text/html")];
        let page = service.ask("GET", "/", &headers).await.to_string();
        assert!(page.contains("data-details=\"true\""), "{page}");
        assert_silent(&format!("the page after {reply:?}"), &page);
    }
    assert_silent("an answer", &everything_said(*service).await);
    let bearer = format!("Bearer {PLAIN_KEY}");
    let metrics = service
        .ask("GET", "/metrics", &[("authorization", &bearer)])
        .await;
    assert_eq!(metrics.status, 200, "{metrics}");
    assert_silent("/metrics at the end", &metrics.to_string());
    let mut raw = Raw::connect(service.0).await;
    let mut status = 0;
    for _ in 0..400 {
        raw.send(head("GET", "/health", &[("x-api-key", "c4n4ry-wrong-key")]))
            .await;
        let answer = raw.answer().await.unwrap();
        assert_silent("a refusal", &answer.to_string());
        status = answer.status.max(status);
    }
    assert_eq!(status, 429);
    service.signal("INT").await;
    let (code, output) = service.ended().await;
    assert_eq!(code, Some(0));
    assert_silent("the log", &output);
    for word in [
        "5193d92e",
        "r2 refused the request",
        "upstream call failed",
        "requests were refused",
        "check fails",
    ] {
        assert!(
            output.contains(word),
            "the search is of a log without {word}: {output}"
        );
    }
}

#[tokio::test]
async fn a_service_that_logs_everything_as_json_tells_no_secret() {
    assert_service_is_silent("json").await;
}

#[tokio::test]
async fn a_service_that_logs_everything_as_text_tells_no_secret() {
    assert_service_is_silent("text").await;
}

#[tokio::test]
async fn commands_tell_no_secret() {
    for reply in echoes().into_iter().step_by(4) {
        let upstreams = Scripted::start(reply.clone(), reply).await;
        let pairs = secrets(&upstreams.runpod.url(), &upstreams.r2.url());
        let brief = ("CHECK_INTERVAL", "300ms".to_owned());
        for arguments in [&["doctor"][..], &["doctor", "--json"], &["config"]] {
            let ended = run(arguments, pairs.iter().cloned().chain([brief.clone()])).await;
            assert!(ended.stdout.contains("r2_configured"), "{ended:?}");
            assert_silent(&format!("{arguments:?}"), &(ended.stdout + &ended.stderr));
        }
        let loaded = load(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
            checks::NAMES,
        );
        let loaded = loaded.unwrap();
        assert_silent(
            "Debug",
            &format!(
                "{loaded:?} {loaded:#?} {:?} {:?}",
                loaded.config, loaded.live
            ),
        );
        assert_silent(
            "Debug",
            &format!(
                "{:?} {:?} {:?} {:?}",
                loaded.live.runpod.get(),
                loaded.live.r2.get(),
                loaded.live.job_webhooks.get(),
                loaded.live.job_database.get(),
            ),
        );
    }
}

#[tokio::test]
async fn malformed_values_are_told_without_the_value() {
    let of_the_service = [
        (
            "RUNPOD_ENDPOINT_BASE_URL",
            "https://user:c4n4ry@c4n4ry.invalid/?c4n4ry#c4n4ry",
        ),
        ("R2_ENDPOINT_URL", "https://c4n4ry@c4n4ry.invalid/c4n4ry"),
        ("API_HEALTH_URL", "c4n4ry://c4n4ry"),
        ("HTTPS_PROXY", "http://c4n4ry:c4n4ry@proxy.invalid:1"),
        ("API_KEYS", "c4n4ry"),
        ("JOB_WEBHOOK_SECRET", "c4n4ry"),
        ("RUNPOD_WEBHOOK_TOKEN", "c4n4ry"),
        (
            "JOBS_DATABASE_URL",
            "postgres://c4n4ry:c4n4ry@c4n4ry/c4n4ry?c4n4ry=c4n4ry",
        ),
        ("LATENCY_SLO", "c4n4ry=c4n4ry"),
        ("JOBS_MAX_BYTES", "c4n4ry"),
        ("PORT", "c4n4ry"),
        ("CHECK_INTERVAL", "c4n4ry"),
        ("RUNPOD_API_KYE", "c4n4ry"),
    ];
    for arguments in [
        &["serve"][..],
        &["doctor"],
        &["doctor", "--json"],
        &["config"],
        &["probe"],
    ] {
        let ended = run(arguments, of_the_service).await;
        assert_ne!(ended.code, Some(0), "{ended:?}");
        assert_silent(&format!("{arguments:?}"), &(ended.stdout + &ended.stderr));
    }
    for url in [
        "http://user:c4n4ry@127.0.0.1:1/",
        "http://127.0.0.1:1/?token=c4n4ry",
    ] {
        let ended = run(&["probe", url], of_the_service).await;
        assert_silent("probe", &(ended.stdout + &ended.stderr));
    }

    let of_checks = [
        ("RUNPOD_API_KEY", "Bearer c4n4ry"),
        ("RUNPOD_ENDPOINT_ID", "https://c4n4ry/c4n4ry"),
        ("R2_ACCOUNT_ID", "c4n4ry"),
        ("R2_ACCESS_KEY_ID", "c4n4ry"),
        ("R2_SECRET_ACCESS_KEY", "\"c4n4ry\""),
        ("R2_SESSION_TOKEN", "c4n4ry c4n4ry"),
        ("R2_BUCKET", "c4n4ry/c4n4ry"),
        ("HEALTH_DETAILS", "always"),
        ("LOG_LEVEL", "trace"),
    ];
    for arguments in [&["doctor"][..], &["doctor", "--json"], &["config"]] {
        let ended = run(arguments, of_checks).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert_silent(&format!("{arguments:?}"), &(ended.stdout + &ended.stderr));
    }
    let service = Service::start(of_checks, &[]).await;
    let verbose = service
        .until_reason("r2_configured", "malformed_config")
        .await;
    assert_silent("details", &verbose.to_string());
    service.signal("INT").await;
    assert_silent("the log", &service.ended().await.1);
}

/// No input makes the binary panic, so this is read, not run.
#[test]
fn nothing_in_main_runs_before_payloads_are_hidden() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/main.rs");
    let source = std::fs::read_to_string(path).unwrap();
    let (_, body) = source.split_once("fn main() -> ExitCode {\n").unwrap();
    let mut lines = body.lines().map(str::trim);
    let first = lines.find(|line| !line.starts_with("//"));
    assert_eq!(first, Some("panics::print_places();"));
}
