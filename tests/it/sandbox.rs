//! The sandbox, run as a newcomer runs it: as a process, by its printout, its URLs and its letters.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::support::caller::eventually;

/// A fault needs up to 7 s to show, twice that on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20);
/// Five requests a second: half of what the sandbox lets one client make.
const PAUSE: Duration = Duration::from_millis(200);
pub(crate) const KEY: &str = "sandbox-operator-key";
/// A day of jobs is waited for, too: longer than it takes from any start to what is waited for.
const DAY_DEADLINE: Duration = Duration::from_mins(1);

pub(crate) struct Sandbox {
    child: Child,
    /// All that was printed up to the last line of the introduction…
    pub(crate) printed: String,
    /// …and after it.
    pub(crate) since: Arc<Mutex<String>>,
    service: String,
    control: String,
    client: Client,
}

impl Sandbox {
    pub(crate) async fn start(stdin: Stdio) -> Sandbox {
        Sandbox::with(&[], stdin).await
    }

    pub(crate) async fn with(arguments: &[&str], stdin: Stdio) -> Sandbox {
        let mut child = Command::new(binary())
            .args(arguments)
            .env("PORT", "0")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let since = Arc::new(Mutex::new(String::new()));
        let printed = timeout(DEADLINE, introduction(output, Arc::clone(&since)))
            .await
            .expect("the sandbox printed no introduction");
        let place = |name: &str| {
            let mut lines = printed
                .lines()
                .filter_map(|line| line.trim().split_once(' '));
            let (_, place) = lines.find(|(word, _)| *word == name).unwrap();
            place.trim().to_owned()
        };
        let (service, control) = (place("service"), place("switches"));
        Sandbox {
            child,
            service,
            control,
            printed,
            since,
            client: Client::new(),
        }
    }

    async fn health(&self, query: &str, key: &str) -> (StatusCode, Value) {
        self.get(&format!("/health{query}"), key).await
    }

    pub(crate) async fn get(&self, path: &str, key: &str) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.service);
        let request = self.client.get(url).header("x-api-key", key);
        let response = request.timeout(DEADLINE).send().await.unwrap();
        let status = response.status();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Polls until a check has this boolean, and this reason among its findings.
    async fn becomes(&self, check: &str, boolean: bool, reason: &str) {
        let started = Instant::now();
        loop {
            let (status, body) = self.health("?verbose", KEY).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            let findings = body["details"][check]["findings"].as_array();
            let found = findings
                .into_iter()
                .flatten()
                .any(|finding| finding["reason"] == reason);
            if body["checks"][check] == boolean && found {
                return;
            }
            assert!(started.elapsed() < DEADLINE, "{check} {reason}: {body}");
            sleep(PAUSE).await;
        }
    }

    /// Waits for a line with all of these words.
    pub(crate) async fn says(&self, words: &[&str]) -> String {
        let started = Instant::now();
        loop {
            let since = self.since.lock().unwrap().clone();
            let wanted = |line: &&str| words.iter().all(|word| line.contains(word));
            if let Some(line) = since.lines().find(wanted) {
                return line.to_owned();
            }
            let waits = started.elapsed() < DAY_DEADLINE && !since.contains("is given up");
            assert!(waits, "{words:?}: {since}");
            sleep(PAUSE).await;
        }
    }

    async fn becomes_healthy(&self) {
        let (status, body) = self.health("?wait=healthy&timeout=15s", KEY).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    }

    pub(crate) async fn switch(&self, method: Method, path: &str) -> (StatusCode, String) {
        let url = format!("{}{path}", self.control);
        let response = self.client.request(method, url).send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    pub(crate) async fn type_line(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).await.unwrap();
        stdin.write_all(b"\n").await.unwrap();
    }

    async fn exit_code(&mut self) -> Option<i32> {
        let ended = timeout(DEADLINE, self.child.wait()).await;
        ended.expect("the sandbox did not end").unwrap().code()
    }
}

/// `cargo test` builds the examples, too; `cargo test --test it` does not.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let name = format!("sandbox{}", std::env::consts::EXE_SUFFIX);
    let path = profile.join("examples").join(name);
    assert!(
        path.exists(),
        "the sandbox is not built: run cargo build --example sandbox first"
    );
    path
}

/// Reads up to its last line, then goes on reading so that the sandbox can go on writing.
async fn introduction(mut output: BufReader<ChildStdout>, since: Arc<Mutex<String>>) -> String {
    let mut printed = String::new();
    while !printed.contains("? shows this again") {
        let count = output.read_line(&mut printed).await.unwrap();
        assert!(count > 0, "the sandbox ended: {printed}");
    }
    tokio::spawn(async move {
        let mut line = String::new();
        while output
            .read_line(&mut line)
            .await
            .is_ok_and(|count| count > 0)
        {
            since.lock().unwrap().push_str(&line);
            line.clear();
        }
    });
    printed
}

#[tokio::test]
async fn urls_switch_faults_of_both_upstreams_on_and_off() {
    let sandbox = Sandbox::start(Stdio::null()).await;
    let (status, body) = sandbox.health("", KEY).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["status"], "healthy", "the first answer waits: {body}");
    assert!(sandbox.printed.contains(KEY));
    let (status, _) = sandbox.health("", "not-the-printed-key").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);

    let (status, list) = sandbox.switch(Method::GET, "/faults").await;
    assert_eq!(status, StatusCode::OK);
    for line in list.lines() {
        let name = line.strip_prefix("off ").expect(line).trim();
        assert!(sandbox.printed.contains(&format!(" {name} ")), "{name}");
    }

    for fault in ["key-revoked", "bucket-deleted"] {
        let (status, line) = sandbox
            .switch(Method::POST, &format!("/faults/{fault}"))
            .await;
        assert_eq!(status, StatusCode::OK, "{line}");
    }
    sandbox
        .becomes("runpod_configured", false, "unauthorized")
        .await;
    sandbox
        .becomes("r2_configured", false, "bucket_not_found")
        .await;
    // In place of the others.
    sandbox.switch(Method::POST, "/faults/runpod-hangs").await;
    sandbox.switch(Method::POST, "/faults/secret-wrong").await;
    sandbox.becomes("runpod_configured", false, "timeout").await;
    sandbox
        .becomes("r2_configured", false, "signature_mismatch")
        .await;
    let (_, list) = sandbox.switch(Method::GET, "/faults").await;
    assert_eq!(list.matches("on  ").count(), 2, "{list}");

    sandbox.switch(Method::DELETE, "/faults/runpod-hangs").await;
    sandbox.switch(Method::DELETE, "/faults/secret-wrong").await;
    sandbox.becomes_healthy().await;

    let (status, _) = sandbox.switch(Method::POST, "/faults/no-such").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = sandbox.switch(Method::PUT, "/faults/backlog").await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn letters_switch_faults_on_and_off_and_end_the_sandbox() {
    let mut sandbox = Sandbox::start(Stdio::piped()).await;
    sandbox.type_line("l").await;
    sandbox.type_line("v").await;
    sandbox.says(&["backlog is on"]).await;
    sandbox
        .becomes("runpod_configured", true, "backlog_growing")
        .await;
    sandbox
        .becomes("r2_configured", false, "invalid_access_key")
        .await;
    sandbox.type_line("v").await;
    sandbox.type_line("d").await;
    sandbox.becomes("r2_configured", true, "clock_drift").await;
    sandbox.type_line("h").await;
    // Warnings leave the booleans true, so only the list tells when the letter has been read.
    eventually("all faults off", async || {
        let (_, list) = sandbox.switch(Method::GET, "/faults").await;
        !list.contains("on ")
    })
    .await;
    sandbox.becomes_healthy().await;

    sandbox.type_line("q").await;
    assert_eq!(sandbox.exit_code().await, Some(0));
}

#[cfg(unix)]
#[tokio::test]
async fn an_interrupt_ends_it_cleanly_and_a_closed_input_does_not() {
    let mut sandbox = Sandbox::start(Stdio::piped()).await;
    drop(sandbox.child.stdin.take());
    sandbox.switch(Method::POST, "/faults/garbage").await;
    sandbox
        .becomes("runpod_configured", false, "invalid_response")
        .await;
    let pid = sandbox.child.id().unwrap();
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -INT {pid}")])
        .status();
    assert!(sent.await.unwrap().success());
    assert_eq!(sandbox.exit_code().await, Some(0));
}
