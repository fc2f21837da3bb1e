//! The query of `/jobs`, and the cursors that lead from page to page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::http::error::ApiError;
use crate::http::query::of_jobs::{DEFAULT_LIMIT, LIMITS};
use crate::http::query::{once, pairs, value};
use crate::jobs::event::Status;
use crate::jobs::lifecycle::Job;
use crate::jobs::store::Wanted;

/// As the pattern of a cursor has it.
const LONGEST_CURSOR: usize = 256;

/// What a caller of `/jobs` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct JobsQuery {
    status: Option<Status>,
    since: Option<i64>,
    after: Option<(i64, String)>,
    limit: u32,
}

impl JobsQuery {
    /// Reads the query of `/jobs` at `now`.
    ///
    /// # Errors
    /// 400 for a known parameter that is malformed or given twice.
    pub(super) fn parse(query: Option<&str>, now: OffsetDateTime) -> Result<Self, ApiError> {
        let (mut status, mut since, mut after, mut limit) = (None, None, None, None);
        for (name, raw) in pairs(query) {
            match &*name {
                "status" => once(&mut status, named(&value(raw)?)?, "status is given twice")?,
                "since" => once(
                    &mut since,
                    moment(&value(raw)?, now)?,
                    "since is given twice",
                )?,
                "cursor" => once(&mut after, cursor(&value(raw)?)?, "cursor is given twice")?,
                "limit" => once(&mut limit, size(&value(raw)?)?, "limit is given twice")?,
                _ => {}
            }
        }
        Ok(JobsQuery {
            status,
            since,
            after,
            limit: limit.unwrap_or(DEFAULT_LIMIT),
        })
    }

    /// One job more than a page has tells whether there is a next one.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted {
            status: self.status,
            since: self.since,
            after: self.after.clone(),
            limit: self.limit + 1,
        }
    }

    /// The page out of what was found, and the cursor to the next one.
    pub(super) fn page(&self, mut found: Vec<Job>) -> (Vec<Job>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let is_more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| is_more);
        let next = last.map(|job| BASE64.encode(format!("{} {}", job.changed_at, job.job_id)));
        (found, next)
    }
}

fn named(text: &str) -> Result<Status, ApiError> {
    Status::named(text).ok_or_else(|| {
        let all = Status::ALL.map(Status::as_str).join(", ");
        ApiError::invalid(format!("status is malformed; accepted: {all}"))
    })
}

/// Milliseconds since 1970.
fn moment(text: &str, now: OffsetDateTime) -> Result<i64, ApiError> {
    // A plus sign that was not escaped has become a space.
    let time = || OffsetDateTime::parse(&text.replace(' ', "+"), &Rfc3339).ok();
    let since = match span_ms(text) {
        Some(span) => millis(now).checked_sub(span),
        None => time().map(millis),
    };
    since.ok_or_else(|| {
        ApiError::invalid(
            "since is malformed; accepted: a time as in RFC 3339, such as 2026-11-23T18:00:00Z, or a span back \
             from now in ms, s, m, h or d, such as 1h",
        )
    })
}

fn millis(at: OffsetDateTime) -> i64 {
    let millis = at.unix_timestamp_nanos().div_euclid(1_000_000);
    // A time has a year of four digits at most, so it always fits.
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// The form of [`SINCE_PATTERN`].
fn span_ms(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let is_number = (1..=9).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && !digits.starts_with('0');
    let number: i64 = digits.parse().ok().filter(|_| is_number)?;
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(number * unit)
}

fn size(text: &str) -> Result<u32, ApiError> {
    let is_number = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let number = text.parse().ok().filter(|_| is_number);
    number
        .filter(|number| LIMITS.contains(number))
        .ok_or_else(|| {
            let (least, most) = (LIMITS.start(), LIMITS.end());
            ApiError::invalid(format!("limit is malformed; accepted: {least} to {most}"))
        })
}

fn cursor(text: &str) -> Result<(i64, String), ApiError> {
    let plain = || {
        let bytes = BASE64.decode(text).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (changed_at, job_id) = text.split_once(' ')?;
        is_job_id(job_id).then_some(())?;
        Some((changed_at.parse().ok()?, job_id.to_owned()))
    };
    (text.len() <= LONGEST_CURSOR)
        .then(plain)
        .flatten()
        .ok_or_else(|| {
            ApiError::invalid("cursor is malformed; accepted: next_cursor of an earlier answer")
        })
}

/// 1 to 128 visible ASCII characters, as the room takes them.
pub(super) fn is_job_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::http::query::of_jobs::{CURSOR_PATTERN, SINCE_PATTERN, STATUSES};
    use crate::jobs::event::Facts;

    const NOW: OffsetDateTime = datetime!(2026-11-23 18:00:00 UTC);
    const HOUR: i64 = 3_600_000;

    fn parse(query: &str) -> Option<JobsQuery> {
        JobsQuery::parse(Some(query), NOW).ok()
    }

    fn job(job_id: &str, changed_at: i64) -> Job {
        Job {
            job_id: job_id.to_owned(),
            status: Status::Created,
            sources: 1,
            facts: Facts::default(),
            created_at: None,
            started_at: None,
            finished_at: None,
            changed_at,
        }
    }

    #[test]
    fn known_parameters_are_read_and_unknown_ones_ignored() {
        for query in ["", "x=%zz", "verbose=maybe"] {
            let wanted = parse(query).unwrap().wanted();
            let none = Wanted {
                limit: 51,
                ..Wanted::default()
            };
            assert_eq!(wanted, none, "{query}");
        }
        let wanted = parse("status=failed&limit=200&since=1h").unwrap().wanted();
        assert_eq!(wanted.status, Some(Status::Failed));
        assert_eq!(wanted.limit, 201);
        assert_eq!(wanted.since, Some(millis(NOW) - HOUR));
    }

    #[test]
    fn each_status_can_be_asked_for() {
        assert_eq!(Status::ALL.map(Status::as_str), STATUSES);
        for status in Status::ALL {
            let query = parse(&format!("status={}", status.as_str())).unwrap();
            assert_eq!(query.status, Some(status));
        }
    }

    #[test]
    fn since_is_a_time_or_a_span() {
        let since = |text: &str| parse(&format!("since={text}")).map(|query| query.since.unwrap());
        let now = millis(NOW);
        for (text, expected) in [
            ("2026-11-23T18:00:00Z", now),
            ("2026-11-23T18:00:00.5Z", now + 500),
            ("2026-11-23T19:00:00%2B01:00", now),
            ("2026-11-23T19:00:00+01:00", now),
            ("1969-12-31T23:59:59.999Z", -1),
            ("1500ms", now - 1500),
            ("90s", now - 90_000),
            ("15m", now - HOUR / 4),
            ("2d", now - 48 * HOUR),
            ("999999999d", now - 999_999_999 * 24 * HOUR),
        ] {
            assert_eq!(since(text), Some(expected), "{text}");
        }
        let pattern = serde_json::json!({"pattern": SINCE_PATTERN});
        let pattern = jsonschema::validator_for(&pattern).unwrap();
        for text in [
            "",
            "h",
            "0h",
            "01h",
            "-1h",
            "1",
            "1 h",
            "1H",
            "1.5h",
            "1h30m",
            "1w",
            "1000000000s",
            "2026-11-23",
            "2026-11-23T18:00:00",
            "2026-13-23T18:00:00Z",
            "yesterday",
            "\u{665}h",
        ] {
            assert_eq!(since(text), None, "{text}");
            assert!(!pattern.is_valid(&text.into()), "{text}");
        }
    }

    #[test]
    fn malformed_known_parameters_are_refused() {
        for query in [
            "status",
            "status=Failed",
            "status=cancelled",
            "status=failed&status=failed",
            "limit=0",
            "limit=201",
            "limit=050",
            "limit=%2B5",
            "limit=",
            "limit=99999999999999999999",
            "limit=5&limit=5",
            "cursor=",
            "cursor=not+base64",
            "cursor=AAAA",
            "cursor=%zz",
            "since=1h&since=1h",
        ] {
            assert_eq!(parse(query), None, "{query}");
        }
        for plain in [
            "",
            "1",
            "x a",
            "1 ",
            "1 a b",
            "1 \u{e9}",
            "99999999999999999999 a",
        ] {
            let query = format!("cursor={}", BASE64.encode(plain));
            assert_eq!(parse(&query), None, "{plain}");
        }
        let longest = format!("cursor={}", BASE64.encode(format!("1 {}", "x".repeat(129))));
        assert_eq!(parse(&longest), None);
    }

    #[test]
    fn a_cursor_leads_on_from_the_last_job_of_a_page() {
        let query = parse("limit=2").unwrap();
        let odd = "~".repeat(128);
        let jobs = [job("a", 30), job(&odd, i64::MIN), job("c", 10)];
        let (page, next) = query.page(jobs[..2].to_vec());
        assert_eq!((page.len(), next), (2, None), "no more than a page");
        let (page, next) = query.page(jobs.to_vec());
        assert_eq!(page.len(), 2);
        let next = next.unwrap();
        let pattern = serde_json::json!({"pattern": CURSOR_PATTERN});
        let pattern = jsonschema::validator_for(&pattern).unwrap();
        assert!(pattern.is_valid(&next.as_str().into()), "{next}");
        let wanted = parse(&format!("cursor={next}")).unwrap().wanted();
        assert_eq!(wanted.after, Some((i64::MIN, odd)));
    }
}
