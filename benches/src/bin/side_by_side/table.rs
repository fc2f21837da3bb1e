//! The tables, as they can be pasted into docs/performance.md.

use std::io;

use infra_health_benches::load::Measured;
use infra_health_benches::numbers::Sample;

use crate::contenders::Contender;
use crate::subject::Subject;

/// A run counts only if bare hyper's own quartiles lie within this share of its median.
const STEADY: f64 = 0.03;

/// What a request costs; the first subject is the yardstick.
pub(crate) fn cost(subjects: &[Subject], contenders: &[Contender]) {
    println!(
        "| | CPU a request, µs | ratio to bare hyper | requests a second | p50, µs | p99, µs | core busy, % | RSS, kB | start, ms |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let bare = subjects.first().map(Subject::micros).unwrap_or_default();
    for (subject, contender) in subjects.iter().zip(contenders) {
        println!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            subject.name,
            Sample::new(subject.micros()).spread(2),
            Sample::paired(&subject.micros(), &bare).spread(3),
            Sample::new(subject.seen(Measured::per_second)).spread(0),
            Sample::new(subject.seen(|round| round.latency(0.5))).spread(0),
            Sample::new(subject.seen(|round| round.latency(0.99))).spread(0),
            Sample::new(subject.busy()).spread(0),
            subject.resident,
            contender.starts.spread(1),
        );
    }
    void("bare hyper", &bare);
}

/// Whether a yardstick was steady enough for ratios to it to count.
pub(crate) fn is_steady(micros: &[f64]) -> bool {
    Sample::new(micros.to_vec()).is_steady(STEADY)
}

/// Says so if no ratio to this yardstick counts.
fn void(name: &str, micros: &[f64]) {
    if !is_steady(micros) {
        println!(
            "\nVOID: the quartiles of {name} itself, {}, are wider than ± {:.0} %: the machine was not quiet, no ratio counts.",
            Sample::new(micros.to_vec()).spread(2),
            STEADY * 100.0
        );
    }
}

/// How long a request takes at a fixed rate; the first subject is the yardstick.
pub(crate) fn latency(subjects: &[Subject]) -> io::Result<()> {
    println!(
        "| | p50, µs | p99, µs | p99, ratio to bare hyper | p99 of all rounds together, µs | p99.9, µs | answers a second | core busy, % | generator late, p99, µs | left out, % |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let quantile = |subject: &Subject, at: f64| subject.seen(|round| round.latency(at));
    let bare = subjects.first().map(|bare| quantile(bare, 0.99));
    let bare = bare.unwrap_or_default();
    for subject in subjects {
        println!(
            "| {} | {} | {} | {} | {:.0} | {} | {} | {} | {} | {} |",
            subject.name,
            Sample::new(quantile(subject, 0.5)).spread(0),
            Sample::new(quantile(subject, 0.99)).spread(0),
            Sample::paired(&quantile(subject, 0.99), &bare).spread(2),
            Measured::pooled(subject.measured(), 0.99)?,
            Sample::new(quantile(subject, 0.999)).spread(0),
            Sample::new(subject.seen(Measured::per_second)).spread(0),
            Sample::new(subject.busy()).spread(0),
            Sample::new(subject.seen(|round| round.late(0.99))).spread(1),
            Sample::new(subject.seen(Measured::apart)).spread(2),
        );
    }
    Ok(())
}

/// What more workers cost; the first subject is one worker on a core of its own.
pub(crate) fn workers(subjects: &[Subject]) {
    println!(
        "| | CPU a request, µs | ratio to the first | ratio to the second | requests a second |"
    );
    println!("|---|---|---|---|---|");
    let of = |at: usize| subjects.get(at).map(Subject::micros).unwrap_or_default();
    for subject in subjects {
        println!(
            "| {} | {} | {} | {} | {} |",
            subject.name,
            Sample::new(subject.micros()).spread(2),
            Sample::paired(&subject.micros(), &of(0)).spread(3),
            Sample::paired(&subject.micros(), &of(1)).spread(3),
            Sample::new(subject.seen(Measured::per_second)).spread(0),
        );
    }
    void("the first", &of(0));
}
