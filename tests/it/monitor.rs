//! The monitor on its own thread, with scripted checks.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use infra_health::answers::{Options, Published};
use infra_health::check::{Check, Context, Finding, Outcome};
use infra_health::clock::Clock;
use infra_health::config::Policy;
use infra_health::monitor::{Monitor, Setup, start};
use infra_health::reason::{CONNECT_ERROR, PANICKED, RATE_LIMITED, Reason, TIMEOUT};
use infra_health::registry::{Info, Registry};
use infra_health::state::Verdict;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

const DEADLINE: Duration = Duration::from_secs(10);

/// What a scripted check does in one run.
#[derive(Clone, Copy)]
enum Step {
    Pass,
    Fail,
    Limited(Duration),
    Panic,
    Hang,
    /// Passes once the gate is opened.
    Gate,
}

/// Plays its steps, then passes for ever; shared so that a rebuilt check goes on where it was.
#[derive(Clone, Default)]
struct Script {
    steps: Arc<Mutex<VecDeque<Step>>>,
    runs: Arc<AtomicU32>,
    gate: Arc<Notify>,
}

impl Script {
    fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Script {
            steps: Arc::new(Mutex::new(steps.into_iter().collect())),
            ..Script::default()
        }
    }

    fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }

    async fn play(&self) -> Outcome<()> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(Step::Pass);
        match step {
            Step::Pass => Outcome::pass(),
            Step::Fail => Outcome::of(Finding::new(&CONNECT_ERROR)),
            Step::Limited(retry_after) => Outcome {
                retry_after: Some(retry_after),
                ..Outcome::of(Finding::new(&RATE_LIMITED))
            },
            Step::Panic => panic!("scripted"),
            Step::Hang => pending().await,
            Step::Gate => {
                self.gate.notified().await;
                Outcome::pass()
            }
        }
    }
}

macro_rules! scripted {
    ($type:ident, $name:literal) => {
        struct $type(Script);
        impl Check for $type {
            const NAME: &'static str = $name;
            const REASONS: &'static [&'static Reason] = &[];
            type Data = ();
            async fn run(&mut self, _cx: &Context) -> Outcome<()> {
                self.0.play().await
            }
        }
    };
}
scripted!(First, "first");
scripted!(Second, "second");

fn quick() -> Policy {
    Policy {
        interval: Duration::from_millis(40),
        timeout: Duration::from_millis(40),
        retry_interval: Duration::from_millis(20),
        ..Policy::default()
    }
}

fn run(policy: Policy, first: &Script, second: &Script) -> Monitor {
    let (first, second) = (first.clone(), second.clone());
    let build = move || {
        let mut registry = Registry::new();
        registry.add(policy, move || First(first.clone())).unwrap();
        registry
            .add(policy, move || Second(second.clone()))
            .unwrap();
        Ok(registry)
    };
    let infos = vec![Info::of::<First>(policy), Info::of::<Second>(policy)];
    start(Setup {
        infos,
        options: Options::default(),
        clock: Clock::default(),
        refresh_gap: policy.retry_interval,
        build,
        on_beat: Box::new(|_| {}),
    })
    .unwrap()
}

async fn until(monitor: &Monitor, condition: impl Fn(&Published) -> bool) -> Arc<Published> {
    let mut published = monitor.handle.published.clone();
    let found = timeout(DEADLINE, published.wait_for(|p| condition(p)))
        .await
        .expect("within the deadline");
    found.unwrap().clone()
}

fn reason(published: &Published, index: usize) -> Option<&'static Reason> {
    published.snapshot.checks[index]
        .state
        .last
        .as_ref()?
        .worst()
        .map(|finding| finding.reason)
}

#[tokio::test]
async fn a_hung_and_a_panicking_check_harm_no_other() {
    let hung = Script::of([Step::Hang; 50]);
    let other = Script::of([Step::Panic, Step::Pass, Step::Pass]);
    let monitor = run(quick(), &hung, &other);
    until(&monitor, |p| reason(p, 1) == Some(&PANICKED)).await;
    until(&monitor, |p| {
        p.snapshot.checks[1].state.verdict == Verdict::Passing
    })
    .await;
    until(&monitor, |p| reason(p, 0) == Some(&TIMEOUT)).await;
    until(&monitor, |p| {
        p.snapshot.checks[0].state.verdict == Verdict::Failing
    })
    .await;
    assert_eq!(
        monitor.handle.published.borrow().snapshot.checks[1]
            .state
            .verdict,
        Verdict::Passing
    );
}

#[tokio::test]
async fn three_failures_in_a_row_turn_it_false_and_two_passes_true() {
    let script = Script::of([
        Step::Pass,
        Step::Fail,
        Step::Fail,
        Step::Pass,
        Step::Fail,
        Step::Fail,
        Step::Fail,
    ]);
    let monitor = run(quick(), &script, &Script::default());
    let failing = until(&monitor, |p| {
        p.snapshot.checks[0].state.verdict == Verdict::Failing
    })
    .await;
    assert_eq!(failing.snapshot.checks[0].state.failures, 3);
    assert!(script.runs() >= 7);
    let passing = until(&monitor, |p| {
        p.snapshot.checks[0].state.verdict == Verdict::Passing
    })
    .await;
    assert_eq!(passing.snapshot.checks[0].state.successes, 2);
}

#[tokio::test]
async fn the_published_answers_follow_the_states() {
    let monitor = run(
        quick(),
        &Script::default(),
        &Script::of([Step::Fail, Step::Fail]),
    );
    let body =
        |p: &Published| String::from_utf8(p.health.body.clone().with_id("x").to_vec()).unwrap();
    let settled = until(&monitor, |p| body(p).contains(r#""status":"healthy""#)).await;
    assert!(body(&settled).contains(r#""checks":{"first":true,"second":true}"#));
    assert!(!settled.starting);
}

#[tokio::test]
async fn a_refresh_runs_every_check_once_for_all_who_ask_at_once() {
    let slow = Policy {
        interval: Duration::from_hours(1),
        retry_interval: Duration::from_hours(1),
        ..quick()
    };
    let (first, second) = (Script::default(), Script::default());
    let monitor = run(slow, &first, &second);
    until(&monitor, |p| !p.starting).await;
    let refresh = &monitor.handle.refresh;
    let (one, two) = tokio::join!(refresh.run(DEADLINE), refresh.run(DEADLINE));
    assert_eq!(one.1, ["first", "second"]);
    assert_eq!(two.1, ["first", "second"]);
    // The next one comes too early: it starts nothing, and nothing is fresh.
    let (_, fresh) = refresh.run(DEADLINE).await;
    assert_eq!(fresh, [""; 0]);
    assert_eq!((first.runs(), second.runs()), (2, 2));
}

#[tokio::test]
async fn a_refresh_honours_a_back_off_and_says_what_is_fresh() {
    let slow = Policy {
        interval: Duration::from_hours(1),
        ..quick()
    };
    let limited = Script::of([Step::Limited(Duration::from_mins(10))]);
    let other = Script::default();
    let monitor = run(slow, &limited, &other);
    until(&monitor, |p| !p.starting).await;
    let (_, fresh) = monitor.handle.refresh.run(DEADLINE).await;
    assert_eq!(fresh, ["second"]);
    assert_eq!((limited.runs(), other.runs()), (1, 2));
}

#[tokio::test]
async fn a_run_that_began_before_the_refresh_is_not_fresh() {
    let slow = Policy {
        interval: Duration::from_hours(1),
        timeout: Duration::from_mins(10),
        ..quick()
    };
    let gated = Script::of([Step::Gate]);
    let monitor = run(slow, &gated, &Script::default());
    until(&monitor, |p| !p.snapshot.checks[1].is_starting()).await;
    let refresh = monitor.handle.refresh.run(DEADLINE);
    let open_later = async {
        // The other check's second run shows that the refresh has been asked for.
        until(&monitor, |p| p.snapshot.checks[1].state.successes == 2).await;
        gated.gate.notify_one();
    };
    let ((_, fresh), ()) = tokio::join!(refresh, open_later);
    assert_eq!(fresh, ["first", "second"]);
    assert_eq!(gated.runs(), 2, "once more, after the refresh");
}

#[tokio::test]
async fn a_refresh_ends_with_its_callers_patience() {
    let slow = Policy {
        interval: Duration::from_hours(1),
        timeout: Duration::from_mins(10),
        ..quick()
    };
    let monitor = run(
        slow,
        &Script::of([Step::Pass, Step::Hang]),
        &Script::default(),
    );
    until(&monitor, |p| !p.starting).await;
    let (_, fresh) = monitor.handle.refresh.run(Duration::from_millis(300)).await;
    assert_eq!(fresh, ["second"]);
}

#[tokio::test]
async fn the_heart_beats_and_the_thread_ends_when_dropped() {
    let monitor = run(quick(), &Script::default(), &Script::default());
    until(&monitor, |p| !p.starting).await;
    assert!(!monitor.handle.heartbeat.is_stalled(Instant::now()));
    let mut published = monitor.handle.published.clone();
    drop(monitor);
    let gone = async { while published.changed().await.is_ok() {} };
    timeout(DEADLINE, gone)
        .await
        .expect("the publisher is gone");
}
