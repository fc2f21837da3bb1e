//! The OpenAPI document: served and printed alike. That it is true, every other test proves: see
//! `support/contract.rs`.

use infra_health::checks;
use infra_health::http::openapi::document;

use crate::support::app::TestApp;
use crate::support::binary::run;
use crate::support::service::Mode::Pass;
use crate::support::service::Service;

const NOTHING: [(&str, &str); 0] = [];

#[tokio::test]
async fn what_is_served_is_what_is_printed() {
    let printed = run(&["openapi"], NOTHING).await;
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    assert!(printed.stdout == document(&checks::unconfigured()));
    assert_eq!(printed.json()["openapi"], "3.1.0");

    let app = TestApp::start(NOTHING, &[]);
    let served = app.get("/openapi.json").await;
    assert_eq!(served.status, 200);
    assert_eq!(served.header("content-type"), Some("application/json"));
    // With the intervals of a test, which are nobody's business.
    assert!(served.body == printed.stdout.as_bytes());
    app.end().await.unwrap();
}

#[tokio::test]
async fn it_is_printed_whatever_the_configuration() {
    for pairs in [
        [("PORT", "nonsense"), ("API_KEYS", "short")],
        [("ENV_FILE", "/nowhere/at/all"), ("RUNPOD_API_KEY", "?")],
    ] {
        let printed = run(&["openapi"], pairs).await;
        assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
        assert!(printed.stdout == document(&checks::unconfigured()));
    }
}

#[tokio::test]
async fn it_is_for_anyone() {
    let service = Service::configured([Pass; 3], |with| with.answers.require_api_key = true);
    for headers in [&[][..], &[("x-api-key", "wrong")]] {
        let reply = service.ask("GET", "/openapi.json?x", headers).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.json()["info"]["title"], "infra-health");
    }
}
