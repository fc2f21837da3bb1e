//! A delivery counts once, by its id and by its digest.

use infra_health::jobs::event::{Delivery, Status, Told};
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::store::Store;

use super::made::{delivery, digest, reached, verdict, verdicts};
use super::on_both;
use super::place::Place;

on_both!(
    an_id_or_a_digest_that_is_known_makes_a_duplicate,
    a_duplicate_registers_nothing_of_its_own,
    a_batch_is_compared_with_itself,
    a_poisoned_id_leaves_the_job_as_it_was,
    writers_at_once_count_each_delivery_once,
);

fn progress(id: &str, digest_of: &str) -> Delivery {
    let mut progress = delivery(id, "job", Told::Unknown, 1);
    progress.digest = digest(digest_of);
    progress
}

const NEW: Option<Verdict> = Some(Verdict::Ignored);

async fn an_id_or_a_digest_that_is_known_makes_a_duplicate(place: Place) {
    let store = place.open().await;
    assert_eq!(verdicts(&store, &[progress("1", "a")]).await, [NEW]);
    let batch = [
        progress("1", "a"),
        progress("1", "b"),
        progress("2", "a"),
        progress("3", "c"),
    ];
    assert_eq!(verdicts(&store, &batch).await, [None, None, None, NEW]);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 2);
}

async fn a_duplicate_registers_nothing_of_its_own(place: Place) {
    let store = place.open().await;
    let batch = [progress("1", "a"), progress("1", "b"), progress("2", "a")];
    assert_eq!(verdicts(&store, &batch).await, [NEW, None, None]);
    // Neither the digest b nor the id 2 was kept.
    let batch = [progress("3", "b"), progress("2", "c")];
    assert_eq!(verdicts(&store, &batch).await, [NEW, NEW]);
}

async fn a_batch_is_compared_with_itself(place: Place) {
    let store = place.open().await;
    let batch = [
        progress("1", "a"),
        progress("2", "a"),
        progress("2", "b"),
        progress("1", "c"),
        progress("4", "b"),
    ];
    // The second is a duplicate by its digest, so its id is free for the third.
    assert_eq!(verdicts(&store, &batch).await, [NEW, None, NEW, None, None]);
}

async fn a_poisoned_id_leaves_the_job_as_it_was(place: Place) {
    let store = place.open().await;
    let completed = reached("job", Status::Completed, 1_000);
    let batch = [reached("job", Status::Processing, 500), completed];
    verdicts(&store, &batch).await;
    let before = store.job("job").await.unwrap().unwrap();
    let mut poisoned = reached("job", Status::Completed, 2_000);
    poisoned.told = Told::Reached(Status::Failed);
    poisoned.digest = digest("of another body");
    poisoned.facts.error_code = Some("out_of_memory".to_owned());
    assert_eq!(verdicts(&store, &[poisoned]).await, [None]);
    assert!(store.job("job").await.unwrap().unwrap() == before);
}

/// Handles of their own on one database, as replicas have: each gets every delivery, in batches that overlap.
async fn writers_at_once_count_each_delivery_once(place: Place) {
    let (one, other, third) = (place.open().await, place.open().await, place.open().await);
    let life = Status::ALL.into_iter().cycle();
    let all: Vec<Delivery> = (0..120)
        .zip(life)
        .map(|(n, status)| reached(&format!("job-{}", n / 4), status, 1_000 + n))
        .collect();
    let write = async |store: &Store, size: usize| {
        let mut new = 0;
        for batch in all.chunks(size) {
            new += verdicts(store, batch).await.iter().flatten().count();
        }
        new
    };
    let (of_one, of_other, of_third) =
        tokio::join!(write(&one, 7), write(&other, 11), write(&third, 1));
    assert_eq!(of_one + of_other + of_third, all.len());
    for n in 0..30 {
        let trail = one.job(&format!("job-{n}")).await.unwrap().unwrap();
        assert_eq!(trail.records.len(), 4);
        let job = trail.job.unwrap();
        assert_eq!(job.status, Status::Completed);
        assert_eq!(job.started_at, Some(1_001 + 4 * n));
    }
    let again = other.write(&all).await.unwrap();
    assert!(again.iter().all(|stored| verdict(stored).is_none()));
}
