//! Lists and windows.

use std::collections::BTreeMap;
use std::time::Duration;

use infra_health::jobs::event::{Delivery, Source, Status, Told};
use infra_health::jobs::lifecycle::Job;
use infra_health::jobs::signals::window::{Ended, rounded};
use infra_health::jobs::store::{Store, Wanted};
use tokio::time::{Instant, sleep};

use super::made::{delivery, reached, verdicts};
use super::on_both;
use super::place::Place;
use crate::support::raw::DEADLINE;

on_both!(
    pages_have_every_job_once_newest_change_first,
    pages_keep_to_the_status_and_the_time_that_were_asked_for,
    a_job_that_changes_between_pages_is_not_met_twice,
    a_window_counts_what_a_walk_over_all_jobs_counts,
    the_trail_shows_the_newest_records,
);

async fn all_pages(store: &Store, mut wanted: Wanted) -> Vec<Job> {
    let mut all = Vec::new();
    loop {
        let page = store.list(&wanted).await.unwrap();
        assert!(page.len() <= wanted.limit as usize);
        let Some(last) = page.last() else {
            return all;
        };
        wanted.after = Some((last.changed_at, last.job_id.clone()));
        all.extend(page);
    }
}

fn ids(jobs: &[Job]) -> Vec<&str> {
    jobs.iter().map(|job| job.job_id.as_str()).collect()
}

async fn pages_have_every_job_once_newest_change_first(place: Place) {
    let store = place.open().await;
    // Many of the same time, and names that are not sorted alike in every language.
    let names = ["B", "a", "A", "b", "_", "10", "9", "a-b", "aB", "~"];
    let batch: Vec<Delivery> = (0..3)
        .flat_map(|at| names.map(|name| reached(&format!("{name}{at}"), Status::Created, at)))
        .collect();
    verdicts(&store, &batch).await;
    let mut expected: Vec<(i64, &str)> = batch.iter().map(|one| (one.at, &*one.job_id)).collect();
    expected.sort_unstable();
    expected.reverse();
    let expected: Vec<&str> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 4, 29, 30, 31] {
        let wanted = Wanted {
            limit,
            ..Wanted::default()
        };
        assert_eq!(ids(&all_pages(&store, wanted).await), expected);
    }
}

async fn pages_keep_to_the_status_and_the_time_that_were_asked_for(place: Place) {
    let store = place.open().await;
    let batch: Vec<Delivery> = (0..40)
        .zip(Status::ALL.into_iter().cycle())
        .map(|(n, status)| reached(&format!("job-{n:02}"), status, n))
        .collect();
    verdicts(&store, &batch).await;
    for status in [None, Some(Status::Failed)] {
        for since in [None, Some(19)] {
            let wanted = Wanted {
                status,
                since,
                after: None,
                limit: 3,
            };
            let jobs = all_pages(&store, wanted).await;
            let mut expected: Vec<&str> = batch
                .iter()
                .filter(|one| status.is_none_or(|status| one.told == Told::Reached(status)))
                .filter(|one| since.is_none_or(|since| one.at >= since))
                .map(|one| one.job_id.as_str())
                .collect();
            expected.reverse();
            assert_eq!(ids(&jobs), expected, "{status:?} {since:?}");
        }
    }
}

async fn a_job_that_changes_between_pages_is_not_met_twice(place: Place) {
    let store = place.open().await;
    let batch: Vec<Delivery> = (0..9)
        .map(|n| reached(&format!("job-{n}"), Status::Created, n))
        .collect();
    verdicts(&store, &batch).await;
    let mut wanted = Wanted {
        limit: 3,
        ..Wanted::default()
    };
    let first = store.list(&wanted).await.unwrap();
    assert_eq!(ids(&first), ["job-8", "job-7", "job-6"]);
    // One that was met, one that was not, and a new one.
    let changes = [
        reached("job-7", Status::Processing, 20),
        reached("job-4", Status::Processing, 21),
        reached("job-9", Status::Created, 22),
    ];
    verdicts(&store, &changes).await;
    wanted.after = Some((first[2].changed_at, first[2].job_id.clone()));
    let rest = all_pages(&store, wanted).await;
    assert_eq!(ids(&rest), ["job-5", "job-3", "job-2", "job-1", "job-0"]);
}

/// A thousand jobs of all kinds, some told of by RunPod alone, some cancelled, some without a start.
fn jobs_of_all_kinds() -> Vec<Delivery> {
    let mut random = fastrand::Rng::with_seed(6);
    let mut all = Vec::new();
    for n in 0..1_000 {
        let job = format!("job-{n}");
        let end = random.i64(0..5_000);
        let model = [None, Some("fast"), Some("fine")][random.usize(0..3)];
        let status = Status::ALL[random.usize(0..4)];
        if random.bool() {
            all.push(reached(
                &job,
                Status::Processing,
                end - random.i64(0..90_000),
            ));
        }
        let mut last = delivery(&format!("{n}"), &job, Told::Reached(status), end);
        last.facts.model = model.map(str::to_owned);
        last.facts.cancelled = status == Status::Failed && random.u8(0..4) == 0;
        last.facts.execution_ms = (random.u8(0..3) == 0).then(|| random.i64(0..400_000));
        if random.u8(0..3) == 0 {
            last.source = Source::RunPod;
        }
        all.push(last);
    }
    all
}

type Counts = BTreeMap<(Option<String>, Ended, Option<i64>), u64>;

/// The same by walking over all jobs.
fn counted(jobs: &[Job], since: i64, until: i64, sources: i16) -> Counts {
    let mut counts = Counts::new();
    for job in jobs {
        let ended = match job.status {
            Status::Completed => Ended::Completed,
            Status::Failed if job.facts.cancelled => Ended::Cancelled,
            Status::Failed => Ended::Failed,
            _ => continue,
        };
        let at = job.finished_at.unwrap();
        if at > since && at <= until && job.sources & sources != 0 {
            let kind = (
                job.facts.model.clone(),
                ended,
                job.processing_ms().map(rounded),
            );
            *counts.entry(kind).or_default() += 1;
        }
    }
    counts
}

async fn a_window_counts_what_a_walk_over_all_jobs_counts(place: Place) {
    let store = place.open().await;
    for batch in jobs_of_all_kinds().chunks(100) {
        verdicts(&store, batch).await;
    }
    let jobs = all_pages(
        &store,
        Wanted {
            limit: 500,
            ..Wanted::default()
        },
    )
    .await;
    assert_eq!(jobs.len(), 1_000);
    let windows = [
        (0, 5_000),
        (-1, 4_999),
        (1_000, 1_900),
        (1_000, 1_000),
        (4_000, i64::MAX),
    ];
    for (since, until) in windows {
        for sources in [1, 2, 3] {
            let slices = store.window(since, until, sources).await.unwrap();
            let mut found = Counts::new();
            for slice in slices {
                let kind = (slice.model, slice.ended, slice.processing_ms);
                assert_eq!(found.insert(kind, slice.count), None, "each kind once");
            }
            assert_eq!(
                found,
                counted(&jobs, since, until, sources),
                "{since} {until} {sources}"
            );
        }
    }
}

/// SQLite's plan is a unit test's; Postgres plans by what it has counted, so it is asked what it did.
#[tokio::test]
async fn postgres_reads_a_window_from_its_index_alone() {
    let Some(place) = Place::postgres().await else {
        return;
    };
    let store = place.open().await;
    for hundred in 0..40 {
        let batch: Vec<Delivery> = (hundred * 100..hundred * 100 + 100)
            .map(|n| reached(&format!("job-{n}"), Status::Completed, n))
            .collect();
        verdicts(&store, &batch).await;
    }
    // What autovacuum does in time.
    place.run("VACUUM (ANALYZE) jobs").await;
    let slices = store.window(3_900, 3_999, 1).await.unwrap();
    assert_eq!(slices[0].count, 99);
    // The server tells its statistics once the connection ends, or is idle.
    store.close().await;
    let end = Instant::now() + DEADLINE;
    let of_index = |column| {
        format!("SELECT {column} FROM pg_stat_user_indexes WHERE indexrelname = 'jobs_by_end'")
    };
    while place.number(&of_index("idx_scan")).await == 0 {
        assert!(Instant::now() < end, "the index is not used");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        place.number(&of_index("idx_tup_fetch")).await,
        0,
        "rows are read as well"
    );
    let read = place.number(&of_index("idx_tup_read")).await;
    assert_eq!(read, 99, "more of it than the window is read");
}

async fn the_trail_shows_the_newest_records(place: Place) {
    let store = place.open().await;
    let batch: Vec<Delivery> = (0..1_010)
        .map(|n| delivery(&format!("{n}"), "job", Told::Unknown, n))
        .collect();
    verdicts(&store, &batch).await;
    let trail = store.job("job").await.unwrap().unwrap();
    let times: Vec<i64> = trail.records.iter().map(|record| record.at).collect();
    assert_eq!(times, (10..1_010).collect::<Vec<i64>>());
}
