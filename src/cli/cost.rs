//! What a pace costs and how fast it notices: plain arithmetic.

use std::time::Duration;

use crate::config::Policy;

/// Seconds of the 30-day month that prices are told for.
const MONTH: f64 = 30.0 * 24.0 * 3600.0;
/// R2 class A operations that are free each month, per account (Cloudflare's R2 pricing page).
const FREE_CLASS_A: f64 = 1_000_000.0;
/// US dollars per million class A operations past the free ones, Standard storage (the same page).
const CLASS_A_PER_MILLION: f64 = 4.50;

/// Calls of one replica.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Calls {
    /// Per hour.
    pub(super) hour: f64,
    /// Per month of 30 days.
    pub(super) month: f64,
}

/// `parties` calls every interval.
pub(super) fn calls(policy: &Policy, parties: usize) -> Calls {
    #[expect(clippy::cast_precision_loss, reason = "at most 50 endpoints")]
    let per_second = parties as f64 / policy.interval.as_secs_f64();
    Calls {
        hour: per_second * 3600.0,
        month: per_second * MONTH,
    }
}

/// What R2 asks for a month of listings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClassA {
    /// Percent of the free operations of an account.
    pub(super) free_percent: f64,
    /// US dollars for all of them once the free ones are used up, pro rata.
    pub(super) dollars_past_free: f64,
    /// US dollars if this replica is all that uses the account.
    pub(super) dollars_alone: f64,
}

/// The price of calls that are class A operations, as listing a bucket is.
pub(super) fn class_a(calls: Calls) -> ClassA {
    let price = |calls: f64| calls / 1e6 * CLASS_A_PER_MILLION;
    ClassA {
        free_percent: calls.month / FREE_CLASS_A * 100.0,
        dollars_past_free: price(calls.month),
        dollars_alone: price((calls.month - FREE_CLASS_A).max(0.0)),
    }
}

/// The longest time from a fault to the check turning false:
/// interval · (1 + jitter) + timeout + (failure threshold − 1) · (retry interval · (1 + jitter) + timeout).
pub(super) fn time_to_notice(policy: &Policy) -> Duration {
    let late = |interval: Duration| interval.mul_f64(1.0 + Policy::JITTER);
    let retries = policy.failure_threshold.saturating_sub(1);
    late(policy.interval)
        + policy.timeout
        + (late(policy.retry_interval) + policy.timeout) * retries
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-6
    }

    #[test]
    fn the_default_pace_of_r2_stays_within_the_free_operations() {
        let policy = Policy {
            interval: Duration::from_mins(1),
            ..Policy::default()
        };
        let calls = calls(&policy, 1);
        assert!(close(calls.hour, 60.0) && close(calls.month, 43_200.0));
        let price = class_a(calls);
        assert!(close(price.free_percent, 4.32), "{price:?}");
        assert!(close(price.dollars_past_free, 0.1944), "{price:?}");
        assert!(close(price.dollars_alone, 0.0), "{price:?}");
    }

    #[test]
    fn past_the_free_operations_only_the_rest_is_paid() {
        let policy = Policy {
            interval: Duration::from_secs(1),
            ..Policy::default()
        };
        let price = class_a(calls(&policy, 1));
        assert!(close(price.dollars_alone, 1.592 * 4.5), "{price:?}");
    }

    #[test]
    fn every_endpoint_is_a_call() {
        assert!(close(calls(&Policy::default(), 3).hour, 360.0));
    }

    #[test]
    fn noticing_takes_one_interval_and_the_retries() {
        // 33 + 5 + 2 × (5.5 + 5)
        assert_eq!(time_to_notice(&Policy::default()), Duration::from_secs(59));
        let at_once = Policy {
            failure_threshold: 1,
            ..Policy::default()
        };
        assert_eq!(time_to_notice(&at_once), Duration::from_secs(38));
    }
}
