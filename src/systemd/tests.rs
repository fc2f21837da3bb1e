use std::os::unix::net::UnixDatagram;

use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::answers::Options;
use crate::clock::{Clock, Now};
use crate::config::Policy;
use crate::monitor::{self, Monitor};
use crate::registry::{DataSchema, Info};
use crate::serve::Shutdown;
use crate::state::{Run, State, next};

const SECOND: Duration = Duration::from_secs(1);

fn infos() -> Vec<Info> {
    let info = |name| Info {
        name,
        about_this_process: name == "api",
        reasons: &[],
        timed: &[],
        families: &[],
        data: DataSchema::of::<()>(),
        policy: Policy::default(),
    };
    ["api", "runpod", "r2"].map(info).to_vec()
}

/// A monitor that has ended: its heart beats no more.
async fn ended_monitor() -> monitor::Handle {
    let Monitor { handle, ended, .. } = monitor::start(monitor::Setup {
        infos: infos(),
        options: Options::default(),
        clock: Clock::default(),
        refresh_gap: SECOND,
        build: || Err("scripted".into()),
        on_beat: Box::new(|_now| {}),
    })
    .unwrap();
    let _: Result<&str, oneshot::error::RecvError> = ended.await;
    handle
}

/// systemd's end of the socket.
struct Manager {
    socket: UnixDatagram,
    _directory: TempDir,
    notifier: Option<Notifier>,
}

impl Manager {
    fn new(watchdog: Option<Duration>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let manager = ServiceManager {
            socket: path.into_os_string(),
            watchdog,
        };
        Manager {
            socket,
            _directory: directory,
            notifier: Some(Notifier::connect(&manager).unwrap()),
        }
    }

    /// Everything told so far.
    fn told(&self) -> Vec<String> {
        let mut buffer = [0; 512];
        let next = || {
            let length = self.socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
        };
        std::iter::from_fn(next).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_monitor_shows_no_sign_of_life() {
    let handle = ended_monitor().await;
    let mut manager = Manager::new(Some(20 * SECOND));
    let (shutdown, drain) = Shutdown::new();
    let source = Source {
        published: handle.published.clone(),
        heartbeat: handle.heartbeat.clone(),
        drain,
        excluded: CheckSet::EMPTY,
    };
    let notifier = manager.notifier.take().unwrap();
    let running = tokio::spawn(notifier.run(source));
    let pings = |told: &[String]| told.iter().filter(|line| *line == "WATCHDOG=1\n").count();

    tokio::time::sleep(29 * SECOND).await;
    let told = manager.told();
    assert_eq!(told[0], "READY=1\n");
    assert_eq!(pings(&told), 3, "twice in 20 s, from the start: {told:?}");

    // The last beat is over 30 s old.
    tokio::time::sleep(3 * SECOND).await;
    manager.told();
    tokio::time::sleep(100 * SECOND).await;
    let told = manager.told();
    assert_eq!(pings(&told), 0, "{told:?}");

    shutdown.advance(Stage::Draining);
    tokio::time::sleep(SECOND).await;
    assert_eq!(manager.told(), ["STOPPING=1\n", "STATUS=draining\n"]);
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn without_a_watchdog_there_are_no_pings() {
    let handle = ended_monitor().await;
    let mut manager = Manager::new(None);
    let (_shutdown, drain) = Shutdown::new();
    let source = Source {
        published: handle.published.clone(),
        heartbeat: handle.heartbeat.clone(),
        drain,
        excluded: CheckSet::EMPTY,
    };
    let running = tokio::spawn(manager.notifier.take().unwrap().run(source));
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(
        manager.told(),
        [
            "READY=1\n",
            "STATUS=starting: the first round of checks has not ended\n"
        ]
    );
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn what_a_full_queue_refused_is_told_again() {
    let handle = ended_monitor().await;
    let mut manager = Manager::new(None);
    let (_shutdown, drain) = Shutdown::new();
    let source = Source {
        published: handle.published.clone(),
        heartbeat: handle.heartbeat.clone(),
        drain,
        excluded: CheckSet::EMPTY,
    };
    let notifier = manager.notifier.take().unwrap();
    while notifier.socket.send("FULL=1\n").is_ok() {}
    let running = tokio::spawn(notifier.run(source));
    tokio::time::sleep(3 * SECOND).await;
    assert!(manager.told().iter().all(|line| line == "FULL=1\n"));
    tokio::time::sleep(3 * SECOND).await;
    assert_eq!(
        manager.told(),
        [
            "READY=1\n",
            "STATUS=starting: the first round of checks has not ended\n"
        ]
    );
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn the_status_names_what_fails_and_counts() {
    let clock = Clock::default();
    let start = clock.now();
    let at = |second: u32| Moment {
        now: start.mono + SECOND * second,
        stalled: false,
    };
    let mut snapshot = Snapshot::starting(&infos());
    let run = |at: Now, reason: Option<&'static crate::reason::Reason>| Run {
        findings: reason.map(crate::check::Finding::new).into_iter().collect(),
        data: None,
        at,
        latency: Duration::ZERO,
    };
    let told =
        |snapshot: &Snapshot, excluded, second| status(snapshot, excluded, at(second), false);
    assert!(told(&snapshot, CheckSet::EMPTY, 0).starts_with("starting"));
    for check in &mut snapshot.checks {
        let reason = (check.info.name != "api").then_some(&crate::reason::MALFORMED_CONFIG);
        let run = run(start, reason);
        check.state = Arc::new(next(&State::new(), run, &check.info.policy));
    }
    assert_eq!(told(&snapshot, CheckSet::EMPTY, 1), "degraded: runpod, r2");
    let without_r2 = CheckSet::EMPTY.with(2);
    assert_eq!(told(&snapshot, without_r2, 1), "degraded: runpod");
    let only_api = without_r2.with(1);
    assert_eq!(told(&snapshot, only_api, 1), "healthy");
    assert_eq!(told(&snapshot, only_api, 1_000), "degraded: api", "stale");
    assert_eq!(status(&snapshot, CheckSet::EMPTY, at(1), true), "draining");
}
