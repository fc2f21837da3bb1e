//! When a check runs next. Pure.

use std::time::Duration;

use crate::config::Policy;
use crate::reason::Class;
use crate::state::State;

/// The longest back-off that an upstream can ask for, in intervals.
const MAX_BACK_OFF: u32 = 2;

/// The delay from the end of the run that led to `state` to the next one, and how long of it the upstream
/// asked for. `random` is uniform in `[0, 1)`: the delay is spread by ± [`Policy::JITTER`], never below
/// what the upstream asked for.
pub fn after(
    state: &State,
    retry_after: Option<Duration>,
    policy: &Policy,
    random: f64,
) -> (Duration, Option<Duration>) {
    let deferred = state
        .last
        .as_ref()
        .is_some_and(|run| run.class() == Class::Deferred);
    let base = if state.is_undecided() && !deferred {
        policy.retry_interval
    } else {
        policy.interval
    };
    let spread = base.mul_f64(1.0 + Policy::JITTER * (2.0 * random - 1.0));
    let back_off = retry_after.map(|asked| asked.min(policy.interval * MAX_BACK_OFF));
    let delay = match back_off {
        Some(asked) if asked > spread => asked.mul_f64(1.0 + Policy::JITTER * random),
        _ => spread,
    };
    (delay, back_off)
}
