//! The two-phase shutdown, driven by its handle.

use std::sync::Arc;
use std::time::Duration;

use infra_health::serve::{Cause, Limits, Stage};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::raw::{DEADLINE, Raw, get};
use crate::support::served::{Served, patient};

#[tokio::test]
async fn clients_that_go_on_sending_lose_nothing() {
    let served = Served::start(patient()).await;
    let answered = Arc::new(Semaphore::new(0));
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (address, answered) = (served.address, Arc::clone(&answered));
            tokio::spawn(async move {
                let mut raw = Raw::connect(address).await;
                for sent in 1.. {
                    let Some(answer) = raw.ask("/x").await else {
                        return Err(sent);
                    };
                    answered.add_permits(1);
                    if answer.closes() {
                        assert_eq!(raw.closed().await, b"");
                        return Ok(sent);
                    }
                }
                unreachable!("the loop has no end");
            })
        })
        .collect();
    let some_more = || async {
        timeout(DEADLINE, answered.acquire_many(200))
            .await
            .unwrap()
            .unwrap()
            .forget();
    };
    some_more().await;
    served.advance(Stage::Draining);
    some_more().await;
    served.advance(Stage::Closing);
    for client in clients {
        client.await.unwrap().expect("a request was lost");
    }
    assert_eq!(served.report().await.count(Cause::CutAtShutdown), 0);
}

#[tokio::test]
async fn it_accepts_while_draining_and_refuses_once_closed() {
    let served = Served::start(patient()).await;
    served.advance(Stage::Draining);
    let answer = served.connect().await.ask("/late").await.unwrap();
    assert_eq!(answer.body, b"/late");
    assert!(!answer.closes(), "not before the delay is over");
    let address = served.address;
    served.end().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let served = Served::start(patient()).await;
    let mut idle = served.connect().await;
    assert_eq!(idle.ask("/one").await.unwrap().status, 200);
    let fresh = served.connect().await;
    served.advance(Stage::Closing);
    assert_eq!(idle.closed().await, b"");
    assert_eq!(fresh.closed().await, b"");
    assert_eq!(served.report().await.count(Cause::Idle), 2);
}

#[tokio::test]
async fn a_busy_connection_gets_its_answer() {
    let served = Served::start(patient()).await;
    let mut held = served.connect_held().await;
    let idle = served.connect().await;
    served.advance(Stage::Closing);
    // The others are gone, so sweeps have passed.
    idle.closed().await;
    served.release();
    let answer = held.answer().await.unwrap();
    assert_eq!(answer.body, b"held");
    assert!(answer.closes());
    assert_eq!(held.closed().await, b"");
    assert_eq!(served.report().await.count(Cause::CutAtShutdown), 0);
}

#[tokio::test]
async fn the_grace_has_an_end() {
    let limits = Limits {
        shutdown_grace: Duration::from_millis(50),
        ..patient()
    };
    let served = Served::start(limits).await;
    let held = served.connect_held().await;
    let report = served.end().await;
    assert_eq!(report.count(Cause::CutAtShutdown), 1);
    assert_eq!(held.closed().await, b"");
}

#[tokio::test]
async fn the_accept_queue_is_emptied() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut waiting = Vec::new();
    for _ in 0..90 {
        let mut raw = Raw::connect(listener.local_addr().unwrap()).await;
        raw.send(get("/queued")).await;
        waiting.push(raw);
    }
    let served = Served::on(listener, patient(), Stage::Closing);
    for mut raw in waiting {
        let answer = raw.answer().await.expect("lost in the queue");
        assert_eq!(answer.body, b"/queued");
        assert!(answer.closes());
    }
    assert_eq!(served.report().await.accepted, 90);
}
