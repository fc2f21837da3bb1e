//! One log line a change of state: WARN when a check turns false, INFO when it turns true, and a reminder
//! while it stays false.

use std::time::Duration;

use tokio::time::Instant;

use crate::snapshot::{Checked, Moment, Snapshot, Status};

/// A false check is told again after this long.
const REMINDER: Duration = Duration::from_mins(15);

#[derive(Debug, Clone, Copy)]
struct Told {
    ok: Option<bool>,
    since: Instant,
    last_line: Instant,
}

/// What was told of each check.
pub(super) struct Announcer {
    told: Vec<Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    None,
    Change,
    Reminder,
}

impl Announcer {
    pub(super) fn new(checks: usize, now: Instant) -> Self {
        Announcer {
            told: vec![
                Told {
                    ok: None,
                    since: now,
                    last_line: now
                };
                checks
            ],
        }
    }

    /// Writes the lines that are due by what the histories have taken down: after every publication and
    /// every second.
    pub(super) fn tell(&mut self, snapshot: &Snapshot, now: Instant) {
        let at = Moment {
            now,
            stalled: false,
        };
        for (told, check) in self.told.iter_mut().zip(&snapshot.checks) {
            if let Some(status) = check.history.status() {
                let lasted = now.saturating_duration_since(told.since);
                match told.next(status != Status::Fail, now) {
                    Line::None => {}
                    Line::Change => change(check, at, lasted),
                    Line::Reminder => reminder(check, at, lasted),
                }
            }
        }
    }
}

impl Told {
    fn next(&mut self, ok: bool, now: Instant) -> Line {
        let line = if self.ok != Some(ok) {
            Line::Change
        } else if !ok && now.saturating_duration_since(self.last_line) >= REMINDER {
            Line::Reminder
        } else {
            Line::None
        };
        if line == Line::Change {
            self.ok = Some(ok);
            self.since = now;
        }
        if line != Line::None {
            self.last_line = now;
        }
        line
    }
}

fn change(check: &Checked, at: Moment, lasted: Duration) {
    let (view, check) = (check.view(at), check.info.name);
    let finding = view.deciding();
    let (reason, remedy) = (finding.reason.code, finding.reason.remedy);
    let after_s = lasted.as_secs_f64();
    let message = finding.message();
    if view.ok() {
        tracing::info!(check, reason, after_s, "check passes");
    } else {
        tracing::warn!(
            check,
            reason,
            detail = message,
            remedy,
            after_s,
            "check fails"
        );
    }
}

fn reminder(check: &Checked, at: Moment, lasted: Duration) {
    let (view, check) = (check.view(at), check.info.name);
    let finding = view.deciding();
    let (reason, remedy) = (finding.reason.code, finding.reason.remedy);
    let for_s = lasted.as_secs_f64();
    tracing::warn!(
        check,
        reason,
        detail = finding.message(),
        remedy,
        for_s,
        "check still fails"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_change_and_a_reminder_only_while_false() {
        let start = Instant::now();
        let mut told = Told {
            ok: None,
            since: start,
            last_line: start,
        };
        let minutes = |n: u64| start + Duration::from_secs(60 * n);
        assert_eq!(told.next(true, minutes(0)), Line::Change);
        assert_eq!(told.next(true, minutes(60)), Line::None);
        assert_eq!(told.next(false, minutes(61)), Line::Change);
        assert_eq!(told.next(false, minutes(75)), Line::None);
        assert_eq!(told.next(false, minutes(76)), Line::Reminder);
        assert_eq!(told.next(false, minutes(77)), Line::None);
        assert_eq!(told.next(false, minutes(91)), Line::Reminder);
        assert_eq!(told.next(true, minutes(92)), Line::Change);
    }
}
