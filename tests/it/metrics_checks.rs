//! What a check of any kind gets on `/metrics`: its own samples, and what the monitor knows of its runs.

use std::sync::Arc;
use std::time::Duration;

use infra_health::check::{Check, Context, Finding, Outcome, Report};
use infra_health::clock::Clock;
use infra_health::config::Policy;
use infra_health::detail::Label;
use infra_health::metrics::{Standing, page};
use infra_health::monitor::step;
use infra_health::reason::{CONNECT_ERROR, Reason};
use infra_health::registry::{Info, Registry};
use infra_health::sample::{Family, Kind, Sample};
use infra_health::snapshot::{CheckSet, Checked, Moment, Snapshot};
use serde::Serialize;

use crate::support::exposition::Page;

static DEPTH: Family = Family {
    name: "queue_depth",
    help: "Entries that wait",
    kind: Kind::Gauge,
    labels: &["queue"],
};
static UNDECLARED: Family = Family {
    name: "undeclared",
    help: "Of no declared family",
    kind: Kind::Gauge,
    labels: &[],
};

#[derive(Serialize, utoipa::ToSchema)]
struct Depths(Vec<(Label, u64)>);

impl Report for Depths {
    const FAMILIES: &'static [&'static Family] = &[&DEPTH];

    fn samples(&self, out: &mut Vec<Sample>) {
        for (queue, depth) in &self.0 {
            out.push(DEPTH.sample([queue.into()], *depth));
        }
        out.push(UNDECLARED.sample([], true));
    }
}

/// Passes with data, then fails without.
struct Queues(bool);

impl Check for Queues {
    const NAME: &'static str = "queues";
    const REASONS: &'static [&'static Reason] = &[];
    type Data = Depths;

    async fn run(&mut self, _cx: &Context) -> Outcome<Depths> {
        if std::mem::replace(&mut self.0, true) {
            return Outcome::of(Finding::new(&CONNECT_ERROR));
        }
        let depth = |name: &'static str, depth| (Label::new(name).unwrap(), depth);
        Outcome::pass().with_data(Depths(vec![depth("fast", 3), depth("slow", 12)]))
    }
}

/// What a scrape `later` than now shows of `check`.
fn scrape(check: &Checked, later: Duration) -> Page {
    let snapshot = Snapshot {
        checks: vec![check.clone()],
    };
    let mut samples = Vec::new();
    let standing = Standing {
        snapshot: &snapshot,
        excluded: CheckSet::EMPTY,
        at: Moment {
            now: Clock::default().advanced(later).now().mono,
            stalled: false,
        },
        heartbeat_age: later,
        ready: true,
    };
    standing.samples(&mut samples);
    let text = page(&samples).body.with_id("");
    Page::parse(std::str::from_utf8(&text).unwrap())
}

#[tokio::test]
async fn a_checks_own_samples_are_those_of_its_last_run() {
    let policy = Policy::default();
    let mut registry = Registry::new();
    registry.add(policy, || Queues(false)).unwrap();
    let mut entry = registry.into_entries().remove(0);
    let mut check = Checked::starting(Info::of::<Queues>(policy));
    let clock = Clock::default();
    assert_eq!(scrape(&check, Duration::ZERO).of_name("queue_depth"), []);

    check.state = Arc::new(step(&mut entry, clock, &check.state).await);
    let first = scrape(&check, Duration::ZERO);
    for (queue, depth) in [("fast", 3.0), ("slow", 12.0)] {
        assert_eq!(first.get("queue_depth", &[("queue", queue)]), Some(depth));
    }
    let kind = first
        .families
        .iter()
        .find(|(name, _)| name == "queue_depth");
    assert_eq!(kind.map(|(_, kind)| kind.as_str()), Some("gauge"));
    assert_eq!(first.get("undeclared", &[]), None, "no document has it");

    // A minute on nothing is stale; half an hour on the numbers are nobody's any more.
    let later = scrape(&check, Duration::from_mins(1));
    assert_eq!(later.get("queue_depth", &[("queue", "fast")]), Some(3.0));
    assert!(later.value("infra_health_check_age_seconds", &[("check", "queues")]) >= 60.0);
    let stale = scrape(&check, Duration::from_mins(30));
    assert_eq!(stale.of_name("queue_depth"), []);
    assert!(stale.is("infra_health_check_stale", &[("check", "queues")]));
    assert!(!stale.is("infra_health_status", &[]));

    check.state = Arc::new(step(&mut entry, clock, &check.state).await);
    let second = scrape(&check, Duration::ZERO);
    assert_eq!(second.of_name("queue_depth"), []);
    let runs = |reason| {
        let labels = [("check", "queues"), ("reason", reason)];
        second.get("infra_health_check_runs_total", &labels)
    };
    assert_eq!(
        [runs("ok"), runs("connect_error"), runs("timeout")],
        [Some(1.0), Some(1.0), Some(0.0)]
    );
    let count = second.value(
        "infra_health_check_duration_seconds_count",
        &[("check", "queues")],
    );
    assert_eq!(count.to_bits(), 2.0_f64.to_bits());
    assert!(second.is(
        "infra_health_check_state",
        &[("check", "queues"), ("state", "pass")]
    ));
    assert!(second.is(
        "infra_health_check_last_result",
        &[("check", "queues"), ("state", "fail")]
    ));
}

#[test]
fn whatever_a_literal_holds_is_escaped() {
    static ODD: Family = Family {
        name: "odd",
        help: "A \\ and a\nline",
        kind: Kind::Counter,
        labels: &["text"],
    };
    let literal = "a\"b\\c\nd} 1";
    let text = page(&[ODD.sample([literal.into()], 2_u64)])
        .body
        .with_id("");
    let text = std::str::from_utf8(&text).unwrap();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(
        Page::parse(text).get("odd", &[("text", literal)]),
        Some(2.0)
    );
}
