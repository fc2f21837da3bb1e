use std::time::Duration;

use time::macros::datetime;

use super::*;
use crate::clock::Clock;
use crate::config::Policy;
use crate::jobs::signals::board::Basis;
use crate::registry::Registry;

const AT: OffsetDateTime = datetime!(2026-11-23 18:06:59.123 UTC);

fn reading(state: State, value: f64, threshold: f64) -> Reading {
    Reading {
        state,
        value: Some(value),
        threshold,
        samples: 133,
        since: Some(AT),
    }
}

fn board(failure: State, latency: State) -> Board {
    let (slow, calm) = (
        reading(latency, 312.04, 300.0),
        reading(State::Ok, 41.0, 60.0),
    );
    Board {
        evaluated_at: Some(AT),
        current: true,
        basis: Basis::Webhooks,
        window: Duration::from_mins(15),
        failure_rate: reading(failure, 0.0752, 0.05),
        latency: slow.clone(),
        models: vec![
            (Label::new("hd").unwrap(), slow),
            (Label::new("preview").unwrap(), calm),
        ],
    }
}

fn messages(board: &Board, now: OffsetDateTime) -> Vec<(&'static str, String)> {
    let findings = judge(board, now).findings;
    let told = |finding: &Finding| (finding.reason.code, finding.message());
    findings.iter().map(told).collect()
}

#[test]
fn what_is_not_firing_passes() {
    for failure in [State::Ok, State::Pending, State::InsufficientData] {
        for latency in [State::Ok, State::Pending, State::InsufficientData] {
            assert_eq!(messages(&board(failure, latency), AT), []);
        }
    }
}

#[test]
fn each_signal_that_fires_is_told_with_its_numbers() {
    let found = messages(&board(State::Firing, State::Firing), AT);
    let rate =
        "more jobs fail than baseline and error budget allow: 7.5 % of 133 jobs, more than 5.0 %";
    let latency = "hd: jobs have taken longer than LATENCY_SLO for a whole SIGNAL_WINDOW: \
                   312.0 s of 133 jobs, more than 300.0 s";
    assert_eq!(
        found,
        [
            ("job_failure_rate_over_budget", rate.to_owned()),
            ("processing_latency_over_slo", latency.to_owned()),
        ]
    );
    for finding in judge(&board(State::Firing, State::Firing), AT).findings {
        assert!(finding.class().is_failure());
    }
    let mut without_models = board(State::Ok, State::Firing);
    without_models.models.clear();
    assert_eq!(messages(&without_models, AT).len(), 1);
}

#[test]
fn what_was_not_judged_lately_is_a_warning_and_the_last_verdict_stands() {
    let mut old = board(State::Ok, State::Pending);
    let unknown = "the signals of the jobs have not been judged lately: ";
    let later = AT + Duration::from_mins(2);
    let expected = |detail: &str| vec![("job_signals_unknown", format!("{unknown}{detail}"))];
    assert_eq!(messages(&old, later), expected("the last time 120 s ago"));
    assert!(!judge(&old, later).findings[0].class().is_failure());
    old.current = false;
    assert_eq!(messages(&old, AT), expected("the last time 0 s ago"));
    old.evaluated_at = None;
    assert_eq!(messages(&old, AT), expected("not once since the start"));

    let fired = judge(&board(State::Firing, State::Ok), later);
    let worst = fired.worst().unwrap();
    assert_eq!(worst.reason, &JOB_FAILURE_RATE_OVER_BUDGET);
    assert_eq!(fired.findings.len(), 2);
}

#[tokio::test]
async fn a_run_follows_the_board_and_shows_it() {
    let now = Clock::default().now().wall;
    let at = |board: Board| {
        Arc::new(Board {
            evaluated_at: Some(now),
            ..board
        })
    };
    let (sender, receiver) = watch::channel(at(board(State::Ok, State::Ok)));
    let mut registry = Registry::new();
    let make = move || JobSignalsCheck::new(Some(receiver.clone()));
    registry.add(Policy::default(), make).unwrap();
    let mut entries = registry.into_entries();
    let cx = Context {
        clock: Clock::default(),
        timeout: Duration::from_secs(5),
    };
    let outcome = entries[0].run(&cx).await;
    assert!(outcome.findings.is_empty());
    let data = outcome.data.unwrap().json;
    assert_eq!(
        data["signals"]["processing_latency_p95"]["models"]["hd"]["state"],
        "ok"
    );
    sender.send_replace(at(board(State::Firing, State::Ok)));
    let outcome = entries[0].run(&cx).await;
    assert_eq!(outcome.findings.len(), 1);

    let outcome = JobSignalsCheck::new(None).run(&cx).await;
    let message = outcome.findings[0].message();
    assert!(message.ends_with("there is no job room here"), "{message}");
}
