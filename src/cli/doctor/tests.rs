use tokio::time::Instant;

use super::*;
use crate::check::{Check, Context, Finding, Outcome};
use crate::config::Policy;
use crate::reason::{RATE_LIMITED, Reason, STALE};
use crate::registry::Registry;

const MINUTE: Duration = Duration::from_mins(1);

/// Passes, or defers for as long as it is told.
struct Slow(Option<Duration>);

impl Check for Slow {
    const NAME: &'static str = "slow";
    const REASONS: &'static [&'static Reason] = &[];
    const TIMED: &'static [(&'static Reason, Duration)] = &[(&STALE, MINUTE)];
    type Data = ();

    async fn run(&mut self, _cx: &Context) -> Outcome<()> {
        match self.0 {
            None => Outcome::pass(),
            retry_after => Outcome {
                retry_after,
                ..Outcome::of(Finding::new(&RATE_LIMITED))
            },
        }
    }
}

fn entry(retry_after: Option<Duration>) -> Entry {
    let mut registry = Registry::new();
    let policy = Policy::default();
    registry.add(policy, move || Slow(retry_after)).unwrap();
    registry.into_entries().remove(0)
}

#[tokio::test(start_paused = true)]
async fn samples_span_the_whole_time_so_that_what_needs_it_is_judged() {
    let examined = examine_one(entry(None), MINUTE).await;
    assert_eq!(examined.sampled, MINUTE);
    assert_eq!(too_long(examined.check.info, examined.sampled).count(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_run_judges_nothing_that_needs_time() {
    let examined = examine_one(entry(None), Duration::ZERO).await;
    let not_judged = too_long(examined.check.info, examined.sampled).next();
    assert_eq!(not_judged.map(|timed| timed.needs_seconds), Some(60));
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_beyond_the_end_ends_it_early() {
    let start = Instant::now();
    let examined = examine_one(entry(Some(MINUTE)), MINUTE / 2).await;
    assert_eq!(examined.sampled, Duration::ZERO);
    assert_eq!(start.elapsed(), Duration::ZERO, "nothing to wait for");
}
