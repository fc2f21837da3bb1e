use super::super::window::rounded;
use super::*;

const MINUTE: i64 = 60_000;

fn settings() -> Signals {
    Signals {
        affect_health: false,
        latency_slo: Duration::from_mins(5),
        latency_slo_by_model: vec![(label("fast"), Duration::from_secs(10))],
        failure_baseline: 0.02,
        failure_budget: 0.03,
        window: Duration::from_mins(15),
        min_samples: 20,
    }
}

fn label(name: &str) -> Label {
    Label::new(name.to_owned()).unwrap()
}

fn jobs(ended: Ended, count: u64) -> Slice {
    Slice {
        model: Some("m".to_owned()),
        ended,
        processing_ms: None,
        count,
    }
}

fn took(model: &str, seconds: i64, count: u64) -> Slice {
    Slice {
        model: Some(model.to_owned()),
        ended: Ended::Completed,
        processing_ms: Some(seconds * 1000),
        count,
    }
}

fn failure_state(failed: u64, completed: u64, cancelled: u64) -> State {
    let slices = [
        jobs(Ended::Failed, failed),
        jobs(Ended::Completed, completed),
        jobs(Ended::Cancelled, cancelled),
    ];
    judge(&slices, &[], &settings(), 0).failure_rate.state
}

#[test]
fn the_failure_rate_fires_over_baseline_plus_budget_with_enough_jobs() {
    assert_eq!(failure_state(0, 0, 0), State::InsufficientData);
    assert_eq!(failure_state(19, 0, 0), State::InsufficientData);
    assert_eq!(failure_state(2, 18, 0), State::Firing);
    // 5 % is the threshold itself.
    assert_eq!(failure_state(1, 19, 0), State::Ok);
    assert_eq!(failure_state(5, 95, 0), State::Ok);
    assert_eq!(failure_state(6, 94, 0), State::Firing);
    assert_eq!(
        failure_state(1, 18, 1000),
        State::InsufficientData,
        "cancelled ones count for nothing"
    );
}

/// Evaluates every minute; `slow` says of each minute whether the model was over its SLO, `None` for too few jobs.
fn states(minutes: &[Option<bool>]) -> Vec<State> {
    let mut kept = Vec::new();
    let mut states = Vec::new();
    for (minute, slow) in (0..).zip(minutes) {
        let slices = match slow {
            Some(true) => vec![took("m", 301, 20)],
            Some(false) => vec![took("m", 300, 20)],
            None => vec![took("m", 301, 19)],
        };
        let judged = judge(&slices, &kept, &settings(), minute * MINUTE);
        states.push(judged.models[0].1.state);
        kept = judged.kept;
    }
    states
}

#[test]
fn latency_fires_after_fifteen_minutes_over_its_slo_and_not_at_fourteen() {
    let states = states(&[Some(true); 17]);
    assert_eq!(states[0], State::Pending);
    assert_eq!(states[14], State::Pending);
    assert_eq!(states[15], State::Firing);
    assert_eq!(states[16], State::Firing);
}

#[test]
fn one_good_evaluation_or_too_few_jobs_starts_the_time_anew() {
    for pause in [Some(false), None] {
        let mut minutes = vec![Some(true); 10];
        minutes.push(pause);
        minutes.extend([Some(true); 16]);
        let states = states(&minutes);
        assert_eq!(
            states[10],
            if pause.is_some() {
                State::Ok
            } else {
                State::InsufficientData
            }
        );
        assert_eq!(states[25], State::Pending);
        assert_eq!(states[26], State::Firing);
    }
}

#[test]
fn states_outlive_a_restart_and_a_pause_longer_than_the_window_does_not() {
    let over =
        |kept: &[Kept], minute| judge(&[took("m", 301, 20)], kept, &settings(), minute * MINUTE);
    let first = over(&[], 0);
    // The process was away for 10 minutes: what is in the window was over, too.
    let second = over(&first.kept, 10);
    assert_eq!(second.models[0].1.state, State::Pending);
    assert_eq!(over(&second.kept, 15).models[0].1.state, State::Firing);
    assert_eq!(over(&second.kept, 15).models[0].1.since, at(15 * MINUTE));
    assert_eq!(
        over(&second.kept, 26).models[0].1.state,
        State::Pending,
        "16 minutes say nothing"
    );
}

#[test]
fn since_is_when_the_state_began() {
    let ok = judge(&[took("m", 1, 20)], &[], &settings(), 0);
    let still = judge(&[took("m", 1, 20)], &ok.kept, &settings(), MINUTE);
    assert_eq!(still.models[0].1.since, at(0));
    let over = judge(&[took("m", 400, 20)], &still.kept, &settings(), 2 * MINUTE);
    assert_eq!(over.models[0].1.since, at(2 * MINUTE));
}

#[test]
fn each_model_has_its_own_slo_and_the_worst_stands_for_all() {
    let slices = [
        took("fast", 11, 20),
        took("slow", 290, 50),
        took("rare", 900, 3),
    ];
    let judged = judge(&slices, &[], &settings(), 0);
    let state = |name: &str| {
        judged
            .models
            .iter()
            .find(|(model, _)| *model == label(name))
            .map(|(_, r)| r.state)
    };
    assert_eq!(state("fast"), Some(State::Pending));
    assert_eq!(state("slow"), Some(State::Ok));
    assert_eq!(state("rare"), Some(State::InsufficientData));
    let worst = worst(&judged.models, &settings());
    assert_eq!(
        (worst.value, worst.threshold, worst.samples),
        (Some(11.0), 10.0, 20)
    );
}

#[test]
fn models_beyond_the_bound_are_judged_together() {
    let mut slices: Vec<_> = (0..50)
        .map(|n| took(&format!("m{n}"), 400, 10 + n))
        .collect();
    slices.push(took("fast", 11, 1));
    let judged = judge(&slices, &[], &settings(), 0);
    assert_eq!(judged.models.len(), MOST + 1);
    let names: Vec<_> = judged
        .models
        .iter()
        .map(|(model, _)| model.as_str())
        .collect();
    assert!(names.contains(&"fast") && names.contains(&"m49") && names.contains(&"other"));
    let total: u64 = judged
        .models
        .iter()
        .map(|(_, reading)| reading.samples)
        .sum();
    assert_eq!(total, slices.iter().map(|slice| slice.count).sum::<u64>());
}

#[test]
fn a_model_without_jobs_is_told_once() {
    let over = judge(&[took("m", 400, 20)], &[], &settings(), 0);
    let gone = judge(&[], &over.kept, &settings(), MINUTE);
    let name = format!("{LATENCY}/m");
    let kept = gone.kept.iter().find(|kept| kept.name == name).unwrap();
    assert_eq!(
        (kept.state, kept.over_since),
        (State::InsufficientData, None)
    );
    let later = judge(&[], &gone.kept, &settings(), 2 * MINUTE);
    assert!(later.kept.iter().all(|kept| kept.name != name));
}

#[test]
fn p95_is_the_nearest_rank() {
    let of = |values: &[(i64, u64)]| p95(&values.iter().copied().collect());
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[(7, 1)]), Some(7));
    assert_eq!(of(&[(1, 19), (2, 1)]), Some(1));
    assert_eq!(of(&[(1, 18), (2, 1), (3, 1)]), Some(2));
    let hundred: Vec<_> = (1..=100).map(|value| (value, 1)).collect();
    assert_eq!(of(&hundred), Some(95));
}

/// Of a million durations of four shapes, against every one of them sorted.
#[test]
fn p95_of_a_million_is_at_most_half_a_percent_off() {
    let mut random = fastrand::Rng::with_seed(600);
    for shape in 1..=4_i32 {
        let mut all: Vec<i64> = (0..250_000)
            .map(|_| {
                let spread = f64::from(shape) * (random.f64() + random.f64() + random.f64());
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "e^12 s are far below 2^63 ms"
                )]
                let ms = (spread.exp() * 1000.0) as i64;
                ms
            })
            .collect();
        let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
        for &ms in &all {
            *counts.entry(rounded(ms)).or_default() += 1;
        }
        all.sort_unstable();
        let exact = all[250_000 * 95 / 100 - 1];
        let told = p95(&counts).unwrap();
        println!(
            "p95 {told} ms, exact {exact} ms, from {} groups",
            counts.len()
        );
        assert!((told - exact).abs() * 200 <= exact, "{told} for {exact}");
    }
}
