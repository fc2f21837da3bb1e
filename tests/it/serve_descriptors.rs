//! Out of descriptors: a process of its own, because the limit is the process's.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use infra_health::config::{Log, LogFormat};
use infra_health::serve::Stage;
use infra_health::telemetry;
use tracing::level_filters::LevelFilter;

use crate::support::raw::{Raw, get};
use crate::support::served::{Served, patient};

const DESCRIPTORS: u64 = 48;
const CLIENTS: usize = 80;
/// Set in the process that is to run out of descriptors.
const CHILD: &str = "SERVE_DESCRIPTORS_CHILD";

#[tokio::test]
async fn accepting_goes_on_after_descriptors_ran_out() {
    if std::env::var_os(CHILD).is_some() {
        return child().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "serve_descriptors::accepting_goes_on_after_descriptors_ran_out",
            "--nocapture",
        ])
        .env(CHILD, "yes")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap);
    let address = lines
        .find_map(|line| Some(line.split_once("listening on ")?.1.parse().unwrap()))
        .expect("the child's address");

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
    drop(child.stdin.take());
    let log: Vec<_> = lines.filter(|line| line.starts_with('{')).collect();
    assert!(child.wait().unwrap().success());
    let told = log
        .iter()
        .filter(|line| line.contains("cannot accept connections"))
        .count();
    assert_eq!(told, 1, "once an episode: {log:#?}");
}

/// The other process: serves until its standard input ends.
async fn child() {
    let log = Log {
        level: LevelFilter::INFO,
        format: LogFormat::Json,
    };
    let _telemetry = telemetry::init(log);
    let served = Served::start(patient()).await;
    let (_, hard) = rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap();
    rlimit::setrlimit(rlimit::Resource::NOFILE, DESCRIPTORS, hard).unwrap();
    println!("listening on {}", served.address);
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await
        .unwrap()
        .unwrap();
    served.advance(Stage::Closing);
    served.report().await;
}
