use proptest::prelude::*;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::*;
use crate::reason::{
    CONNECT_ERROR, INTERMITTENT, MISSING_CONFIG, MONITOR_STALLED, RATE_LIMITED, Reason,
};

use Verdict::{Failing, Passing, Starting};

/// One letter a result: Pass, Warn, Deferred (429), Transient, Refuted, Down.
fn reason(letter: char) -> Option<&'static Reason> {
    match letter {
        'P' => None,
        'W' => Some(&INTERMITTENT),
        '4' => Some(&RATE_LIMITED),
        'T' => Some(&CONNECT_ERROR),
        'R' => Some(&MISSING_CONFIG),
        'D' => Some(&MONITOR_STALLED),
        other => panic!("no result is called {other}"),
    }
}

fn at(base: Instant, second: u64) -> Now {
    Now {
        mono: base,
        wall: OffsetDateTime::UNIX_EPOCH,
    }
    .plus(Duration::from_secs(second))
}

/// The states after each letter, one second apart.
fn play(letters: &str, policy: &Policy) -> Vec<State> {
    let base = Instant::now();
    let mut states = vec![State::new()];
    for (second, letter) in letters.chars().enumerate() {
        let run = Run {
            findings: reason(letter).map(Finding::new).into_iter().collect(),
            data: None,
            at: at(base, second as u64),
            latency: Duration::ZERO,
        };
        states.push(next(states.last().unwrap(), run, policy));
    }
    states
}

fn verdict(letters: &str) -> Verdict {
    play(letters, &Policy::default()).pop().unwrap().verdict
}

#[test]
fn verdicts_by_history() {
    for (letters, expected) in [
        ("", Starting),
        // At start one success decides, and so does one refuted result.
        ("P", Passing),
        ("W", Passing),
        ("R", Failing),
        ("D", Failing),
        // A transient one does not, and never makes it true either.
        ("T", Starting),
        ("TT", Starting),
        ("TTT", Failing),
        ("TTP", Passing),
        // At start a 429 counts as transient.
        ("4", Starting),
        ("444", Failing),
        ("44P", Passing),
        // Three failures in a row turn it false, whatever their class; two do not.
        ("PTT", Passing),
        ("PRR", Passing),
        ("PTRT", Failing),
        ("PTTPTT", Passing),
        // Down decides at once.
        ("PD", Failing),
        // A warning is a pass.
        ("PTTWTT", Passing),
        // Once false, two passes in a row turn it true.
        ("RP", Failing),
        ("RPP", Passing),
        ("RPTP", Failing),
        ("RPW", Passing),
        // A 429 keeps verdict and streak.
        ("PTT4T", Failing),
        ("PT4T", Passing),
        ("P4444", Passing),
        ("RP4P", Passing),
        ("R4444", Failing),
    ] {
        assert_eq!(verdict(letters), expected, "{letters}");
    }
}

#[test]
fn undecided_while_a_streak_against_the_verdict_is_shorter_than_its_threshold() {
    for (letters, undecided) in [
        ("", true),
        ("T", true),
        ("P", false),
        ("PT", true),
        ("PTT", true),
        ("PTTT", false),
        ("PTTTP", true),
        ("PTTTPP", false),
        ("PTTTPT", false),
        ("PT4", true),
    ] {
        let state = play(letters, &Policy::default()).pop().unwrap();
        assert_eq!(state.is_undecided(), undecided, "{letters}");
    }
}

#[test]
fn intermittent_from_three_failures_in_the_last_ten_runs_of_a_passing_check() {
    for (letters, intermittent) in [
        ("PTPTP", false),
        ("PTPTPTP", true),
        ("PTPTPTPPPPPPP", false),
        ("PTPTPTPPPP", true),
        ("PTTT", false),
        ("PTPTP4T4P", true),
        // An outage that is over is no intermittence, and what came before it no longer counts.
        ("PTTTPP", false),
        ("PTPTPTTTPPTP", false),
        ("PTTTPPTPTPTP", true),
    ] {
        let state = play(letters, &Policy::default()).pop().unwrap();
        assert_eq!(state.is_intermittent(), intermittent, "{letters}");
    }
}

#[test]
fn remembers_since_when_last_success_and_what_failed() {
    let states = play("PPTTT4P", &Policy::default());
    let seconds = |now: Option<Now>| now.map(|now| now.wall.unix_timestamp());
    let last = states.last().unwrap();
    assert_eq!(
        seconds(states[2].since),
        Some(0),
        "a second pass is no change"
    );
    assert_eq!(
        seconds(last.since),
        Some(4),
        "false since the third failure"
    );
    assert_eq!(seconds(last.last_success), Some(6));
    assert_eq!(
        last.last_failure.as_ref().unwrap()[0].reason,
        &CONNECT_ERROR
    );
    assert_eq!(
        seconds(states[6].judged_at),
        Some(4),
        "a 429 lets the last judged result age"
    );
    assert_eq!(seconds(states[6].last.as_ref().map(|run| run.at)), Some(5));
}

/// The same rule told without counters: every streak is counted by looking back over all results.
fn naive(letters: &[char], policy: &Policy) -> Verdict {
    let is_pass = |letter: &char| matches!(letter, 'P' | 'W');
    let mut verdict = Starting;
    let mut judged: Vec<char> = Vec::new();
    for &letter in letters {
        if letter == '4' && verdict != Starting {
            continue;
        }
        judged.push(letter);
        let passes = judged.iter().rev().take_while(|l| is_pass(l)).count();
        let failures = judged.iter().rev().take_while(|l| !is_pass(l)).count();
        verdict = match verdict {
            Starting if passes > 0 => Passing,
            Starting if letter == 'R' => Failing,
            Failing if passes >= policy.success_threshold as usize => Passing,
            _ if letter == 'D' || failures >= policy.failure_threshold as usize => Failing,
            same => same,
        };
    }
    verdict
}

proptest! {
    #[test]
    fn agrees_with_the_naive_model_over_the_whole_history(
        letters in proptest::collection::vec(prop::sample::select(vec!['P', 'W', '4', 'T', 'R', 'D']), 0..60),
        failure_threshold in 1_u32..6,
        success_threshold in 1_u32..5,
    ) {
        let policy = Policy { failure_threshold, success_threshold, ..Policy::default() };
        let text: String = letters.iter().collect();
        let states = play(&text, &policy);
        for (length, state) in states.iter().enumerate() {
            prop_assert_eq!(state.verdict, naive(&letters[..length], &policy), "{}", &text[..length]);
        }
    }

    #[test]
    fn is_never_true_before_the_first_success(
        letters in proptest::collection::vec(prop::sample::select(vec!['4', 'T', 'R', 'D']), 0..40),
    ) {
        let text: String = letters.into_iter().collect();
        for state in play(&text, &Policy::default()) {
            prop_assert_ne!(state.verdict, Passing);
        }
    }
}
