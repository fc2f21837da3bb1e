//! `Accept: application/health+json`: the same data in the form of draft-inadarei-api-health-check-06.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::support::service::Mode::{self, Fail, Hang, Pass};
use crate::support::service::{Configured, KEY, Reply, Service};

const HEALTH_JSON: &str = "application/health+json";

/// Of the draft; says itself how it was made.
static DRAFT: LazyLock<Validator> = LazyLock::new(|| {
    let schema = include_str!("data/health_json_draft_06.schema.json");
    let schema = serde_json::from_str(schema).unwrap();
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).unwrap()
});

async fn service(modes: [Mode; 3], adjust: impl FnOnce(&mut Configured)) -> Service {
    Service::configured(modes, adjust).settled().await
}

/// What is asked for, and given: in the form of the draft, with a status that fits to HTTP's.
async fn asked(service: &Service, path: &str, key: bool) -> (u16, Value) {
    let key = key.then_some(("x-api-key", KEY));
    let headers: Vec<_> = [("accept", HEALTH_JSON)].into_iter().chain(key).collect();
    let reply = service.ask("GET", path, &headers).await;
    assert_eq!(reply.header("content-type"), Some(HEALTH_JSON), "{path}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let body = reply.json();
    let faults: Vec<_> = DRAFT.iter_errors(&body).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}\n{body}");
    assert_eq!(body["status"] == "fail", reply.status >= 400, "{body}");
    (reply.status, body)
}

fn component<'a>(body: &'a Value, check: &str) -> &'a Map<String, Value> {
    let components = body["checks"][format!("{check}:responseTime")].as_array();
    let [component] = components.expect("the check").as_slice() else {
        panic!("not one component: {body}");
    };
    assert_eq!(component["componentId"], check);
    component.as_object().unwrap()
}

fn members(component: &Map<String, Value>) -> Vec<&str> {
    component.keys().map(String::as_str).collect()
}

const FOR_ANYONE: [&str; 4] = ["componentId", "componentType", "status", "time"];

#[tokio::test]
async fn healthy_is_pass_and_tells_statuses_and_times() {
    let service = service([Pass; 3], |_| {}).await;
    for path in ["/health", "/health?x", "/health?verbose=0"] {
        let (status, body) = asked(&service, path, false).await;
        assert_eq!(status, 200);
        assert_eq!(body["status"], "pass");
        assert_eq!(members(body.as_object().unwrap()), ["checks", "status"]);
        for (check, kind) in [
            ("api", "system"),
            ("runpod_configured", "system"),
            ("r2_configured", "system"),
        ] {
            let component = component(&body, check);
            assert_eq!(members(component), FOR_ANYONE);
            assert_eq!(component["status"], "pass");
            assert_eq!(component["componentType"], kind);
        }
    }
    // The same moment as in the plain form.
    let (_, body) = asked(&service, "/health", false).await;
    let plain = service.get("/health").await.json();
    let times = body["checks"].as_object().unwrap().values();
    let oldest = times.map(|c| c[0]["time"].as_str().unwrap()).min();
    assert_eq!(oldest, plain["checked_at"].as_str());
}

#[tokio::test]
async fn degraded_is_warn_at_200_and_tells_no_reasons_without_a_key() {
    let service = service([Pass, Fail, Pass], |_| {}).await;
    let (status, body) = asked(&service, "/health", false).await;
    assert_eq!((status, &body["status"]), (200, &json!("warn")));
    assert!(
        body["output"]
            .as_str()
            .unwrap()
            .contains("runpod_configured")
    );
    let failing = component(&body, "runpod_configured");
    assert_eq!(failing["status"], "fail");
    assert_eq!(members(failing), FOR_ANYONE);
    for told in ["missing_config", "observed", "version", "releaseId"] {
        assert!(!body.to_string().contains(told), "{told}");
    }
    // A key alone changes nothing, as in the plain form.
    assert_eq!(asked(&service, "/health", true).await.1, body);
}

#[tokio::test]
async fn details_are_for_holders_of_a_key() {
    let service = service([Pass, Fail, Pass], |_| {}).await;
    let (status, body) = asked(&service, "/health?verbose", true).await;
    assert_eq!((status, &body["status"]), (200, &json!("warn")));
    assert_eq!(body["version"], infra_health::answers::CONTRACT_VERSION);
    assert_eq!(body["releaseId"], env!("CARGO_PKG_VERSION"));
    let plain = service.get_with_key("/health?verbose").await.json();
    for check in ["api", "runpod_configured"] {
        let detail = &plain["details"][check];
        let component = component(&body, check);
        assert_eq!(component["observedUnit"], "ms");
        assert_eq!(component["observedValue"], detail["latency_ms"]);
        assert_eq!(component["reason"], detail["reason"]);
        assert_eq!(component["status"], detail["status"]);
        let told = [("output", "message"), ("remedy", "remedy"), ("doc", "doc")];
        for (member, same) in told {
            let expected = (check == "runpod_configured").then_some(&detail[same]);
            assert_eq!(component.get(member), expected, "{check} {member}");
        }
    }
    let headers = [("accept", HEALTH_JSON)];
    let refused = service.ask("GET", "/health?verbose", &headers).await;
    assert_eq!(
        (refused.status, refused.error_code().as_str()),
        (401, "missing_api_key")
    );
}

#[tokio::test]
async fn degraded_is_fail_at_503_and_an_error_as_well() {
    let service = service([Pass, Fail, Pass], |with| {
        with.answers.degraded_is_503 = true;
    })
    .await;
    let (status, body) = asked(&service, "/health", false).await;
    assert_eq!((status, &body["status"]), (503, &json!("fail")));
    assert_eq!(body["error"]["code"], "degraded");
    assert_eq!(body["error"]["message"], body["output"]);
    assert_eq!(component(&body, "api")["status"], "pass");
    let wait = "/health?wait=healthy&timeout=1000ms&exclude=runpod_configured";
    assert_eq!(asked(&service, wait, true).await.0, 200);
    let probe = [("accept", HEALTH_JSON), ("x-infra-health-probe", "1")];
    let other = service.ask("GET", "/health", &probe).await;
    assert_eq!(
        (other.status, &other.json()["status"]),
        (200, &json!("warn"))
    );
}

#[tokio::test]
async fn one_check_has_the_form_too() {
    let service = service([Pass, Fail, Pass], |_| {}).await;
    let (status, body) = asked(&service, "/health/api", false).await;
    assert_eq!((status, &body["status"]), (200, &json!("pass")));
    assert_eq!(body["checks"].as_object().unwrap().len(), 1);
    assert_eq!(members(component(&body, "api")), FOR_ANYONE);
    let (status, body) = asked(&service, "/health/runpod_configured?verbose", true).await;
    assert_eq!((status, &body["status"]), (503, &json!("fail")));
    assert_eq!(body["error"]["code"], "check_failed");
    assert_eq!(
        component(&body, "runpod_configured")["reason"],
        "missing_config"
    );
}

#[tokio::test]
async fn a_check_that_does_not_count_says_so_and_one_without_a_result_has_no_time() {
    let service = Service::start([Pass, Hang, Fail]);
    let path = "/health?exclude=runpod_configured&exclude=r2_configured";
    let (status, body) = asked(&service, path, false).await;
    assert_eq!((status, &body["status"]), (200, &json!("pass")));
    let hung = component(&body, "runpod_configured");
    assert_eq!(
        (hung["status"].as_str(), hung.get("time")),
        (Some("fail"), None)
    );
    assert_eq!(hung["excluded"], true);
    assert_eq!(component(&body, "api").get("excluded"), None);
}

#[tokio::test]
async fn head_is_the_same_less_the_body() {
    let service = service([Pass, Fail, Pass], |with| {
        with.answers.degraded_is_503 = true;
    })
    .await;
    let comparable = |reply: &Reply| {
        let headers = reply.headers.iter().filter(|(name, _)| name != "date");
        let mut headers: Vec<_> = headers.cloned().collect();
        headers.sort();
        (reply.status, headers)
    };
    let headers = [("accept", HEALTH_JSON), ("x-request-id", "same")];
    for path in [
        "/health",
        "/health/api",
        "/health/r2_configured?verbose=0",
        "/health?x",
    ] {
        let get = service.ask("GET", path, &headers).await;
        let head = service.ask("HEAD", path, &headers).await;
        assert_eq!(comparable(&get), comparable(&head), "{path}");
        assert_eq!(get.header("content-type"), Some(HEALTH_JSON));
        assert_eq!(head.body, "");
    }
}

#[tokio::test]
async fn who_does_not_name_it_gets_json_whatever_the_field_holds() {
    let service = service([Pass; 3], |_| {}).await;
    let plain = service.get("/health").await;
    for accept in [
        "*/*",
        "application/*",
        "application/json",
        "application/health+json;q=0",
        "application/health+json;q=0.1, application/json",
        "application/health+json;q=nonsense",
        "text/html",
        "",
        ";;;,/",
        "application/health+jsonx",
        "\"application/health+json\"",
    ] {
        let reply = service.ask("GET", "/health", &[("accept", accept)]).await;
        reply.check_common();
        assert_eq!(reply.body, plain.body, "{accept}");
        assert_eq!(reply.header("vary"), Some("accept"));
    }
}

#[tokio::test]
async fn errors_about_the_request_and_other_endpoints_stay_json() {
    let service = service([Pass; 3], |with| with.limits.per_second = 1).await;
    let accept = ("accept", HEALTH_JSON);
    let as_key = [accept, ("x-api-key", KEY)];
    let refreshed = service.ask("POST", "/health/refresh", &as_key).await;
    refreshed.check_common();
    assert_eq!(refreshed.header("vary"), None, "it has but one form");
    // The one request of the burst is used up.
    let limited = service.ask("GET", "/health", &as_key).await;
    assert_eq!(
        (limited.status, limited.error_code().as_str()),
        (429, "rate_limited")
    );
    let invalid = service
        .ask("GET", "/health", &[accept, ("x-api-key", "none")])
        .await;
    assert_eq!(
        (invalid.status, invalid.error_code().as_str()),
        (401, "invalid_api_key")
    );
    for path in ["/livez", "/readyz"] {
        let reply = service.ask("GET", path, &[accept]).await;
        reply.check_common();
        assert_eq!(reply.header("vary"), None);
    }
    let unlimited = Service::start([Pass; 3]).settled().await;
    for (path, status) in [("/health?verbose=maybe", 400), ("/health/nothing", 404)] {
        let reply = unlimited.ask("GET", path, &[accept]).await;
        assert_eq!(reply.status, status);
        reply.error_code();
    }
}
