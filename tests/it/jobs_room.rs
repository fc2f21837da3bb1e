//! The job room without HTTP: what a sender is told, and what is kept of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use infra_health::clock::{Clock, rfc3339};
use infra_health::config::secret::Current;
use infra_health::config::{Database, JobWebhooks, Jobs, Signals};
use infra_health::detail::Label;
use infra_health::jobs::event::Status;
use infra_health::jobs::lifecycle::Verdict;
use infra_health::jobs::signals::board::{Basis, Board, State};
use infra_health::jobs::signals::counters::Counted;
use infra_health::jobs::store::{Trail, Wanted};
use infra_health::jobs::{Incoming, Receipt, Refusal, Room, Setup};
use infra_health::sample::{LabelValue, Sample, Value};
use secrecy::SecretString;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use sqlx::{Connection, SqliteConnection};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::support::caller::eventually;
use crate::support::folder::in_memory;
use crate::support::raw::DEADLINE;

const SECRET: &str = "whsec_of-the-room-test";
const TOKEN: &str = "token-of-the-room-test-0123456789";

struct Rooms {
    room: Room,
    webhooks: watch::Sender<Arc<JobWebhooks>>,
    folder: TempDir,
}

fn signals() -> Signals {
    Signals {
        affect_health: false,
        latency_slo: Duration::from_mins(5),
        latency_slo_by_model: Vec::new(),
        failure_baseline: 0.02,
        failure_budget: 0.03,
        window: Duration::from_mins(1),
        min_samples: 4,
    }
}

fn known(secrets: &[&str]) -> JobWebhooks {
    JobWebhooks {
        secrets: secrets
            .iter()
            .map(|&secret| SecretString::from(secret))
            .collect(),
        runpod_tokens: vec![Sha256::digest(TOKEN).into()],
    }
}

impl Rooms {
    fn at(path: impl FnOnce(&Path) -> PathBuf) -> Self {
        Self::with(signals(), path)
    }

    fn with(signals: Signals, path: impl FnOnce(&Path) -> PathBuf) -> Self {
        let folder = in_memory();
        let (webhooks, current) = Current::new(known(&[SECRET]));
        let settings = Jobs {
            takes_webhooks: true,
            takes_runpod: true,
            max_age: Duration::from_hours(24),
            retention: Duration::from_hours(48),
            max_bytes: 1 << 30,
            signals,
        };
        let (room, feed) = Room::start(Setup {
            settings,
            webhooks: current,
            database: Current::fixed(Database::Sqlite(path(folder.path()))),
            clock: Clock::default(),
        })
        .unwrap();
        assert!(feed.is_none());
        Rooms {
            room,
            webhooks,
            folder,
        }
    }

    async fn open() -> Self {
        let rooms = Self::at(|folder| folder.join("jobs.db"));
        rooms.opened().await;
        rooms
    }

    async fn opened(&self) {
        let open = async || self.room.job("nobody").await.is_ok();
        eventually("the store is open", open).await;
    }

    async fn send(&self, id: &str, body: &Json) -> Result<Receipt, Refusal> {
        self.room
            .webhook(signed(SECRET, id, &rfc3339(now()), body))
            .await
    }

    async fn trail(&self, job_id: &str) -> Trail {
        self.room.job(job_id).await.unwrap().unwrap()
    }

    /// The first board that is as wanted.
    async fn board(&self, wanted: impl Fn(&Board) -> bool) -> Arc<Board> {
        let mut boards = self.room.boards();
        let board = boards.wait_for(|board| wanted(board));
        let board = tokio::time::timeout(DEADLINE, board).await;
        board
            .expect("no such board within the deadline")
            .unwrap()
            .clone()
    }

    fn count(&self, family: &str, labels: &[&str]) -> u64 {
        let mut samples: Vec<Sample> = Vec::new();
        self.room.samples(&mut samples);
        let found = samples.iter().find(|sample| {
            sample.family.name == family
                && sample
                    .labels
                    .iter()
                    .map(LabelValue::as_str)
                    .eq(labels.iter().copied())
        });
        match found.map(|sample| &sample.value) {
            Some(Value::Number(number)) => format!("{number}").parse().unwrap(),
            Some(Value::Histogram(times)) => times.count(),
            other => panic!("{family}{labels:?}: {other:?}"),
        }
    }
}

fn now() -> time::OffsetDateTime {
    Clock::default().now().wall
}

fn signed(secret: &str, id: &str, at: &str, body: &Json) -> Incoming {
    let body = body.to_string();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
    let headers = [
        ("x-webhook-delivery-id", id),
        ("x-webhook-timestamp", at),
        ("x-webhook-signature", &signature),
    ];
    Incoming {
        headers: headers.into_iter().map(header).collect(),
        body: Bytes::from(body),
        request_id: "req_test".to_owned(),
        memory: None,
    }
}

fn header((name, value): (&'static str, &str)) -> (HeaderName, HeaderValue) {
    (
        HeaderName::from_static(name),
        HeaderValue::from_str(value).unwrap(),
    )
}

fn of_runpod(body: &Json) -> Incoming {
    Incoming {
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        request_id: "req_test".to_owned(),
        memory: None,
    }
}

fn event(job: &str, event: &str) -> Json {
    json!({"event": event, "job_id": job, "model": "m1", "request_id": "api-1"})
}

#[tokio::test]
async fn a_job_is_told_from_start_to_end_and_repetitions_have_no_effect() {
    let rooms = Rooms::open().await;
    for (id, name) in [("d1", "job.started"), ("d2", "job.completed")] {
        let receipt = rooms.send(id, &event("j1", name)).await.unwrap();
        assert_eq!(
            (
                receipt.duplicate,
                receipt.delivery_id.as_str(),
                receipt.job_id.as_str()
            ),
            (false, id, "j1")
        );
    }
    // The same id with a new timestamp, and the same message under a new id.
    let again = rooms.send("d2", &event("j1", "job.failed")).await.unwrap();
    assert!(again.duplicate);
    let at = rfc3339(now());
    let first = signed(SECRET, "d3", &at, &event("j2", "job.started"));
    let replay = signed(SECRET, "d4", &at, &event("j2", "job.started"));
    assert!(!rooms.room.webhook(first).await.unwrap().duplicate);
    assert!(rooms.room.webhook(replay).await.unwrap().duplicate);

    let trail = rooms.trail("j1").await;
    let job = trail.job.unwrap();
    assert_eq!(job.status, Status::Completed);
    assert_eq!(job.facts.request_id.as_deref(), Some("api-1"));
    let verdicts: Vec<_> = trail.records.iter().map(|record| record.verdict).collect();
    assert_eq!(verdicts, [Verdict::Moved, Verdict::Moved]);
    assert_eq!(trail.records[1].request_id, "req_test");
    assert!(rooms.room.job("nobody").await.unwrap().is_none());

    let events = |told| rooms.count("infra_health_job_events_total", &[told]);
    assert_eq!([events("processing"), events("completed")], [2, 1]);
    let deliveries =
        |result| rooms.count("infra_health_job_deliveries_total", &["webhook", result]);
    assert_eq!([deliveries("accepted"), deliveries("duplicate")], [3, 2]);
    assert_eq!(
        rooms.count("infra_health_jobs_finished_total", &["completed", "", "m1"]),
        1
    );
    assert_eq!(
        rooms.count("infra_health_job_processing_seconds", &["m1"]),
        1
    );
}

#[tokio::test]
async fn a_contradiction_is_kept_and_moves_nothing() {
    let rooms = Rooms::open().await;
    rooms.send("d1", &event("j1", "job.failed")).await.unwrap();
    let receipt = rooms
        .send("d2", &event("j1", "job.completed"))
        .await
        .unwrap();
    assert!(!receipt.duplicate);
    let disagreement = json!({"event": "job.failed", "status": "completed", "job_id": "j1"});
    rooms.send("d3", &disagreement).await.unwrap();
    let trail = rooms.trail("j1").await;
    assert_eq!(trail.job.unwrap().status, Status::Failed);
    let verdicts: Vec<_> = trail.records.iter().map(|record| record.verdict).collect();
    assert_eq!(
        verdicts,
        [
            Verdict::Moved,
            Verdict::Contradiction,
            Verdict::Disagreement
        ]
    );
    assert_eq!(
        rooms.count("infra_health_jobs_finished_total", &["failed", "", "m1"]),
        1
    );
}

#[tokio::test]
async fn runpods_job_is_told_once_a_status_and_by_its_token_alone() {
    let rooms = Rooms::open().await;
    let body =
        json!({"id": "r-1", "status": "COMPLETED", "executionTime": 61_000, "input": {"x": 1}});
    let receipt = rooms.room.runpod(of_runpod(&body)).await.unwrap();
    assert_eq!((receipt.duplicate, receipt.job_id.as_str()), (false, "r-1"));
    assert!(rooms.room.runpod(of_runpod(&body)).await.unwrap().duplicate);
    for wrong in ["", "x", &TOKEN[1..]] {
        assert!(!rooms.room.is_runpods(wrong));
    }
    assert!(rooms.room.is_runpods(TOKEN));
    let wrong = rooms.count(
        "infra_health_job_deliveries_total",
        &["runpod", "wrong_token"],
    );
    assert_eq!(wrong, 3);
    assert_eq!(
        rooms.trail("r-1").await.job.unwrap().processing_ms(),
        Some(61_000)
    );
}

#[tokio::test]
async fn secrets_rotate_while_deliveries_come() {
    let rooms = Rooms::open().await;
    let old = |id| signed(SECRET, id, &rfc3339(now()), &event(id, "job.started"));
    let new = |id| {
        signed(
            "whsec_the-new-one",
            id,
            &rfc3339(now()),
            &event(id, "job.started"),
        )
    };
    let refused = Err(Refusal::InvalidSignature(
        "X-Webhook-Signature is not that of timestamp and body under any configured secret",
    ));
    assert_eq!(rooms.room.webhook(new("d1")).await, refused);
    rooms
        .webhooks
        .send_replace(Arc::new(known(&[SECRET, "whsec_the-new-one"])));
    assert!(rooms.room.webhook(new("d1")).await.is_ok());
    assert!(rooms.room.webhook(old("d2")).await.is_ok());
    rooms
        .webhooks
        .send_replace(Arc::new(known(&["whsec_the-new-one"])));
    assert_eq!(rooms.room.webhook(old("d3")).await, refused);
    assert!(rooms.room.job("d3").await.unwrap().is_none());
}

#[tokio::test]
async fn while_the_store_cannot_be_opened_senders_are_told_to_come_again_and_it_opens_by_itself() {
    let rooms = Rooms::at(|folder| folder.join("not-yet").join("jobs.db"));
    let refused = rooms.send("d1", &event("j1", "job.started")).await;
    assert!(
        matches!(
            refused,
            Err(Refusal::Unavailable {
                retry_after: 1..,
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(rooms.room.job("j1").await.is_err());
    // Who has no secret learns nothing of that.
    let unsigned = signed(
        "another-secret-000",
        "d1",
        &rfc3339(now()),
        &event("j1", "job.started"),
    );
    assert!(matches!(
        rooms.room.webhook(unsigned).await,
        Err(Refusal::InvalidSignature(_))
    ));
    std::fs::create_dir(rooms.folder.path().join("not-yet")).unwrap();
    rooms.opened().await;
    assert!(
        !rooms
            .send("d1", &event("j1", "job.started"))
            .await
            .unwrap()
            .duplicate
    );
}

#[tokio::test]
async fn a_locked_database_costs_nothing_that_was_acknowledged() {
    let rooms = Rooms::open().await;
    rooms.send("d1", &event("j1", "job.started")).await.unwrap();
    let url = format!("sqlite://{}", rooms.folder.path().join("jobs.db").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let refused = rooms.send("d2", &event("j1", "job.completed")).await;
    assert!(
        matches!(refused, Err(Refusal::Unavailable { .. })),
        "{refused:?}"
    );
    assert_eq!(
        rooms.trail("j1").await.job.unwrap().status,
        Status::Processing,
        "reading goes on"
    );
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    let again = async || {
        rooms
            .send("d2", &event("j1", "job.completed"))
            .await
            .is_ok()
    };
    eventually("the store recovers", again).await;
    let trail = rooms.trail("j1").await;
    assert_eq!(trail.job.unwrap().status, Status::Completed);
    assert_eq!(trail.records.len(), 2, "each event once");
}

#[tokio::test]
async fn signals_fire_and_recover_and_outlive_a_restart() {
    let rooms = Rooms::open().await;
    let blank = rooms.board(|board| board.evaluated_at.is_some()).await;
    assert_eq!(blank.failure_rate.state, State::InsufficientData);
    for job in 0..4 {
        let name = if job == 0 {
            "job.failed"
        } else {
            "job.completed"
        };
        rooms
            .send(&format!("d{job}"), &event(&format!("j{job}"), name))
            .await
            .unwrap();
    }
    let firing = rooms
        .board(|board| board.failure_rate.state == State::Firing)
        .await;
    assert_eq!(
        (firing.failure_rate.value, firing.failure_rate.samples),
        (Some(0.25), 4)
    );
    assert_eq!(firing.basis, Basis::Webhooks);

    // Another process on the same file knows since when.
    let database = rooms.folder.path().join("jobs.db");
    let second = Rooms::at(|_| database);
    let kept = second.board(|board| board.current).await;
    assert_eq!(kept.failure_rate.state, State::Firing);
    assert_eq!(kept.failure_rate.since, firing.failure_rate.since);

    for job in 4..20 {
        rooms
            .send(
                &format!("d{job}"),
                &event(&format!("j{job}"), "job.completed"),
            )
            .await
            .unwrap();
    }
    let recovered = second
        .board(|board| board.failure_rate.state == State::Ok)
        .await;
    assert_eq!(
        (recovered.failure_rate.value, recovered.failure_rate.samples),
        (Some(0.05), 20)
    );
    assert!(recovered.failure_rate.since > firing.failure_rate.since);
}

#[tokio::test]
async fn deliveries_are_taken_though_signals_cannot_be_judged() {
    let rooms = Rooms::open().await;
    rooms.board(|board| board.current).await;
    let url = format!("sqlite://{}", rooms.folder.path().join("jobs.db").display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let alter = async |other: &mut SqliteConnection, statement| {
        sqlx::raw_sql(statement).execute(other).await.unwrap();
    };
    // A state of a later version is passed over.
    alter(&mut other, "UPDATE signals SET state = 'dormant'").await;
    let before = rooms.room.board().evaluated_at;
    rooms
        .board(|board| board.current && board.evaluated_at > before)
        .await;
    // Without its table nothing can be kept.
    alter(&mut other, "ALTER TABLE signals RENAME TO elsewhere").await;
    rooms.board(|board| !board.current).await;
    for job in 0..3 {
        let id = format!("d{job}");
        rooms.send(&id, &event("j1", "job.started")).await.unwrap();
    }
    assert_eq!(rooms.count("infra_health_jobs_store_up", &[]), 1);
    alter(&mut other, "ALTER TABLE elsewhere RENAME TO signals").await;
    rooms.board(|board| board.current).await;
}

#[tokio::test]
async fn slow_jobs_are_pending_for_as_long_as_the_window_and_then_fire() {
    let short = Signals {
        window: Duration::from_secs(3),
        ..signals()
    };
    let rooms = Rooms::with(short, |folder| folder.join("jobs.db"));
    rooms.opened().await;
    let mut states = Vec::new();
    let mut number = 0;
    let mut boards = rooms.room.boards();
    while states.last() != Some(&State::Firing) {
        let body =
            json!({"id": format!("r-{number}"), "status": "COMPLETED", "executionTime": 301_000});
        number += 1;
        // RunPod's own jobs do not count next to the API's, so they are told as the API's, too.
        rooms.room.runpod(of_runpod(&body)).await.unwrap();
        rooms
            .send(
                &format!("d{number}"),
                &event(&format!("r-{}", number - 1), "job.completed"),
            )
            .await
            .unwrap();
        let changed = tokio::time::timeout(DEADLINE, boards.changed()).await;
        changed.expect("no evaluation within the deadline").unwrap();
        let state = boards.borrow_and_update().latency.state;
        if states.last() != Some(&state) {
            states.push(state);
        }
        assert!(states.len() <= 3, "{states:?}");
    }
    assert_eq!(
        states,
        [State::InsufficientData, State::Pending, State::Firing]
    );
    let board = rooms.room.board();
    let threshold = Duration::from_secs_f64(board.latency.threshold);
    assert_eq!(threshold, Duration::from_mins(5));
    assert!(
        board
            .latency
            .value
            .is_some_and(|value| (value - 301.0).abs() < 0.005 * 301.0)
    );
}

#[tokio::test]
async fn jobs_are_listed_by_status_newest_first() {
    let rooms = Rooms::open().await;
    for job in 0..5 {
        let name = if job % 2 == 0 {
            "job.failed"
        } else {
            "job.completed"
        };
        rooms
            .send(&format!("d{job}"), &event(&format!("j{job}"), name))
            .await
            .unwrap();
    }
    let wanted = Wanted {
        status: Some(Status::Failed),
        limit: 10,
        ..Wanted::default()
    };
    let mut listed = rooms.room.list(wanted).await.unwrap();
    assert!(listed.is_sorted_by(|a, b| a.changed_at >= b.changed_at));
    listed.sort_by(|a, b| a.job_id.cmp(&b.job_id));
    let ids: Vec<_> = listed.iter().map(|job| job.job_id.as_str()).collect();
    assert_eq!(ids, ["j0", "j2", "j4"]);
}

#[tokio::test]
async fn without_webhooks_there_is_no_store_and_the_rate_is_that_of_runpods_counters() {
    let settings = Jobs {
        takes_webhooks: false,
        takes_runpod: false,
        max_age: Duration::from_hours(24),
        retention: Duration::from_hours(48),
        max_bytes: 1 << 30,
        signals: signals(),
    };
    let folder = in_memory();
    let file = folder.path().join("jobs.db");
    let (room, feed) = Room::start(Setup {
        settings,
        webhooks: Current::fixed(JobWebhooks::default()),
        database: Current::fixed(Database::Sqlite(file.clone())),
        clock: Clock::default(),
    })
    .unwrap();
    let mut feed = feed.unwrap();
    let endpoint = Label::new("main").unwrap();
    let counted = |completed, failed| [(endpoint.clone(), Counted { completed, failed })];
    feed.observe(&counted(100, 50));
    assert_eq!(room.board().failure_rate.state, State::InsufficientData);
    feed.observe(&counted(103, 51));
    let board = room.board();
    assert_eq!(
        (board.failure_rate.state, board.failure_rate.value),
        (State::Firing, Some(0.25))
    );
    assert_eq!(board.basis, Basis::RunPodCounters);
    assert_eq!(board.latency.state, State::InsufficientData);
    let refused = room
        .webhook(signed(
            SECRET,
            "d1",
            &rfc3339(now()),
            &event("j", "job.started"),
        ))
        .await;
    assert_eq!(refused, Err(Refusal::WrongToken));
    assert!(!file.exists());
}
