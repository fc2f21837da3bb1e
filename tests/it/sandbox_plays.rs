//! The sandbox's days of jobs: what is seen of them at the terminal and by HTTP.

use std::process::Stdio;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::sandbox::{KEY, Sandbox};

/// Minutes that a day takes: slow enough for a busy machine.
const DAY: &str = "3";

#[tokio::test]
async fn a_day_has_an_incident_that_fires_and_recovers_and_can_be_followed_to_its_jobs() {
    let arguments = ["--day", "--minutes", DAY, "--from", "09:30"];
    let sandbox = Sandbox::with(&arguments, Stdio::null()).await;
    let (status, why) = sandbox.switch(Method::POST, "/day").await;
    assert_eq!(status, StatusCode::CONFLICT, "one at a time: {why}");
    let (_, playing) = sandbox.switch(Method::GET, "/day").await;
    assert_eq!(playing, "a day is being played\n");

    sandbox.says(&["job_failure_rate: ok -> firing"]).await;
    let (status, body) = sandbox.get("/signals", KEY).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["basis"], "webhooks");
    sandbox.says(&["job_failure_rate: firing -> ok"]).await;
    sandbox
        .says(&["  11:00  ", " completed, ", " failed; "])
        .await;

    let (status, body) = sandbox.get("/jobs?status=failed", KEY).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let jobs = body["jobs"].as_array().unwrap();
    let incident = |job: &&Value| job["error"]["code"] == "gpu_out_of_memory";
    let job = jobs
        .iter()
        .find(incident)
        .unwrap_or_else(|| panic!("{body}"));
    let id = job["job_id"].as_str().unwrap();
    let (status, trail) = sandbox.get(&format!("/jobs/{id}"), KEY).await;
    assert_eq!(status, StatusCode::OK, "{trail}");
    assert_eq!(trail["request_id"], id.replace("job_", "req_"));
    let transitions = trail["transitions"].as_array().unwrap();
    let last = transitions.iter().max_by_key(|step| step["at"].as_str());
    assert_eq!(last.unwrap()["status"], "failed", "{trail}");
}

#[tokio::test]
async fn a_day_has_a_slow_model_that_fires_only_after_a_window_and_recovers() {
    let arguments = ["--day", "--minutes", DAY, "--from", "14:40"];
    let sandbox = Sandbox::with(&arguments, Stdio::null()).await;
    let pending = ["processing_latency_p95: ok -> pending", "(matting-hd)"];
    let pending = sandbox.says(&pending).await;
    let firing = ["processing_latency_p95: pending -> firing", "(matting-hd)"];
    let firing = sandbox.says(&firing).await;
    let minutes = |line: &str| {
        let (hour, minute) = line[2..7].split_once(':').unwrap();
        hour.parse::<u32>().unwrap() * 60 + minute.parse::<u32>().unwrap()
    };
    // Each is told in whole minutes.
    assert!(
        minutes(&firing) >= minutes(&pending) + 14,
        "{pending}\n{firing}"
    );
    sandbox
        .says(&["processing_latency_p95: firing -> ok"])
        .await;
    let said = sandbox.since.lock().unwrap().clone();
    assert!(!said.contains("job_failure_rate: ok -> firing"), "{said}");
}

#[tokio::test]
async fn without_a_day_the_signals_are_of_15_minutes_and_none_can_be_played() {
    let mut sandbox = Sandbox::start(Stdio::piped()).await;
    let (status, why) = sandbox.switch(Method::POST, "/day").await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(why.contains("-- --day"), "{why}");
    sandbox.type_line("j").await;
    sandbox.says(&["-- --day"]).await;
    let (status, body) = sandbox.get("/signals", KEY).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for signal in ["job_failure_rate", "processing_latency_p95"] {
        let signal = &body["signals"][signal];
        assert_eq!(signal["window"], "15m");
        assert_eq!(signal["state"], "insufficient_data");
    }
    for command in [
        "openssl dgst",
        "/signals",
        "/jobs?status=failed",
        "/webhooks/runpod/",
    ] {
        assert!(sandbox.printed.contains(command), "{command}");
    }
}
