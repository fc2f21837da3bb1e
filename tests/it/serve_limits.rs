//! Every phase of a connection ends in time, and the cap holds.

use std::time::Duration;

use infra_health::serve::{Cause, Limits};

use crate::support::caller::eventually;
use crate::support::raw::get;
use crate::support::served::{BIG, Served, patient};

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_connection_without_a_head_is_closed() {
    let served = Served::start(Limits {
        header_timeout: SHORT,
        ..patient()
    })
    .await;
    let silent = served.connect().await;
    let mut half = served.connect().await;
    half.send("GET / HTTP/1.1\r\nhost: te").await;
    assert_eq!(silent.closed().await, b"");
    assert_eq!(half.closed().await, b"");
    assert_eq!(served.end().await.count(Cause::HeaderTimeout), 2);
}

#[tokio::test]
async fn a_dripping_head_gets_no_extra_time() {
    let served = Served::start(Limits {
        header_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut raw = served.connect().await;
    raw.send("GET / HTTP/1.1\r\nx: ").await;
    let mut silent = 0;
    while raw.send("y").await {
        silent += 1;
        assert!(silent < 20, "still open");
        // Time passes: a silent connection is opened and swept.
        served.connect().await.closed().await;
    }
    assert_eq!(served.end().await.count(Cause::HeaderTimeout), silent + 1);
}

#[tokio::test]
async fn a_later_head_has_its_own_timeout() {
    let served = Served::start(Limits {
        header_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut raw = served.connect().await;
    assert_eq!(raw.ask("/one").await.unwrap().body, b"/one");
    raw.send("GET /tw").await;
    assert_eq!(raw.closed().await, b"");
    assert_eq!(served.end().await.count(Cause::HeaderTimeout), 1);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let served = Served::start(Limits {
        idle_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut raw = served.connect().await;
    assert_eq!(raw.ask("/one").await.unwrap().status, 200);
    assert_eq!(raw.closed().await, b"");
    let report = served.end().await;
    assert_eq!(
        (
            report.count(Cause::Idle),
            report.count(Cause::HeaderTimeout)
        ),
        (1, 0)
    );
}

#[tokio::test]
async fn a_busy_connection_outlives_both() {
    let limits = Limits {
        header_timeout: SHORT,
        idle_timeout: SHORT,
        ..patient()
    };
    let served = Served::start(limits).await;
    let mut held = served.connect_held().await;
    for _ in 0..3 {
        // Time passes: a silent connection is opened and swept.
        served.connect().await.closed().await;
    }
    served.release();
    assert_eq!(held.answer().await.unwrap().body, b"held");
    served.end().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let served = Served::start(Limits {
        busy_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut raw = served.connect().await;
    raw.send(get("/big")).await;
    // Sweeps pass while nothing is read.
    let held = served.connect_held().await;
    assert_eq!(held.closed().await, b"");
    let mut other = served.connect_held().await;
    assert!(other.answer().await.is_none());
    assert!(raw.closed().await.len() < BIG);
    assert_eq!(served.end().await.count(Cause::Stalled), 3);
}

#[tokio::test]
async fn an_answer_that_makes_no_progress_is_cut() {
    let served = Served::start(Limits {
        header_timeout: SHORT,
        ..patient()
    })
    .await;
    let mut held = served.connect_held().await;
    let mut raw = served.connect().await;
    raw.send(get("/big")).await;
    raw.begun().await;
    // Sweeps pass while nothing is read.
    for _ in 0..3 {
        served.connect().await.closed().await;
    }
    assert!(raw.closed().await.len() < BIG);
    served.release();
    assert_eq!(held.answer().await.unwrap().body, b"held");
    assert_eq!(served.end().await.count(Cause::Stalled), 1);
}

/// Whether a new connection gets a place and an answer.
async fn is_accepted(served: &Served) -> bool {
    served.connect().await.ask("/other").await.is_some()
}

#[tokio::test]
async fn at_the_cap_a_client_that_does_not_read_gives_way() {
    let one = Limits {
        max_connections: 1,
        ..patient()
    };
    let served = Served::start(one).await;
    let mut one_answer = served.connect().await;
    one_answer.send(get("/big")).await;
    one_answer.begun().await;
    eventually("a place", async || is_accepted(&served).await).await;
    assert!(one_answer.closed().await.len() < BIG);
    assert_eq!(served.end().await.count(Cause::Stalled), 0);

    let served = Served::start(one).await;
    let mut many_answers = served.connect().await;
    many_answers.send(get("/first")).await;
    many_answers.begun().await;
    let requests = get(&"x".repeat(1 << 12)).repeat(64);
    let flood = tokio::spawn(async move { while many_answers.send(&requests).await {} });
    eventually("a place", async || is_accepted(&served).await).await;
    flood.await.unwrap();
    assert_eq!(served.end().await.count(Cause::Stalled), 0);
}

#[tokio::test]
async fn at_the_cap_the_silent_give_way_before_who_asks() {
    let served = Served::start(Limits {
        max_connections: 2,
        ..patient()
    })
    .await;
    let silent = served.connect().await;
    let mut alive = served.connect().await;
    for path in ["/one", "/two"] {
        assert_eq!(alive.ask(path).await.unwrap().body, path.as_bytes());
    }
    assert!(is_accepted(&served).await);
    assert_eq!(silent.closed().await, b"");
    assert_eq!(alive.ask("/three").await.unwrap().body, b"/three");
    assert_eq!(served.end().await.count(Cause::Evicted), 1);
}

#[tokio::test]
async fn at_the_cap_the_longest_idle_gives_way() {
    let served = Served::start(Limits {
        max_connections: 3,
        ..patient()
    })
    .await;
    let mut held = served.connect_held().await;
    let mut first = served.connect().await;
    assert_eq!(first.ask("/first").await.unwrap().status, 200);
    let mut second = served.connect().await;
    assert_eq!(second.ask("/second").await.unwrap().status, 200);
    let mut third = served.connect().await;
    assert_eq!(third.ask("/third").await.unwrap().body, b"/third");
    assert_eq!(first.closed().await, b"");
    assert_eq!(second.ask("/again").await.unwrap().body, b"/again");
    served.release();
    assert_eq!(held.answer().await.unwrap().body, b"held");
    assert_eq!(served.end().await.count(Cause::Evicted), 1);
}

#[tokio::test]
async fn busy_connections_do_not_give_way() {
    let served = Served::start(Limits {
        max_connections: 2,
        ..patient()
    })
    .await;
    let mut held = [served.connect_held().await, served.connect_held().await];
    assert_eq!(served.connect().await.closed().await, b"");
    for raw in &mut held {
        served.release();
        assert_eq!(raw.answer().await.unwrap().body, b"held");
    }
    assert_eq!(
        served.connect().await.ask("/after").await.unwrap().body,
        b"/after"
    );
    let report = served.end().await;
    assert_eq!((report.accepted, report.count(Cause::Refused)), (4, 1));
}
