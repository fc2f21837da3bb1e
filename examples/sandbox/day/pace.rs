//! How fast a day goes by, and what of the service must go as fast.

use std::time::Duration;

use super::jobs::LONG_MODEL;

const MINUTES_A_DAY: u32 = 24 * 60;
/// The service's own defaults, of the day.
const WINDOW: Duration = Duration::from_mins(15);
const SLO: Duration = Duration::from_mins(5);
/// The SLO of the model that is never quick.
const LONG_SLO: Duration = Duration::from_mins(8);

/// A day in so many minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    minutes: u32,
}

impl Pace {
    pub(crate) fn day_in(minutes: u32) -> Self {
        Pace { minutes }
    }

    /// How long `of_the_day` takes.
    pub(crate) fn real(self, of_the_day: Duration) -> Duration {
        of_the_day * self.minutes / MINUTES_A_DAY
    }

    /// How much of the day goes by in `real`.
    pub(crate) fn of_the_day(self, real: Duration) -> Duration {
        real * MINUTES_A_DAY / self.minutes
    }

    /// Seconds of the day in real ones.
    pub(crate) fn seconds_of_the_day(self, real: f64) -> f64 {
        real * f64::from(MINUTES_A_DAY) / f64::from(self.minutes)
    }

    /// The variables that make the service judge at this pace what it judges by default at life's. Values
    /// are whole milliseconds.
    pub(crate) fn variables(self) -> [(&'static str, String); 2] {
        let millis = |of_the_day| format!("{}ms", self.real(of_the_day).as_millis());
        [
            ("SIGNAL_WINDOW", millis(WINDOW)),
            (
                "LATENCY_SLO",
                format!("{},{LONG_MODEL}={}", millis(SLO), millis(LONG_SLO)),
            ),
        ]
    }

    /// What is played, in one sentence.
    pub(crate) fn describe(self) -> String {
        format!(
            "a day in {}, {} times as fast; SIGNAL_WINDOW, 15 m of the day, is {} ms",
            match self.minutes {
                1 => "a minute".to_owned(),
                minutes => format!("{minutes} minutes"),
            },
            MINUTES_A_DAY / self.minutes,
            self.real(WINDOW).as_millis()
        )
    }
}

/// `HH:MM` of a time since midnight.
pub(crate) fn hh_mm(since_midnight: Duration) -> String {
    let minutes = since_midnight.as_secs() / 60;
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The time since midnight of `HH:MM`.
pub(crate) fn since_midnight(hh_mm: &str) -> Option<Duration> {
    let (hours, minutes) = hh_mm.split_once(':')?;
    let two_digits = |text: &str, below: u64| {
        let number: u64 = text.parse().ok()?;
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        (digits && number < below).then_some(number)
    };
    Some(Duration::from_mins(
        two_digits(hours, 24)? * 60 + two_digits(minutes, 60)?,
    ))
}
