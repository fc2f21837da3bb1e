use std::time::Duration;

use time::OffsetDateTime;

use super::*;
use crate::clock::Now;
use crate::config::Policy;
use crate::reason::{CONNECT_ERROR, OK, RATE_LIMITED, Reason, TIMEOUT};
use crate::registry::DataSchema;
use crate::state::{Run, next};

const SECOND: Duration = Duration::from_secs(1);

struct World {
    start: Now,
    snapshot: Snapshot,
}

impl World {
    fn new(names: &[&'static str]) -> Self {
        let infos: Vec<_> = names
            .iter()
            .map(|&name| Info {
                name,
                about_this_process: name == "api",
                reasons: &[],
                timed: &[],
                data: DataSchema::of::<()>(),
                families: &[],
                policy: Policy::default(),
            })
            .collect();
        let start = Now {
            mono: Instant::now(),
            wall: OffsetDateTime::UNIX_EPOCH,
        };
        World {
            start,
            snapshot: Snapshot::starting(&infos),
        }
    }

    fn result(&mut self, name: &str, second: u32, reason: Option<&'static Reason>) -> &mut Self {
        let mut checks = self.snapshot.checks.iter_mut();
        let check = checks.find(|check| check.info.name == name).unwrap();
        let run = Run {
            findings: reason.map(Finding::new).into_iter().collect(),
            data: None,
            at: self.start.plus(SECOND * second),
            latency: Duration::ZERO,
        };
        check.state = Arc::new(next(&check.state, run, &check.info.policy));
        self
    }

    fn at(&self, second: u32) -> Moment {
        Moment {
            now: self.start.mono + SECOND * second,
            stalled: false,
        }
    }

    fn view(&self, index: usize, second: u32) -> View {
        self.snapshot.checks[index].view(self.at(second))
    }
}

#[test]
fn healthy_when_every_counted_check_is_true() {
    let mut world = World::new(&["api", "r2"]);
    world.result("api", 1, None);
    let fold = world.snapshot.fold(CheckSet::EMPTY, world.at(2));
    assert!(!fold.healthy);
    assert_eq!(fold.checks, [("api", true), ("r2", false)]);
    assert_eq!(fold.checked_at, None, "r2 has no result yet");
    assert!(world.snapshot.is_starting(CheckSet::EMPTY));

    world.result("r2", 3, None);
    let fold = world.snapshot.fold(CheckSet::EMPTY, world.at(4));
    assert!(fold.healthy);
    assert_eq!(fold.checked_at.unwrap().unix_timestamp(), 1, "the oldest");
    assert!(!world.snapshot.is_starting(CheckSet::EMPTY));
}

#[test]
fn an_excluded_check_is_shown_and_does_not_count() {
    let mut world = World::new(&["api", "r2"]);
    world
        .result("api", 1, None)
        .result("r2", 0, Some(&CONNECT_ERROR));
    let fold = world.snapshot.fold(CheckSet::EMPTY.with(1), world.at(2));
    assert!(fold.healthy);
    assert_eq!(fold.checks, [("api", true), ("r2", false)]);
    assert_eq!(fold.excluded, ["r2"]);
    assert_eq!(fold.checked_at.unwrap().unix_timestamp(), 1);
}

#[test]
fn a_result_turns_stale_after_three_intervals_and_the_timeout() {
    let mut world = World::new(&["r2"]);
    world.result("r2", 0, None);
    assert!(world.view(0, 94).ok());
    let stale = world.view(0, 95);
    assert!(!stale.ok());
    assert_eq!(stale.deciding().reason, &STALE);
    assert_eq!(
        world.snapshot.good_until(),
        Some(world.start.mono + SECOND * 95)
    );
}

#[test]
fn a_429_keeps_a_true_check_true_warns_and_lets_it_age() {
    let mut world = World::new(&["r2"]);
    world
        .result("r2", 0, None)
        .result("r2", 30, Some(&RATE_LIMITED));
    let view = world.view(0, 31);
    assert_eq!(
        (view.status, view.deciding().reason),
        (Status::Warn, &RATE_LIMITED)
    );
    assert!(!world.view(0, 95).ok());
}

#[test]
fn a_stalled_monitor_makes_the_check_of_this_process_false_and_no_other() {
    let mut world = World::new(&["api", "r2"]);
    world.result("api", 0, None).result("r2", 0, None);
    let at = Moment {
        stalled: true,
        ..world.at(1)
    };
    assert_eq!(
        world.snapshot.fold(CheckSet::EMPTY, at).checks,
        [("api", false), ("r2", true)]
    );
    assert_eq!(
        world.snapshot.checks[0].view(at).deciding().reason,
        &MONITOR_STALLED
    );
}

#[test]
fn one_failure_shows_as_raw_result_while_the_damped_status_stays() {
    let mut world = World::new(&["r2"]);
    world.result("r2", 0, None).result("r2", 30, Some(&TIMEOUT));
    let view = world.view(0, 31);
    assert_eq!(
        (view.status, view.last_result),
        (Status::Pass, Some(Status::Fail))
    );
    assert_eq!(view.deciding().reason, &TIMEOUT);
}

#[test]
fn a_false_check_that_passes_again_still_tells_what_it_failed_of() {
    let mut world = World::new(&["r2"]);
    for second in 0..3 {
        world.result("r2", second, Some(&TIMEOUT));
    }
    world.result("r2", 3, None);
    let view = world.view(0, 4);
    assert_eq!(
        (view.status, view.last_result),
        (Status::Fail, Some(Status::Pass))
    );
    assert_eq!(view.deciding().reason, &TIMEOUT);
}

#[test]
fn check_sets_hold_positions() {
    let set = CheckSet::EMPTY.with(0).with(63);
    assert!(set.contains(0) && set.contains(63) && !set.contains(1));
    assert_eq!(set.len(), 2);
    assert!(CheckSet::EMPTY.is_empty());
}

#[test]
fn a_change_of_status_is_taken_down_once_from_the_first_result_on() {
    let mut world = World::new(&["r2"]);
    let notice = |world: &mut World, second: u32| {
        let now = world.start.plus(SECOND * second);
        world.snapshot.checks[0].notice(now)
    };
    assert!(!notice(&mut world, 0), "nothing is known yet");
    world.result("r2", 1, None);
    assert!(notice(&mut world, 1));
    assert!(!notice(&mut world, 2), "known already");
    world.result("r2", 30, Some(&TIMEOUT));
    assert!(!notice(&mut world, 30), "one failure changes no status");
    world.result("r2", 60, Some(&RATE_LIMITED));
    assert!(notice(&mut world, 60), "a warning does");
    assert!(notice(&mut world, 125), "and a result that is too old");
    let told: Vec<_> = world.snapshot.checks[0]
        .history
        .recent()
        .map(|change| (change.to, change.reason))
        .collect();
    assert_eq!(
        told,
        [
            (Status::Fail, &STALE),
            (Status::Warn, &RATE_LIMITED),
            (Status::Pass, &OK)
        ]
    );
}
