//! The day that the sandbox plays: what its plan promises, judged by hand from the jobs themselves.

#[path = "../../examples/sandbox/day/board.rs"]
mod board;
#[path = "../../examples/sandbox/day/deliveries.rs"]
mod deliveries;
#[path = "../../examples/sandbox/day/jobs.rs"]
mod jobs;
#[path = "../../examples/sandbox/day/pace.rs"]
mod pace;

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};

use self::board::{Answer, Board};
use self::deliveries::{Delivery, Event};
use self::jobs::{Job, LONG_MODEL, SLOW_MODEL};
use self::pace::{Pace, hh_mm, since_midnight};

/// As the sandbox's.
const SEED: u64 = 20_260_115;
/// `SIGNAL_WINDOW` and `SIGNAL_MIN_SAMPLES`, by default.
const WINDOW: Duration = Duration::from_mins(15);
const MIN_SAMPLES: usize = 20;

/// Jobs that ended in the window before `now`.
fn window(jobs: &[Job], now: Duration) -> impl Iterator<Item = &Job> {
    let recent = move |job: &&Job| job.ended <= now && job.ended + WINDOW > now;
    jobs.iter().filter(recent)
}

/// `None`: too few to say.
fn failure_rate(jobs: &[Job], now: Duration) -> Option<f64> {
    let (failed, all) = window(jobs, now).fold((0_u32, 0_u32), |(failed, all), job| {
        (failed + u32::from(job.failure.is_some()), all + 1)
    });
    (all as usize >= MIN_SAMPLES).then(|| f64::from(failed) / f64::from(all))
}

fn took(job: &Job) -> Duration {
    job.ended.checked_sub(job.started).unwrap()
}

fn p95(jobs: &[Job], model: &str, now: Duration) -> Option<Duration> {
    let done = window(jobs, now).filter(|job| job.model == model && job.failure.is_none());
    let mut durations: Vec<_> = done.map(took).collect();
    durations.sort();
    let rank = (durations.len() * 95).div_ceil(100);
    (durations.len() >= MIN_SAMPLES).then(|| durations[rank - 1])
}

/// The first and the last minute of the day in which this holds, and in how many it holds.
fn minutes(mut holds: impl FnMut(Duration) -> bool) -> Option<(String, String, usize)> {
    let all = (0..24 * 60).map(Duration::from_mins);
    let held: Vec<_> = all.filter(|minute| holds(*minute)).collect();
    let (first, last) = (held.first()?, held.last()?);
    Some((hh_mm(*first), hh_mm(*last), held.len()))
}

#[test]
fn one_incident_is_over_the_failure_threshold_and_the_night_says_nothing() {
    let jobs = jobs::of_a_day(SEED);
    let over = minutes(|now| failure_rate(&jobs, now).is_some_and(|rate| rate > 0.05));
    let (first, last, count) = over.unwrap();
    assert!(("10:00".."10:10").contains(&first.as_str()), "{first}");
    assert!(("10:45".."11:10").contains(&last.as_str()), "{last}");
    assert!(count >= 45, "{count} minutes between {first} and {last}");

    let silent =
        |from, to| (from..to).all(|hour| failure_rate(&jobs, Duration::from_hours(hour)).is_none());
    assert!(silent(1, 6), "the night has too many jobs");
    let busy = (8 * 60..21 * 60).map(Duration::from_mins);
    for now in busy {
        assert!(
            failure_rate(&jobs, now).is_some(),
            "too few jobs at {}",
            hh_mm(now)
        );
    }
}

#[test]
fn one_model_is_slow_for_more_than_a_window_and_no_other_ever_is() {
    let jobs = jobs::of_a_day(SEED);
    let slo = |model| Duration::from_mins(if model == LONG_MODEL { 8 } else { 5 });
    let models: HashSet<_> = jobs.iter().map(|job| job.model).collect();
    assert_eq!(models.len(), 3);
    for model in models {
        let over = minutes(|now| p95(&jobs, model, now).is_some_and(|p95| p95 > slo(model)));
        if model != SLOW_MODEL {
            assert_eq!(over, None, "{model}");
            continue;
        }
        let (first, last, count) = over.unwrap();
        assert!(("15:05".."15:15").contains(&first.as_str()), "{first}");
        assert!(("16:25".."16:45").contains(&last.as_str()), "{last}");
        // Without a pause, or it could not fire.
        let minute = |text: &str| since_midnight(text).unwrap().as_secs() / 60;
        assert_eq!(minute(&last) - minute(&first) + 1, count as u64);
    }
}

type Several<'a> = Vec<&'a Delivery>;

#[test]
fn deliveries_tell_each_job_once_and_repeat_some_exactly() {
    let jobs = jobs::of_a_day(SEED);
    let all = deliveries::of(&jobs, 1, SEED);
    assert!(jobs.len() < 6_000, "{}", jobs.len());
    assert!(all.is_sorted_by_key(|one| one.sent));
    assert!(
        all.iter().all(|one| one.sent >= one.told),
        "none is ahead of its time"
    );

    let (again, first): (Several<'_>, Several<'_>) = all.iter().partition(|one| one.again);
    let ids: HashSet<_> = first.iter().map(|one| &one.id).collect();
    let signed: HashSet<_> = first.iter().map(|one| (one.told, &one.body)).collect();
    assert_eq!((ids.len(), signed.len()), (first.len(), first.len()));
    let (retried, replayed): (Several<'_>, Several<'_>) =
        again.iter().copied().partition(|one| ids.contains(&one.id));
    assert!(
        retried.len() > 100 && replayed.len() > 50,
        "{} {}",
        retried.len(),
        replayed.len()
    );
    for one in &again {
        assert!(signed.contains(&(one.told, &one.body)), "{one:?}");
    }
    let ended = first.iter().filter(|one| one.event != Event::Started);
    assert_eq!(ended.count(), jobs.len());

    let mut starts = BTreeMap::new();
    for one in first.iter().filter(|one| one.event == Event::Started) {
        starts.insert(&one.job_id, one.sent);
    }
    let late = first.iter().filter(|one| one.event != Event::Started);
    let late = late.filter(|one| {
        starts
            .get(&one.job_id)
            .is_some_and(|start| *start > one.sent)
    });
    assert!(
        (50..200).contains(&late.clone().count()),
        "{}",
        late.count()
    );
    assert!(
        (1..100).contains(&(jobs.len() - starts.len())),
        "some starts are never told"
    );
}

#[test]
fn the_same_seed_is_the_same_day_and_another_day_has_ids_of_its_own() {
    let jobs = jobs::of_a_day(SEED);
    assert_eq!(jobs, jobs::of_a_day(SEED));
    assert_ne!(jobs, jobs::of_a_day(SEED + 1));
    let day = |number| deliveries::of(&jobs, number, SEED);
    assert_eq!(day(1), day(1));
    let ids = |number| day(number).into_iter().map(|one| (one.id, one.body));
    let first: HashSet<_> = ids(1).collect();
    assert!(ids(2).all(|id| !first.contains(&id)));
}

#[test]
fn bodies_name_what_the_headers_say() {
    for delivery in deliveries::of(&jobs::of_a_day(SEED), 1, SEED) {
        let body: Value = serde_json::from_str(&delivery.body).unwrap();
        let (event, status) = (delivery.event.name(), body["status"].as_str().unwrap());
        let said = match status {
            "processing" => "job.started".to_owned(),
            ended => format!("job.{ended}"),
        };
        assert_eq!(event, said);
        assert_eq!(body["job_id"], delivery.job_id);
        assert_eq!(
            body["error"]["code"].is_string(),
            status == "failed",
            "{body}"
        );
    }
}

#[test]
fn the_services_times_shrink_with_the_day() {
    let variables = |minutes| Pace::day_in(minutes).variables().map(|(_, value)| value);
    assert_eq!(variables(1), ["625ms", "208ms,matting-4k=333ms"]);
    assert_eq!(variables(4), ["2500ms", "833ms,matting-4k=1333ms"]);
    let said = Pace::day_in(4).describe();
    assert!(said.starts_with("a day in 4 minutes, 360 times"), "{said}");
    let pace = Pace::day_in(1);
    assert_eq!(pace.real(Duration::from_hours(24)), Duration::from_mins(1));
    assert_eq!(pace.of_the_day(Duration::from_millis(625)), WINDOW);
}

#[test]
fn times_of_the_day_are_two_digits_each() {
    for (text, minutes) in [("00:00", 0), ("09:30", 570), ("23:59", 1439)] {
        let time = Duration::from_mins(minutes);
        assert_eq!(since_midnight(text), Some(time));
        assert_eq!(hh_mm(time), text);
    }
    for text in [
        "", "9", "9:30", "24:00", "10:60", "+9:30", "10:3", "10:30:00", "١٠:30",
    ] {
        assert_eq!(since_midnight(text), None, "{text}");
    }
}

fn said(rate: &Value, latency: &Value) -> board::Signals {
    let body = json!({"signals": {"job_failure_rate": rate, "processing_latency_p95": latency}, "basis": "webhooks"});
    serde_json::from_value::<Answer>(body).unwrap().signals
}

#[test]
fn the_board_tells_changes_once_in_times_of_the_day() {
    let mut board = Board::new(Pace::day_in(1));
    let quiet = json!({"state": "insufficient_data", "value": null, "threshold": 0.05, "samples": 3, "since": null});
    let slow = |state: &str| {
        let one = json!({"state": state, "value": 0.3125, "threshold": 0.208, "samples": 40, "since": "x"});
        let mut all = one.clone();
        all["models"] = json!({"matting-hd": one, "matting-fast": quiet});
        all
    };
    let rate = |state: &str| json!({"state": state, "value": 0.084, "threshold": 0.05, "samples": 95, "since": null});
    let at = Duration::from_mins;
    let mut take = |minute, rate, latency| {
        let signals = said(&rate, &latency);
        // The latency's `since` is two minutes ago.
        board.take(&signals, at(minute), |_| Some(at(minute - 2)))
    };
    assert_eq!(take(600, quiet.clone(), quiet.clone()), [""; 0]);
    assert_eq!(
        take(606, rate("firing"), slow("pending")),
        [
            "10:06  job_failure_rate: insufficient_data -> firing, 8.4 % of 95 jobs, threshold 5.0 %",
            "10:04  processing_latency_p95: insufficient_data -> pending, 450 s, SLO 300 s (matting-hd)",
        ]
    );
    assert_eq!(take(607, rate("firing"), slow("pending")), [""; 0]);
    assert_eq!(take(620, rate("ok"), slow("firing")).len(), 2);
    assert_eq!(take(630, rate("firing"), slow("firing")).len(), 1);
    assert_eq!(take(640, rate("ok"), slow("firing")).len(), 1);
    assert_eq!(
        board.fired(),
        [
            "job_failure_rate fired 10:06 to 10:20, 10:30 to 10:40",
            "processing_latency_p95 fired 10:18 on",
        ]
    );
    let summary = board.summary(&said(&quiet, &quiet));
    assert_eq!(
        summary,
        "failure rate insufficient_data; p95 insufficient_data"
    );
}
