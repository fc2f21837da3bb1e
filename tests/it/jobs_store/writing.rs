//! What a delivery makes of its job, and that a batch is one thing.

use bytes::Bytes;
use infra_health::jobs::event::{Facts, Source, Status, Told};
use infra_health::jobs::lifecycle::{Job, Verdict};
use infra_health::jobs::store::{Kind, Stored};

use super::made::{delivery, reached, verdicts};
use super::on_both;
use super::place::Place;

on_both!(
    a_job_and_its_trail_come_back_as_they_were_told,
    what_comes_late_or_contradicts_is_recorded_and_changes_no_end,
    events_that_change_nothing_are_recorded_without_a_job,
    a_batch_tells_each_delivery_what_its_job_was_before,
    a_batch_that_fails_leaves_nothing,
    the_body_is_kept_as_it_came,
);

fn facts() -> Facts {
    let text = |text: &str| Some(text.to_owned());
    Facts {
        model: text("modèle-2"),
        output_format: text("webm"),
        request_id: text("req_api"),
        credits: text("1.5"),
        user_id: text("u"),
        error_code: text("out_of_memory"),
        error_message: text("no memory left \u{1f9e0}"),
        execution_ms: Some(12_345),
        cancelled: true,
    }
}

async fn a_job_and_its_trail_come_back_as_they_were_told(place: Place) {
    let store = place.open().await;
    assert!(store.job("job").await.unwrap().is_none());
    let mut failed = reached("job", Status::Failed, 3_000);
    failed.facts = facts();
    failed.received_at = 3_500;
    failed.source = Source::RunPod;
    let batch = [
        reached("job", Status::Created, 1_000),
        reached("job", Status::Processing, 2_000),
        failed,
    ];
    verdicts(&store, &batch).await;
    let trail = store.job("job").await.unwrap().unwrap();
    let job = Job {
        job_id: "job".to_owned(),
        status: Status::Failed,
        sources: 3,
        facts: facts(),
        created_at: Some(1_000),
        started_at: Some(2_000),
        finished_at: Some(3_000),
        changed_at: 3_000,
    };
    assert!(trail.job.as_ref() == Some(&job));
    let [_, _, last] = &trail.records[..] else {
        panic!("three records")
    };
    assert_eq!(last.verdict, Verdict::Moved);
    assert_eq!(last.status, Some(Status::Failed));
    assert_eq!(last.event.as_deref(), Some("job.failed"));
    assert_eq!((last.at, last.received_at), (3_000, 3_500));
    assert_eq!(last.delivery_id, "job-failed");
    assert_eq!(last.request_id, "req_job-failed");
    store.close().await;
    let again = place.open().await.job("job").await.unwrap().unwrap();
    assert!(again == trail);
}

async fn what_comes_late_or_contradicts_is_recorded_and_changes_no_end(place: Place) {
    let store = place.open().await;
    let told = [
        (Status::Processing, 2_000, Verdict::Moved),
        (Status::Completed, 3_000, Verdict::Moved),
        (Status::Created, 1_000, Verdict::Late),
        (Status::Failed, 2_500, Verdict::Contradiction),
    ];
    for (status, at, expected) in told {
        let one = reached("job", status, at);
        assert_eq!(verdicts(&store, &[one]).await, [Some(expected)]);
    }
    let again = delivery("again", "job", Told::Reached(Status::Completed), 4_000);
    assert_eq!(verdicts(&store, &[again]).await, [Some(Verdict::Repeated)]);
    let trail = store.job("job").await.unwrap().unwrap();
    let job = trail.job.unwrap();
    assert_eq!(job.status, Status::Completed);
    assert_eq!(job.created_at, Some(1_000));
    assert_eq!(job.finished_at, Some(3_000));
    assert_eq!(job.processing_ms(), Some(1_000));
    let kept: Vec<Verdict> = trail.records.iter().map(|record| record.verdict).collect();
    assert_eq!(
        kept,
        [
            Verdict::Moved,
            Verdict::Moved,
            Verdict::Late,
            Verdict::Contradiction,
            Verdict::Repeated
        ]
    );
}

async fn events_that_change_nothing_are_recorded_without_a_job(place: Place) {
    let store = place.open().await;
    let mut unnamed = delivery("2", "job", Told::Disagreement, 2);
    (unnamed.event, unnamed.signature, unnamed.body) = (None, None, Bytes::new());
    let batch = [delivery("1", "job", Told::Unknown, 1), unnamed];
    let expected = [Some(Verdict::Ignored), Some(Verdict::Disagreement)];
    assert_eq!(verdicts(&store, &batch).await, expected);
    let trail = store.job("job").await.unwrap().unwrap();
    assert!(trail.job.is_none());
    assert_eq!(trail.records.len(), 2);
    assert!(trail.records.iter().all(|record| record.status.is_none()));
    assert_eq!(trail.records[1].event, None);
    assert!(store.list(&wanted(10)).await.unwrap().is_empty());
}

fn wanted(limit: u32) -> infra_health::jobs::store::Wanted {
    infra_health::jobs::store::Wanted {
        limit,
        ..Default::default()
    }
}

async fn a_batch_tells_each_delivery_what_its_job_was_before(place: Place) {
    let store = place.open().await;
    let batch = [
        reached("a", Status::Created, 1),
        reached("b", Status::Processing, 2),
        reached("a", Status::Processing, 3),
        reached("a", Status::Completed, 4),
    ];
    let stored = store.write(&batch).await.unwrap();
    let told: Vec<_> = stored
        .into_iter()
        .map(|stored| match stored {
            Stored::Recorded { before, job, .. } => {
                (before.map(|job| job.status), job.unwrap().status)
            }
            Stored::Duplicate => panic!("all are new"),
        })
        .collect();
    assert_eq!(
        told,
        [
            (None, Status::Created),
            (None, Status::Processing),
            (Some(Status::Created), Status::Processing),
            (Some(Status::Processing), Status::Completed),
        ]
    );
    let trail = store.job("a").await.unwrap().unwrap();
    let times: Vec<i64> = trail.records.iter().map(|record| record.at).collect();
    assert_eq!(times, [1, 3, 4], "in the order of the batch");
    assert!(store.write(&[]).await.unwrap().is_empty());
}

async fn a_batch_that_fails_leaves_nothing(place: Place) {
    let store = place.open().await;
    verdicts(&store, &[reached("job", Status::Created, 1)]).await;
    // The room never hands on an id that is empty; the table would not take it.
    let bad = delivery("", "other", Told::Reached(Status::Created), 3);
    let batch = [
        reached("job", Status::Completed, 2),
        reached("new", Status::Created, 2),
        bad,
    ];
    let Err(error) = store.write(&batch).await else {
        panic!("it was written")
    };
    assert_eq!(error.kind, Kind::Other);
    assert_eq!(place.number("SELECT COUNT(*) FROM events").await, 1);
    assert_eq!(place.number("SELECT COUNT(*) FROM bodies").await, 1);
    assert!(store.job("new").await.unwrap().is_none());
    let job = store.job("job").await.unwrap().unwrap().job.unwrap();
    assert_eq!(job.status, Status::Created);
    // And without the bad one all goes on.
    let expected = [Some(Verdict::Moved), Some(Verdict::Moved)];
    assert_eq!(verdicts(&store, &batch[..2]).await, expected);
}

async fn the_body_is_kept_as_it_came(place: Place) {
    let store = place.open().await;
    let mut large = reached("job", Status::Created, 1);
    // Every byte there is, and as long as a body may be.
    large.body = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
    verdicts(
        &store,
        &[large.clone(), reached("other", Status::Created, 2)],
    )
    .await;
    let bytes = place.number("SELECT CAST(body_bytes AS BIGINT) FROM bodies ORDER BY seq LIMIT 1");
    assert_eq!(bytes.await, 1 << 20);
    let hex = hex::encode(&large.body);
    let body = if place.is_postgres() {
        format!("'\\x{hex}'::bytea")
    } else {
        format!("x'{hex}'")
    };
    let same =
        format!("SELECT COUNT(*) FROM bodies WHERE body = {body} AND length(signature) = 32");
    assert_eq!(place.number(&same).await, 1);
}
