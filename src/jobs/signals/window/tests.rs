use proptest::prelude::*;

use super::*;

#[test]
fn three_digits_stay_and_the_next_is_rounded_half_up() {
    let table = [
        (0, 0),
        (1, 1),
        (999, 999),
        (1_000, 1_000),
        (1_004, 1_000),
        (1_005, 1_010),
        (9_994, 9_990),
        (9_995, 10_000),
        (123_456, 123_000),
        (123_500, 124_000),
        (999_499, 999_000),
        (999_500, 1_000_000),
    ];
    for (ms, expected) in table {
        assert_eq!(rounded(ms), expected, "{ms}");
    }
}

/// From a moment to centuries, each size as often as any other.
fn durations() -> impl Strategy<Value = i64> {
    (0_u32..55, any::<i64>()).prop_map(|(bits, any)| any & ((1 << bits) - 1))
}

proptest! {
    #[test]
    fn it_is_never_more_than_half_a_percent_off(ms in durations()) {
        let off = (rounded(ms) - ms).abs();
        prop_assert!(off * 200 <= ms, "{} is {}", ms, rounded(ms));
        prop_assert_eq!(rounded(rounded(ms)), rounded(ms));
    }

    #[test]
    fn a_longer_one_is_never_less(one in durations(), other in durations()) {
        let (short, long) = (one.min(other), one.max(other));
        prop_assert!(rounded(short) <= rounded(long));
        prop_assert!(rounded(short) <= rounded(short + 1));
    }
}
