use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::jobs::event::Source;

const CREATED: Told = Told::Reached(Status::Created);
const PROCESSING: Told = Told::Reached(Status::Processing);
const COMPLETED: Told = Told::Reached(Status::Completed);
const FAILED: Told = Told::Reached(Status::Failed);

fn delivery(told: Told, at: i64) -> Delivery {
    Delivery {
        source: Source::Webhook,
        delivery_id: String::new(),
        digest: [0; 32],
        received_at: at,
        at,
        told,
        event: None,
        job_id: "job".to_owned(),
        facts: Facts::default(),
        request_id: String::new(),
        signature: None,
        body: Bytes::new(),
    }
}

/// What all of them make of a job of which nothing was known.
fn applied(deliveries: &[Delivery]) -> (Option<Job>, Vec<Verdict>) {
    let mut job = None;
    let mut verdicts = Vec::new();
    for delivery in deliveries {
        let (next, verdict) = Job::apply(job, delivery);
        job = next;
        verdicts.push(verdict);
    }
    (job, verdicts)
}

/// Each told at its place in the row: 0, 1, 2, …
fn in_turn(told: &[Told]) -> (Option<Job>, Vec<Verdict>) {
    let deliveries: Vec<Delivery> = (0..)
        .zip(told)
        .map(|(at, told)| delivery(*told, at))
        .collect();
    applied(&deliveries)
}

#[test]
fn a_job_only_moves_forward() {
    use Verdict::{Contradiction, Disagreement, Ignored, Late, Moved, Repeated};
    type Row = (&'static [Told], &'static [Verdict], Option<Status>);
    let table: &[Row] = &[
        // As it should be, and with parts missing.
        (
            &[CREATED, PROCESSING, COMPLETED],
            &[Moved; 3],
            Some(Status::Completed),
        ),
        (
            &[CREATED, PROCESSING, FAILED],
            &[Moved; 3],
            Some(Status::Failed),
        ),
        (&[PROCESSING], &[Moved], Some(Status::Processing)),
        (&[CREATED, FAILED], &[Moved; 2], Some(Status::Failed)),
        (&[COMPLETED], &[Moved], Some(Status::Completed)),
        // Out of order.
        (
            &[COMPLETED, PROCESSING, CREATED],
            &[Moved, Late, Late],
            Some(Status::Completed),
        ),
        (
            &[PROCESSING, CREATED, FAILED],
            &[Moved, Late, Moved],
            Some(Status::Failed),
        ),
        // Repeated.
        (
            &[CREATED, CREATED],
            &[Moved, Repeated],
            Some(Status::Created),
        ),
        (&[FAILED, FAILED], &[Moved, Repeated], Some(Status::Failed)),
        // Contradictory: the first end stays, whatever comes.
        (
            &[COMPLETED, FAILED],
            &[Moved, Contradiction],
            Some(Status::Completed),
        ),
        (
            &[FAILED, COMPLETED, FAILED],
            &[Moved, Contradiction, Repeated],
            Some(Status::Failed),
        ),
        // Without a meaning.
        (&[Told::Unknown], &[Ignored], None),
        (
            &[Told::Disagreement, CREATED],
            &[Disagreement, Moved],
            Some(Status::Created),
        ),
        (
            &[COMPLETED, Told::Disagreement],
            &[Moved, Disagreement],
            Some(Status::Completed),
        ),
    ];
    for (told, expected, status) in table {
        let (job, verdicts) = in_turn(told);
        assert_eq!(verdicts, *expected, "{told:?}");
        assert_eq!(job.map(|job| job.status), *status, "{told:?}");
    }
}

#[test]
fn what_is_known_is_filled_in_and_the_newest_news_wins() {
    let with = |told, at, model: Option<&str>, credits: Option<&str>| {
        let mut delivery = delivery(told, at);
        delivery.facts.model = model.map(str::to_owned);
        delivery.facts.credits = credits.map(str::to_owned);
        delivery
    };
    let (job, _) = applied(&[
        with(PROCESSING, 2, Some("second"), None),
        // Of the past: fills what is not known, replaces nothing.
        with(CREATED, 1, Some("first"), Some("1")),
        with(COMPLETED, 3, Some("third"), None),
        // A contradiction adds nothing.
        with(FAILED, 4, Some("fourth"), Some("4")),
    ]);
    let job = job.unwrap();
    assert_eq!(job.facts.model.as_deref(), Some("third"));
    assert_eq!(job.facts.credits.as_deref(), Some("1"));
}

#[test]
fn processing_time_is_runpods_measure_or_start_to_completion() {
    let measured = |told, at| {
        let mut delivery = delivery(told, at);
        delivery.facts.execution_ms = Some(77);
        delivery
    };
    let table = [
        (
            vec![delivery(PROCESSING, 10), delivery(COMPLETED, 30)],
            Some(20),
        ),
        // Told in the wrong order.
        (
            vec![delivery(COMPLETED, 30), delivery(PROCESSING, 10)],
            Some(20),
        ),
        (
            vec![delivery(PROCESSING, 10), measured(COMPLETED, 30)],
            Some(77),
        ),
        // The contradictory clock of a sender says nothing.
        (
            vec![delivery(PROCESSING, 31), delivery(COMPLETED, 30)],
            None,
        ),
        (vec![delivery(CREATED, 10), delivery(COMPLETED, 30)], None),
        (vec![delivery(PROCESSING, 10)], None),
        (vec![delivery(PROCESSING, 10), measured(FAILED, 30)], None),
    ];
    for (deliveries, expected) in table {
        assert_eq!(applied(&deliveries).0.unwrap().processing_ms(), expected);
    }
}

#[test]
fn a_job_knows_all_who_told_of_it() {
    let by_runpod = |told| Delivery {
        source: Source::RunPod,
        ..delivery(told, 1)
    };
    let both = [delivery(CREATED, 1), by_runpod(COMPLETED)];
    assert_eq!(applied(&both).0.unwrap().sources, 3);
    let contradicted = [delivery(COMPLETED, 1), by_runpod(FAILED)];
    let job = applied(&contradicted).0.unwrap();
    assert_eq!((job.sources, job.status), (3, Status::Completed));
}

#[test]
fn only_a_failure_by_wish_is_cancelled() {
    let cancelled = |told, at| {
        let mut delivery = delivery(told, at);
        delivery.facts.cancelled = true;
        delivery
    };
    let (job, _) = applied(&[delivery(PROCESSING, 1), cancelled(FAILED, 2)]);
    assert!(job.unwrap().facts.cancelled);
    // It had failed before somebody wished it.
    let (job, _) = applied(&[delivery(FAILED, 1), cancelled(FAILED, 2)]);
    assert!(!job.unwrap().facts.cancelled);
}

#[test]
fn numbers_of_the_store_lead_back() {
    for verdict in Verdict::ALL {
        assert_eq!(Verdict::numbered(verdict.number()), Some(verdict));
    }
    for status in Status::ALL {
        assert_eq!(Status::numbered(status.number()), Some(status));
        assert_eq!(Status::named(status.as_str()), Some(status));
    }
    assert_eq!(Verdict::numbered(6), None);
    assert_eq!(Status::numbered(-1), None);
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![
        3 => Just(CREATED),
        3 => Just(PROCESSING),
        2 => Just(COMPLETED),
        2 => Just(FAILED),
        1 => Just(Told::Unknown),
        1 => Just(Told::Disagreement),
    ]
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let one = (told(), 0_i64..50).prop_map(|(told, at)| delivery(told, at));
    proptest::collection::vec(one, 0..12)
}

/// The earliest that `status` was told of.
fn earliest(deliveries: &[Delivery], status: Status) -> Option<i64> {
    let told = deliveries
        .iter()
        .filter(|one| one.told == Told::Reached(status));
    told.map(|one| one.at).min()
}

/// Where the job stands, by looking at all that was told at once.
fn expected(deliveries: &[Delivery]) -> Option<Status> {
    let reached = deliveries.iter().filter_map(|one| match one.told {
        Told::Reached(status) => Some(status),
        Told::Disagreement | Told::Unknown => None,
    });
    let first_end = reached.clone().find(|status| status.is_terminal());
    first_end.or(reached.max())
}

proptest! {
    #[test]
    fn the_first_end_stays_else_the_furthest(deliveries in deliveries()) {
        let (job, verdicts) = applied(&deliveries);
        let status = expected(&deliveries);
        prop_assert_eq!(job.as_ref().map(|job| job.status), status);
        let Some(job) = job else { return Ok(()) };
        prop_assert_eq!(job.created_at, earliest(&deliveries, Status::Created));
        prop_assert_eq!(job.started_at, earliest(&deliveries, Status::Processing));
        let end = job.status.is_terminal().then_some(job.status);
        prop_assert_eq!(job.finished_at, end.and_then(|end| earliest(&deliveries, end)));
        let moves = verdicts.iter().filter(|verdict| **verdict == Verdict::Moved).count();
        prop_assert!((1..=3).contains(&moves), "{:?}", verdicts);
    }

    #[test]
    fn the_order_of_events_before_the_end_does_not_matter(
        (one, other) in proptest::collection::vec((prop_oneof![Just(CREATED), Just(PROCESSING)], 0_i64..50), 1..8)
            .prop_flat_map(|told| (Just(told.clone()), Just(told).prop_shuffle())),
        ending in 0_usize..8,
    ) {
        let with_end = |told: Vec<(Told, i64)>| {
            let mut all: Vec<Delivery> = told.into_iter().map(|(told, at)| delivery(told, at)).collect();
            all.insert(ending.min(all.len()), delivery(COMPLETED, 60));
            applied(&all).0.unwrap()
        };
        let (one, other) = (with_end(one), with_end(other));
        prop_assert_eq!((one.created_at, one.started_at), (other.created_at, other.started_at));
        prop_assert_eq!((one.status, one.finished_at), (other.status, other.finished_at));
    }

    #[test]
    fn the_moment_of_the_last_change_never_goes_back(deliveries in deliveries()) {
        let mut job: Option<Job> = None;
        for delivery in &deliveries {
            let before = job.as_ref().map(|job| job.changed_at);
            job = Job::apply(job, delivery).0;
            prop_assert!(job.as_ref().map(|job| job.changed_at) >= before);
        }
    }
}
