//! Secrets that change in their files while the whole service runs.

use crate::support::app::TestApp;
use crate::support::caller::{KEY, eventually};
use crate::support::fixture::Fixture;
use crate::support::upstreams::{SECRET_KEY, Upstreams};

#[tokio::test]
async fn rotated_secrets_are_used_by_the_next_probe_and_request() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let write = |name: &str, text: &str| std::fs::write(path(name), text).unwrap();
    let (old, new) = ("0".repeat(32), "1".repeat(32));
    write("runpod", "rpa_old");
    write("id", &old);
    write("secret", SECRET_KEY);
    write("keys", KEY);
    let upstreams = Upstreams::start().await;
    upstreams.s3.set_tokens(vec![Upstreams::token(&old)]);
    let app = TestApp::start(
        upstreams.pairs(),
        &[
            ("RUNPOD_API_KEY_FILE", &path("runpod")),
            ("R2_ACCESS_KEY_ID_FILE", &path("id")),
            ("R2_SECRET_ACCESS_KEY_FILE", &path("secret")),
            ("API_KEYS_FILE", &path("keys")),
        ],
    );
    app.until_status("healthy").await;

    write("runpod", "rpa_new\n");
    let sent = |runpod: &Fixture| {
        runpod
            .requests()
            .last()
            .unwrap()
            .header("authorization")
            .unwrap()
            .to_owned()
    };
    eventually("the new key", async || {
        sent(&upstreams.runpod) == "Bearer rpa_new"
    })
    .await;

    upstreams.s3.set_tokens(vec![Upstreams::token(&new)]);
    app.until_reason("r2_configured", "invalid_access_key")
        .await;
    write("id", &new);
    app.until_status("healthy").await;

    write("keys", "another-key-0123456789");
    app.until("/health", |answer| answer.status == 401).await;
    let other = [("x-api-key", "another-key-0123456789")];
    assert_eq!(app.ask("GET", "/health?verbose", &other).await.status, 200);
}
