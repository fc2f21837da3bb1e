//! When a check runs next. Pure.

use std::time::Duration;

use crate::config::Policy;
use crate::reason::Class;
use crate::state::State;

/// The longest back-off that an upstream can ask for, in intervals.
const MAX_BACK_OFF: u32 = 2;

/// The delay from the end of the run that led to `state` to the next one, and how long of it the upstream
/// asked for and a refresh must honour. `random` is uniform in `[0, 1)`: the delay is spread by ± [`Policy::JITTER`], not below what
/// the upstream asked for, unless that alone would let the last result turn stale: a deferral keeps the
/// verdict, so the next run comes while it can still be kept.
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
        Some(asked) if asked > spread => {
            let late = asked.mul_f64(1.0 + Policy::JITTER * random);
            let in_time = in_time(state, policy).filter(|latest| *latest > spread);
            in_time.map_or(late, |latest| late.min(latest))
        }
        _ => spread,
    };
    (delay, back_off.map(|by| by.min(delay)))
}

/// The longest delay after which a run that takes its whole timeout still ends before the last judged
/// result turns stale.
fn in_time(state: &State, policy: &Policy) -> Option<Duration> {
    let last = state.last.as_ref()?.at.mono;
    let latest_start = state.judged_at?.mono + policy.stale_after() - policy.timeout;
    latest_start.checked_duration_since(last)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::Instant;

    use super::*;
    use crate::check::Finding;
    use crate::clock::Now;
    use crate::reason::{CONNECT_ERROR, RATE_LIMITED, Reason};
    use crate::state::{Run, Verdict, next};

    const SECOND: Duration = Duration::from_secs(1);

    fn state(results: &[Option<&'static Reason>]) -> State {
        let now = Now {
            mono: Instant::now(),
            wall: time::OffsetDateTime::UNIX_EPOCH,
        };
        results.iter().fold(State::new(), |state, reason| {
            let findings: Arc<[Finding]> = reason.map(Finding::new).into_iter().collect();
            let run = Run {
                findings,
                data: None,
                at: now,
                latency: Duration::ZERO,
            };
            next(&state, run, &Policy::default())
        })
    }

    fn delay(results: &[Option<&'static Reason>], retry_after: Option<u64>, random: f64) -> f64 {
        let retry_after = retry_after.map(Duration::from_secs);
        after(&state(results), retry_after, &Policy::default(), random)
            .0
            .as_secs_f64()
    }

    #[test]
    fn decided_checks_wait_an_interval_also_during_an_outage() {
        let outage = [
            None,
            Some(&CONNECT_ERROR),
            Some(&CONNECT_ERROR),
            Some(&CONNECT_ERROR),
        ];
        assert_eq!(state(&outage).verdict, Verdict::Failing);
        for decided in [&outage[..], &[None]] {
            assert!((delay(decided, None, 0.5) - 30.0).abs() < 1e-6);
        }
    }

    #[test]
    fn undecided_checks_ask_again_soon() {
        for undecided in [&[None, Some(&CONNECT_ERROR)][..], &[Some(&CONNECT_ERROR)]] {
            assert!((delay(undecided, None, 0.5) - 5.0).abs() < 1e-6);
        }
    }

    #[test]
    fn jitter_is_ten_percent_both_ways() {
        assert!((delay(&[None], None, 0.0) - 27.0).abs() < 1e-6);
        assert!((delay(&[None], None, 1.0) - 33.0).abs() < 1e-6);
    }

    #[test]
    fn one_deferral_never_lets_the_last_result_turn_stale() {
        let policy = Policy::default();
        let start = Now {
            mono: Instant::now(),
            wall: time::OffsetDateTime::UNIX_EPOCH,
        };
        let run = |findings: &[Finding], at| Run {
            findings: findings.into(),
            data: None,
            at,
            latency: Duration::ZERO,
        };
        let passed = next(&State::new(), run(&[], start), &policy);
        for random in [0.0, 0.5, 0.999] {
            let (delay, _) = after(&passed, None, &policy, random);
            let limited_at = start.plus(delay + policy.timeout);
            let findings = [Finding::new(&RATE_LIMITED)];
            let limited = next(&passed, run(&findings, limited_at), &policy);
            for again in [0.0, 0.5, 0.999] {
                let (delay, _) = after(&limited, Some(1000 * SECOND), &policy, again);
                let result = limited_at.plus(delay + policy.timeout);
                assert!(result.mono <= start.mono + policy.stale_after());
                assert!(delay > policy.interval, "most of what was asked for");
            }
        }
    }

    #[test]
    fn retry_after_is_honoured_up_to_two_intervals_and_never_undercut() {
        let limited = [None, Some(&RATE_LIMITED)];
        assert!(
            (delay(&limited, None, 0.5) - 30.0).abs() < 1e-6,
            "no retry pace after a 429"
        );
        assert!((delay(&limited, Some(5), 0.5) - 30.0).abs() < 1e-6);
        assert!(delay(&limited, Some(40), 0.0) >= 40.0);
        assert!(delay(&limited, Some(40), 0.999) < 44.0 + 1e-6);
        assert!(
            (delay(&limited, Some(86_400), 0.0) - 60.0).abs() < 1e-6,
            "capped"
        );
        let back_off = after(&state(&limited), Some(40 * SECOND), &Policy::default(), 0.0).1;
        assert_eq!(back_off, Some(40 * SECOND));
    }
}
