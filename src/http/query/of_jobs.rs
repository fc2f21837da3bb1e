//! The forms of what `/jobs` can be asked.

use std::ops::RangeInclusive;

/// The statuses that a job can have.
pub(in crate::http) const STATUSES: [&str; 4] = ["created", "processing", "completed", "failed"];

/// How many jobs a page can have.
pub(in crate::http) const LIMITS: RangeInclusive<u32> = 1..=200;
/// How many it has unless that is asked for.
pub(in crate::http) const DEFAULT_LIMIT: u32 = 50;

/// A `since` that is a span.
pub(in crate::http) const SINCE_PATTERN: &str = "^[1-9][0-9]{0,8}(ms|s|m|h|d)$";

/// A cursor. What is in it is nobody's business.
pub(in crate::http) const CURSOR_PATTERN: &str = "^[A-Za-z0-9_-]{1,256}$";
