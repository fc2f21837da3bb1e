//! The goals that these figures are for.

use std::io;

use infra_health_benches::goals::Goals;
use infra_health_benches::load::Measured;
use infra_health_benches::numbers::Sample;

use crate::contenders::{AGAIN, KEYED, NGINX, SERVICE};
use crate::subject::Subject;
use crate::table::is_steady;

/// What the tables say as well, and longer.
const VOID: &str = "VOID, the yardstick's own quartiles are wider than ± 3 %";
/// Of p99.
const P99_GOAL: f64 = 1.2;
const NOISE: &str = "VOID, bare hyper against itself differs by more than the goal allows";

fn named<'a>(subjects: &'a [Subject], name: &str) -> Option<&'a Subject> {
    subjects.iter().find(|subject| subject.name == name)
}

/// CPU a request; the first subject is bare hyper.
pub(crate) fn of_cost(goals: &mut Goals, subjects: &[Subject]) {
    let micros = |name| named(subjects, name).map(Subject::micros);
    let (Some(bare), Some(ours)) = (subjects.first().map(Subject::micros), micros(SERVICE)) else {
        return;
    };
    let void = (!is_steady(&bare)).then_some(VOID);
    let ratio = Sample::paired(&ours, &bare);
    for goal in [1.10, 1.05] {
        let figure = "CPU a `GET /health` against bare hyper";
        goals.ratio(figure, &ratio, goal, void);
    }
    if let Some(keyed) = micros(KEYED) {
        let figure = "the same with a valid key";
        goals.ratio(figure, &Sample::paired(&keyed, &bare), 1.20, void);
    }
    if let Some(again) = micros(AGAIN) {
        let told = Sample::paired(&again, &bare).spread(3);
        goals.stated("bare hyper against itself, a second process", &told);
    }
    let figure = "CPU against nginx `return 200`";
    match micros(NGINX) {
        Some(nginx) => goals.stated(figure, &Sample::paired(&ours, &nginx).spread(3)),
        None => goals.unknown(figure, "–", "there is no nginx"),
    }
}

/// p99 of the open loop: the ratio is taken in each round, the goal is on the median of these; the p99 of all rounds
/// together, where single slow moments weigh more, stands beside it.
pub(crate) fn of_latency(goals: &mut Goals, subjects: &[Subject]) -> io::Result<()> {
    let rounds = |subject: &Subject| subject.seen(|round| round.latency(0.99));
    let pooled = |subject: &Subject| Measured::pooled(subject.measured(), 0.99);
    let (Some(bare), Some(ours)) = (subjects.first(), named(subjects, SERVICE)) else {
        return Ok(());
    };
    let ratio = Sample::paired(&rounds(ours), &rounds(bare));
    let figure = "p99 at 20,000 requests a second against bare hyper";
    let control = named(subjects, AGAIN).map(|again| Sample::paired(&rounds(again), &rounds(bare)));
    let noisy = control.is_some_and(|control| {
        control.quantile(250) < 1.0 / P99_GOAL || control.quantile(750) > P99_GOAL
    });
    goals.ratio(figure, &ratio, P99_GOAL, noisy.then_some(NOISE));
    let together = format!("{:.3}", pooled(ours)? / pooled(bare)?);
    goals.stated("the same, of all rounds together", &together);
    if let Some(again) = named(subjects, AGAIN) {
        let told = format!(
            "{}; of all rounds together {:.3}",
            Sample::paired(&rounds(again), &rounds(bare)).spread(3),
            pooled(again)? / pooled(bare)?
        );
        goals.stated("p99 of bare hyper against itself, a second process", &told);
    }
    Ok(())
}

/// CPU a request with two workers; the first subject is one worker on a core of its own, the second one worker that may use
/// both.
pub(crate) fn of_workers(goals: &mut Goals, subjects: &[Subject]) {
    let [alone, free, two] = subjects else {
        return;
    };
    let void = (!is_steady(&alone.micros())).then_some(VOID);
    let ratio = Sample::paired(&two.micros(), &alone.micros());
    let figure = "CPU a request, two workers on two cores against one on one";
    goals.ratio(figure, &ratio, 1.1, void);
    let control = Sample::paired(&two.micros(), &free.micros());
    goals.stated(
        "the same against one worker on two cores",
        &control.spread(3),
    );
}
