//! What systemd hears of the real binary, through a real socket.

use tempfile::TempDir;
use tokio::net::{TcpListener, UnixDatagram};
use tokio::time::timeout;

use crate::support::binary::Service;
use crate::support::raw::DEADLINE;
use crate::support::upstreams::Upstreams;

const NONE: [(&str, &str); 0] = [];

/// systemd's end of the socket.
struct Manager {
    socket: UnixDatagram,
    path: String,
    _directory: TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        Manager {
            socket: UnixDatagram::bind(&path).unwrap(),
            path: path.into_os_string().into_string().unwrap(),
            _directory: directory,
        }
    }

    /// The next message.
    async fn told(&self) -> String {
        let mut buffer = [0; 512];
        let received = timeout(DEADLINE, self.socket.recv(&mut buffer));
        let length = received.await.expect("nothing is told").unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits for a message; what comes before it may be anything.
    async fn until(&self, wanted: &str) {
        timeout(DEADLINE, async { while self.told().await != wanted {} })
            .await
            .unwrap_or_else(|_| panic!("{wanted:?} is not told"));
    }
}

#[tokio::test]
async fn systemd_hears_of_every_change_from_start_to_stop() {
    let (manager, upstreams) = (Manager::new(), Upstreams::start().await);
    let pairs = [
        ("NOTIFY_SOCKET", manager.path.as_str()),
        ("WATCHDOG_USEC", "100000"),
        ("CHECK_INTERVAL", "300ms"),
        ("CHECK_RETRY_INTERVAL", "20ms"),
        ("SHUTDOWN_DELAY", "60s"),
    ];
    let service = Service::start(upstreams.pairs(), &pairs).await;
    assert_eq!(manager.told().await, "READY=1\n", "before anything else");
    manager.until("STATUS=healthy\n").await;
    for _ in 0..3 {
        manager.until("WATCHDOG=1\n").await;
    }
    upstreams.s3.delete_bucket("videos").unwrap();
    manager.until("STATUS=degraded: r2_configured\n").await;
    upstreams.s3.create_bucket("videos").unwrap();
    manager.until("STATUS=healthy\n").await;

    service.signal("TERM").await;
    manager.until("STOPPING=1\n").await;
    manager.until("STATUS=draining\n").await;
    // It lives as long as it drains.
    manager.until("WATCHDOG=1\n").await;
    service.signal("TERM").await;
    assert_eq!(service.ended().await.0, Some(0));
}

#[tokio::test]
async fn a_start_waits_for_no_upstream() {
    let (manager, silent) = (
        Manager::new(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let base = format!("http://{}/v2", silent.local_addr().unwrap());
    let pairs = [
        ("NOTIFY_SOCKET", manager.path.as_str()),
        ("RUNPOD_API_KEY", "rpa_0123456789ABCDEF"),
        ("RUNPOD_ENDPOINT_ID", "abcdefghijklmn"),
        ("RUNPOD_ENDPOINT_BASE_URL", &base),
        ("CHECK_TIMEOUT", "30s"),
    ];
    let service = Service::start(NONE, &pairs).await;
    assert_eq!(manager.told().await, "READY=1\n");
    let answer = service.get("/readyz").await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (503, &"starting".into())
    );
    manager
        .until("STATUS=starting: the first round of checks has not ended\n")
        .await;
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_told_and_stops_nothing() {
    let service = Service::start(NONE, &[("NOTIFY_SOCKET", "/nowhere/notify")]).await;
    assert_eq!(service.get("/livez").await.status, 200);
    let line = service
        .logged(|line| {
            line["message"]
                .as_str()
                .is_some_and(|message| message.starts_with("NOTIFY_SOCKET"))
        })
        .await;
    assert_eq!(line["level"], "WARN", "{line}");
}
