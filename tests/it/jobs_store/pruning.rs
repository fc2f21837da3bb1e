//! What goes first, what never goes, and that space comes back.

use std::time::Duration;

use infra_health::jobs::event::{Delivery, Status};
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::{Limits, Pruned, Store};

use super::made::{reached, verdicts};
use super::on_both;
use super::place::Place;

on_both!(
    what_is_older_than_the_retention_goes_with_its_job,
    a_job_stays_while_one_of_its_events_does,
    the_oldest_bodies_go_first_and_events_only_when_none_is_left,
    ids_that_may_come_again_stay_whatever_the_size,
    a_step_is_small_and_says_whether_there_is_more,
    two_may_prune_and_write_at_once,
);

const HOUR: i64 = 3_600_000;
const ALL: &str = "SELECT COUNT(*) FROM events";
const BODIES: &str = "SELECT COUNT(*) FROM bodies";
const JOBS: &str = "SELECT COUNT(*) FROM jobs";

fn limits(retention_hours: u64, max_bytes: u64, dedupe_hours: u64) -> Limits {
    let hours = |hours: u64| Duration::from_secs(3_600 * hours);
    Limits {
        retention: hours(retention_hours),
        max_bytes,
        dedupe: hours(dedupe_hours),
    }
}

/// Prunes until nothing is left to prune.
async fn prune(store: &Store, limits: &Limits, now: i64) -> Pruned {
    let mut all = Pruned::default();
    loop {
        let step = store.prune(limits, now).await.unwrap();
        all.bodies += step.bodies;
        all.events += step.events;
        if !step.more {
            return all;
        }
    }
}

/// As many jobs as that, one event each, an hour apart, with a body that does not compress.
async fn hourly(store: &Store, count: i64, body: usize) {
    let mut random = fastrand::Rng::with_seed(7);
    let batch: Vec<Delivery> = (0..count)
        .map(|n| {
            let mut one = reached(&format!("job-{n}"), Status::Created, n * HOUR);
            one.body = (0..body).map(|_| random.u8(..)).collect();
            one
        })
        .collect();
    for batch in batch.chunks(100) {
        verdicts(store, batch).await;
    }
}

async fn what_is_older_than_the_retention_goes_with_its_job(place: Place) {
    let store = place.open().await;
    hourly(&store, 10, 10).await;
    // At ten o'clock what came before four is too old; what came at four is not.
    let pruned = prune(&store, &limits(6, u64::MAX, 1), 10 * HOUR).await;
    assert_eq!((pruned.bodies, pruned.events), (0, 4));
    for (question, left) in [(ALL, 6), (BODIES, 6), (JOBS, 6)] {
        assert_eq!(place.number(question).await, left, "{question}");
    }
    assert!(store.job("job-3").await.unwrap().is_none());
    assert!(store.job("job-4").await.unwrap().is_some());
    assert_eq!(
        prune(&store, &limits(6, u64::MAX, 1), 10 * HOUR)
            .await
            .events,
        0
    );
}

async fn a_job_stays_while_one_of_its_events_does(place: Place) {
    let store = place.open().await;
    let batch = [
        reached("job", Status::Created, 0),
        reached("job", Status::Completed, 9 * HOUR),
    ];
    verdicts(&store, &batch).await;
    prune(&store, &limits(6, u64::MAX, 1), 10 * HOUR).await;
    let trail = store.job("job").await.unwrap().unwrap();
    assert_eq!(trail.records.len(), 1);
    assert_eq!(trail.job.unwrap().created_at, Some(0));
}

async fn the_oldest_bodies_go_first_and_events_only_when_none_is_left(place: Place) {
    let store = place.open().await;
    hourly(&store, 300, 8_000).await;
    let now = 300 * HOUR;
    let full = store.bytes().await.unwrap();
    assert!(full > 300 * 8_000, "{full}");
    // Half of it has to go: about half of the bodies, the old half, and no event.
    let half = limits(10_000, full / 2, 1);
    let pruned = prune(&store, &half, now).await;
    assert!((120..200).contains(&pruned.bodies), "{pruned:?}");
    assert_eq!(pruned.events, 0);
    assert!(store.bytes().await.unwrap() <= full / 2);
    let left = place.number(BODIES).await;
    assert_eq!(left, 300 - i64::try_from(pruned.bodies).unwrap());
    let newest = format!("SELECT COUNT(*) FROM bodies WHERE seq > {}", 300 - left);
    assert_eq!(place.number(&newest).await, left);
    // All bodies have to go, and events with them.
    let small = store.bytes().await.unwrap() / 20;
    let pruned = prune(&store, &limits(10_000, small, 1), now).await;
    assert_eq!(place.number(BODIES).await, 0);
    assert!(pruned.events > 0, "{pruned:?}");
}

async fn ids_that_may_come_again_stay_whatever_the_size(place: Place) {
    let store = place.open().await;
    hourly(&store, 100, 1_000).await;
    let now = 100 * HOUR;
    // A retention that is shorter than that is none.
    let pruned = prune(&store, &limits(3, 1, 24), now).await;
    assert_eq!(pruned.events, 76);
    assert_eq!(place.number(BODIES).await, 0);
    let again: Vec<Delivery> = (76..100)
        .map(|n| reached(&format!("job-{n}"), Status::Created, n * HOUR))
        .collect();
    assert!(verdicts(&store, &again).await.iter().all(Option::is_none));
    let trail = store.job("job-76").await.unwrap().unwrap();
    assert_eq!(trail.records[0].verdict, Verdict::Moved);
}

async fn a_step_is_small_and_says_whether_there_is_more(place: Place) {
    let store = place.open().await;
    hourly(&store, 1_200, 10).await;
    let mut steps = Vec::new();
    loop {
        let step = store
            .prune(&limits(1, u64::MAX, 1), 2_000 * HOUR)
            .await
            .unwrap();
        steps.push(step.events);
        if !step.more {
            break;
        }
    }
    assert_eq!(steps, [500, 500, 200, 0]);
    assert_eq!(place.number(JOBS).await, 0);
}

async fn two_may_prune_and_write_at_once(place: Place) {
    let (one, other) = (place.open().await, place.open().await);
    hourly(&one, 1_000, 100).await;
    let limits = limits(100, u64::MAX, 1);
    let write = async {
        for n in 0..40 {
            // An old job comes back to life while its events go.
            let back = reached(&format!("job-{n}"), Status::Completed, 1_000 * HOUR);
            verdicts(&one, &[back]).await;
        }
    };
    let prune = async |store: &Store| prune(store, &limits, 1_000 * HOUR).await.events;
    let (of_one, of_other, ()) = tokio::join!(prune(&one), prune(&other), write);
    assert_eq!(of_one + of_other, 900);
    assert_eq!(place.number(ALL).await, 140);
    assert_eq!(place.number(JOBS).await, 140);
    for n in 0..40 {
        let trail = one.job(&format!("job-{n}")).await.unwrap().unwrap();
        assert_eq!(trail.job.unwrap().status, Status::Completed);
    }
}

/// SQLite alone: the server's files are the server's business.
#[tokio::test]
async fn the_file_itself_is_held_to_the_limit() {
    let place = Place::sqlite();
    let store = place.open().await;
    hourly(&store, 300, 20_000).await;
    let limits = limits(10_000, 2_000_000, 1);
    prune(&store, &limits, 300 * HOUR).await;
    store.close().await;
    let length = place.file().metadata().unwrap().len();
    assert!(length <= 2_000_000, "{length}");
}
