//! What a check is, in the words of the page: the damped status, and apart from it what has no result to
//! rest on.

use crate::reason::STALE;
use crate::snapshot::{Checked, Status, View};

/// A check's state as the page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// True.
    Pass,
    /// True, with a warning.
    Warn,
    /// False.
    Fail,
    /// False, because its last result is too old. Anybody could tell it from its age.
    Stale,
    /// False, because it has no result yet.
    Starting,
}

impl Condition {
    pub(super) fn of(check: &Checked, view: &View) -> Self {
        match view.status {
            _ if check.is_starting() => Condition::Starting,
            Status::Pass => Condition::Pass,
            Status::Warn => Condition::Warn,
            Status::Fail if view.deciding().reason == &STALE => Condition::Stale,
            Status::Fail => Condition::Fail,
        }
    }

    /// Its class in the style and its shape.
    pub(super) fn name(self) -> &'static str {
        match self {
            Condition::Pass => "pass",
            Condition::Warn => "warn",
            Condition::Fail => "fail",
            Condition::Stale => "stale",
            Condition::Starting => "starting",
        }
    }

    /// For people.
    pub(super) fn words(self) -> &'static str {
        match self {
            Condition::Pass => "passing",
            Condition::Warn => "passing, with a warning",
            Condition::Fail => "failing",
            Condition::Stale => "failing: no recent result",
            Condition::Starting => "starting",
        }
    }
}

impl From<Status> for Condition {
    fn from(status: Status) -> Self {
        match status {
            Status::Pass => Condition::Pass,
            Status::Warn => Condition::Warn,
            Status::Fail => Condition::Fail,
        }
    }
}
