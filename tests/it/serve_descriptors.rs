//! Out of descriptors: in processes of their own, because the limit is the process's.

use std::io::{BufRead, BufReader, Lines};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};

use infra_health::config::{Log, LogFormat};
use infra_health::serve::Stage;
use infra_health::telemetry;
use tracing::level_filters::LevelFilter;

use crate::support::app::TestApp;
use crate::support::caller::Caller;
use crate::support::raw::{Answer, Raw, get};
use crate::support::served::{Served, patient};
use crate::support::upstreams::Upstreams;

const DESCRIPTORS: u64 = 48;
const CLIENTS: usize = 80;
/// For the whole service with 256 connections of `PROBE_ADDR`: the main listener can have 216.
const MORE_DESCRIPTORS: u64 = 600;
/// Set in the process that is to run out of descriptors.
const CHILD: &str = "SERVE_DESCRIPTORS_CHILD";

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// A test of this file once more, as a process that ends when its standard input does.
struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(test: &str) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                &format!("serve_descriptors::{test}"),
                "--nocapture",
            ])
            .env(CHILD, "yes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, lines }
    }

    /// Waits for the line that tells an address.
    fn address(&mut self) -> SocketAddr {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines
            .find_map(|line| Some(line.split_once("listening on ")?.1.parse().unwrap()))
            .expect("the child's address")
    }

    /// Ends it; the lines of its log.
    fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let log = self.lines.map(Result::unwrap);
        let log = log.filter(|line| line.starts_with('{')).collect();
        assert!(self.child.wait().unwrap().success());
        log
    }
}

fn assert_told_once(log: &[String]) {
    let about = |line: &&String| line.contains("cannot accept connections");
    let told = log.iter().filter(about).count();
    assert_eq!(told, 1, "once an episode: {log:#?}");
}

#[tokio::test]
async fn accepting_goes_on_after_descriptors_ran_out() {
    if is_child() {
        return few_descriptors().await;
    }
    let mut process = Process::start("accepting_goes_on_after_descriptors_ran_out");
    let address = process.address();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut raw = Raw::connect(address).await;
        raw.send(get("/x")).await;
        clients.push(raw);
    }
    // Each answered connection that goes makes room for one that waits.
    for mut raw in clients {
        assert_eq!(raw.answer().await.expect("never accepted").body, b"/x");
    }
    assert_told_once(&process.end());
}

#[tokio::test]
async fn idle_connections_give_way_when_descriptors_run_out() {
    if is_child() {
        return few_descriptors().await;
    }
    let mut process = Process::start("idle_connections_give_way_when_descriptors_run_out");
    let address = process.address();
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut raw = Raw::connect(address).await;
        let answer = raw.ask("/x").await;
        assert_eq!(answer.expect("never accepted").body, b"/x");
        clients.push(raw);
    }
    assert_told_once(&process.end());
}

#[tokio::test]
async fn idle_connections_alone_exhaust_nothing() {
    if is_child() {
        return more_descriptors().await;
    }
    let mut process = Process::start("idle_connections_alone_exhaust_nothing");
    let (main, probes) = (process.address(), process.address());
    // More than it has descriptors, and MAX_CONNECTIONS allows them.
    let mut idle = Vec::new();
    for _ in 0..MORE_DESCRIPTORS + 50 {
        idle.push(Raw::connect(main).await);
    }
    let all_counted = |answer: &Answer| {
        let data = &answer.json()["details"]["api"]["data"]["descriptors"];
        data["open"].as_u64() > Some(200)
    };
    let health = Caller(main).until("/health?verbose", all_counted).await;
    let result = &health.json()["details"]["api"]["last_result"];
    assert_eq!(result, "pass", "{health}");
    for listener in [main, probes] {
        let ready = Caller(listener).get("/readyz").await;
        assert_eq!(ready.status, 200, "{ready}");
    }
    drop(idle);
    process.end();
}

/// Leaves this process fewer descriptors than there will be clients.
fn limit(descriptors: u64) {
    rlimit::setrlimit(rlimit::Resource::NOFILE, descriptors, descriptors).unwrap();
}

async fn until_input_ends() {
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await
        .unwrap()
        .unwrap();
}

/// The other process.
async fn few_descriptors() {
    let log = Log {
        level: LevelFilter::INFO,
        format: LogFormat::Json,
    };
    let _telemetry = telemetry::init(log);
    let served = Served::start(patient()).await;
    limit(DESCRIPTORS);
    println!("listening on {}", served.address);
    until_input_ends().await;
    served.advance(Stage::Closing);
    served.report().await;
}

/// The other process, with the whole service.
async fn more_descriptors() {
    limit(MORE_DESCRIPTORS);
    let upstreams = Upstreams::start().await;
    let more = [
        ("PROBE_ADDR", "127.0.0.1:0"),
        ("MAX_CONNECTIONS", "1000000"),
        ("HEADER_TIMEOUT", "60s"),
    ];
    let app = TestApp::start(upstreams.pairs(), &more);
    app.until_status("healthy").await;
    println!("listening on {}", app.0);
    println!("listening on {}", app.probes.unwrap().0);
    until_input_ends().await;
    app.end().await.unwrap();
}
