//! `/`: the status page for browsers, the JSON of `/health` for everybody else.

use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use infra_health::config::Details;
use infra_health::reason::MISSING_CONFIG;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::support::service::Mode::{Fail, Hang, Pass};
use crate::support::service::{KEY, Reply, Service};

/// What Chromium and Firefox send for a page.
const BROWSER: (&str, &str) = (
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
);

async fn page(service: &Service, more: &[(&str, &str)]) -> Reply {
    let headers: Vec<_> = [BROWSER].iter().chain(more).copied().collect();
    service.ask("GET", "/", &headers).await
}

#[track_caller]
fn is_page(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert_eq!(
        reply.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(reply.header("vary"), Some("accept"));
    assert!(reply.header("x-request-id").is_some());
}

fn state(reply: &Reply) -> &str {
    let (_, rest) = reply.body.split_once("data-state=\"").unwrap();
    rest.split_once('"').unwrap().0
}

fn details(reply: &Reply) -> bool {
    reply.body.contains("data-details=\"true\"")
}

#[tokio::test]
async fn html_is_for_those_who_name_it() {
    let service = Service::start([Pass; 3]).settled().await;
    for accept in [
        BROWSER.1,
        "text/html",
        "TEXT/HTML;level=1",
        "application/json;q=0.5, text/html",
        "application/json, text/html",
    ] {
        let reply = service.ask("GET", "/", &[("accept", accept)]).await;
        is_page(&reply);
        assert!(reply.body.starts_with("<!DOCTYPE html>"), "{}", reply.body);
        assert_eq!(state(&reply), "healthy");
    }
    let health = service.get("/health").await.body;
    for headers in [
        &[][..],
        &[("accept", "*/*")],
        &[("accept", "text/*")],
        &[("accept", "application/json")],
        &[("accept", "text/html;q=0, */*")],
        &[("accept", "application/json, text/html;q=0.9")],
        &[("accept", "text/html;q=x")],
        &[("accept", ";;;,\"text/html")],
        &[("accept", "text/htmlx")],
    ] {
        for path in ["/", "/?x"] {
            let reply = service.ask("GET", path, headers).await;
            reply.check_common();
            assert_eq!(reply.header("vary"), Some("accept"));
            assert_eq!((reply.status, &reply.body), (200, &health), "{headers:?}");
        }
    }
}

#[tokio::test]
async fn json_at_the_root_follows_the_rules_of_health() {
    let service = Service::configured([Pass, Fail, Pass], |with| {
        with.answers.degraded_is_503 = true;
    })
    .settled()
    .await;
    let reply = service.get("/").await;
    assert_eq!(
        (reply.status, reply.error_code().as_str()),
        (503, "degraded")
    );
    let spared = service
        .ask("GET", "/", &[("x-infra-health-probe", "1")])
        .await;
    assert_eq!(spared.status, 200);
    assert_eq!(service.get("/?exclude=nothing").await.status, 400);
    let reply = service.ask("POST", "/", &[BROWSER]).await;
    assert_eq!(reply.error_code(), "method_not_allowed");
    // The page is for people: its state is in it, and no browser or proxy replaces a 200 by its own.
    let reply = page(&service, &[]).await;
    is_page(&reply);
    assert_eq!(state(&reply), "degraded");
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let service = Service::start([Pass; 3]).settled().await;
    let head = service.ask("HEAD", "/", &[BROWSER]).await;
    is_page(&head);
    assert_eq!(head.body, "");
    let get = page(&service, &[]).await;
    assert!(get.header("content-security-policy").is_some());
    assert_eq!(
        head.header("content-security-policy"),
        get.header("content-security-policy")
    );
    let length: usize = head.header("content-length").unwrap().parse().unwrap();
    // Ages may have grown by a digit in between.
    assert!(length.abs_diff(get.body.len()) < 20);
}

#[tokio::test]
async fn the_policy_allows_the_very_text_that_is_inline_and_nothing_else() {
    let service = Service::start([Pass; 3]).settled().await;
    let reply = page(&service, &[]).await;
    let policy = reply.header("content-security-policy").unwrap();
    let directives: Vec<_> = policy.split("; ").collect();
    let hash = |element: &str| {
        let (_, rest) = reply.body.split_once(&format!("<{element}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{element}>")).unwrap();
        assert!(!rest.contains(&format!("<{element}")), "one of it");
        assert!(text.len() > 1000, "not empty");
        let hash = BASE64.encode(Sha256::digest(text));
        format!("{element}-src 'sha256-{hash}'")
    };
    assert_eq!(
        directives,
        [
            "default-src 'none'",
            &hash("style"),
            &hash("script"),
            "connect-src 'self'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    );
    for outside in ["http://", "https://", "//cdn", "@import", "url("] {
        let found = reply.body.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(outside), "{outside}");
    }
}

#[tokio::test]
async fn a_key_shows_the_reasons_and_a_wrong_one_is_refused() {
    let service = Service::start([Pass, Fail, Pass]).settled().await;
    let anonymous = page(&service, &[]).await;
    is_page(&anonymous);
    assert!(!details(&anonymous));
    let key = page(&service, &[("x-api-key", KEY)]).await;
    is_page(&key);
    assert!(details(&key));
    for told in [
        MISSING_CONFIG.code,
        MISSING_CONFIG.remedy,
        "Failing since",
        "<rect",
        env!("CARGO_PKG_VERSION"),
    ] {
        assert!(key.body.contains(told), "{told}");
        assert!(!anonymous.body.contains(told), "{told}");
    }
    let wrong = page(&service, &[("x-api-key", "a-wrong-operator-key")]).await;
    assert_eq!(
        (wrong.status, wrong.error_code().as_str()),
        (401, "invalid_api_key")
    );
    assert_eq!(wrong.header("www-authenticate"), Some("ApiKey"));
}

#[tokio::test]
async fn details_can_be_for_anyone_or_nobody_on_the_page_too() {
    for (policy, anybody, holder, form) in [
        (Details::Always, true, true, false),
        (Details::Never, false, false, false),
        (Details::Authorized, false, true, true),
    ] {
        let service = Service::configured([Pass; 3], |with| with.answers.details = policy)
            .settled()
            .await;
        let reply = page(&service, &[]).await;
        assert_eq!(details(&reply), anybody, "{policy:?}");
        assert_eq!(reply.body.contains("id=\"unlock\""), form, "{policy:?}");
        let reply = page(&service, &[("x-api-key", KEY)]).await;
        assert_eq!(details(&reply), holder, "{policy:?}");
    }
}

#[tokio::test]
async fn where_a_key_is_required_the_page_shows_the_place_for_it_alone() {
    let service = Service::configured([Pass, Fail, Pass], |with| {
        with.answers.require_api_key = true;
        with.answers.details = Details::Always;
    })
    .settled()
    .await;
    assert_eq!(service.get("/").await.error_code(), "missing_api_key");
    let locked = page(&service, &[]).await;
    is_page(&locked);
    assert_eq!(state(&locked), "locked");
    assert!(locked.body.contains("id=\"unlock\""));
    for told in [
        "degraded",
        "runpod_configured",
        "checked",
        MISSING_CONFIG.code,
    ] {
        let (_, main) = locked.body.split_once("<main").unwrap();
        let (main, _) = main.split_once("</main>").unwrap();
        assert!(!main.contains(told), "{told}: {main}");
    }
    assert!(locked.body.contains("<title>infra-health</title>"));
    let reply = page(&service, &[("x-api-key", KEY)]).await;
    assert_eq!(state(&reply), "degraded");
    let wrong = page(&service, &[("x-api-key", "a-wrong-operator-key")]).await;
    assert_eq!(wrong.error_code(), "invalid_api_key");
}

#[tokio::test]
async fn the_page_waits_for_the_first_round_as_health_does_and_then_says_starting() {
    let service = Service::configured([Pass, Hang, Pass], |with| {
        with.answers.deadline = Duration::from_millis(30);
    })
    .settled_but(&["runpod_configured"])
    .await;
    let reply = page(&service, &[]).await;
    is_page(&reply);
    assert_eq!(state(&reply), "starting");
    assert!(
        reply
            .body
            .contains("Waiting for the first result of runpod_configured.")
    );

    let service = Service::start([Pass, Hang, Pass]);
    let mut asked = pin!(page(&service, &[]));
    let early = timeout(Duration::from_millis(50), &mut asked).await;
    assert!(early.is_err(), "it waits");
    service.set([Pass; 3]);
    assert_eq!(state(&asked.await), "healthy");
}

#[tokio::test]
async fn the_page_counts_against_the_limit() {
    let service = Service::configured([Pass; 3], |with| {
        with.limits.per_second = 1;
        with.limits.burst = 2;
    })
    .settled()
    .await;
    let mut last = page(&service, &[]).await;
    for _ in 0..10 {
        last = page(&service, &[]).await;
        if last.status == 429 {
            break;
        }
    }
    assert_eq!(last.error_code(), "rate_limited");
}
