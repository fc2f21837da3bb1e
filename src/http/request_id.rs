//! Request ids: the caller's, or one of our own; and the caller's place in a trace.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderValue;
use tokio::time::Instant;
use ulid::Ulid;

const PREFIX: &str = "req_";
const MADE_LEN: usize = PREFIX.len() + ulid::ULID_LEN;
const MAX_LEN: usize = 128;

/// How long the time of ids goes by the monotonic clock before the wall clock is read again.
const WALL_CLOCK_LASTS: Duration = Duration::from_secs(1);

/// 1 to 128 characters of `[A-Za-z0-9._-]`: safe in a header, in JSON and in a log line as it is.
#[derive(Debug, Clone)]
pub struct RequestId(Source);

#[derive(Debug, Clone)]
enum Source {
    Caller(HeaderValue),
    Made([u8; MADE_LEN]),
}

impl RequestId {
    /// The caller's id if it has the form, else a new one; `at` is when the request came.
    pub fn of(callers: Option<&HeaderValue>, at: Instant) -> Self {
        match callers {
            Some(value) if has_form(value.as_bytes()) => RequestId(Source::Caller(value.clone())),
            _ => Self::make(wall_millis(at)),
        }
    }

    /// A new id: `req_` and a ULID, ordered by `millis` since 1970. Its 80 bits of chance start at random in each thread
    /// and count up from there, so ids differ within a process, and across replicas and restarts as well.
    fn make(millis: u64) -> Self {
        thread_local! {
            static CHANCE: Cell<u128> = Cell::new(random());
        }
        let chance = CHANCE.get();
        CHANCE.set(chance.wrapping_add(1));
        let mut text = [0; MADE_LEN];
        let (prefix, rest) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX.as_bytes());
        let mut buffer = [0; ulid::ULID_LEN];
        Ulid::from_parts(millis, chance).array_to_str(&mut buffer);
        rest.copy_from_slice(&buffer);
        RequestId(Source::Made(text))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        let bytes = match &self.0 {
            Source::Caller(value) => value.as_bytes(),
            Source::Made(text) => text,
        };
        // Both are ASCII by construction.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// The value of `X-Request-Id`.
    #[expect(
        clippy::expect_used,
        reason = "letters, digits and '_' are valid in a header value"
    )]
    pub(super) fn header(&self) -> HeaderValue {
        match &self.0 {
            Source::Caller(value) => value.clone(),
            Source::Made(text) => HeaderValue::from_bytes(text).expect("the text is visible ASCII"),
        }
    }
}

impl AsRef<str> for RequestId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// Milliseconds from 1970 to `at`. Each thread reads the wall clock once a second: requests know their moment by the
/// monotonic clock already, and the second clock would cost each of them as much as the first.
fn wall_millis(at: Instant) -> u64 {
    thread_local! {
        static READ: Cell<Option<(Instant, u64)>> = const { Cell::new(None) };
    }
    let since = |read: Instant| at.saturating_duration_since(read);
    let (read, then) = READ
        .get()
        .filter(|(read, _)| since(*read) < WALL_CLOCK_LASTS)
        .unwrap_or_else(|| {
            let wall = SystemTime::now().duration_since(UNIX_EPOCH);
            let read = (at, wall.map_or(0, millis));
            READ.set(Some(read));
            read
        });
    then.saturating_add(millis(since(read)))
}

/// Whole milliseconds; up to a duration of 500 million years.
fn millis(of: Duration) -> u64 {
    of.as_secs()
        .saturating_mul(1000)
        .saturating_add(of.subsec_millis().into())
}

/// Different in each process and in each thread.
fn random() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(std::process::id()));
    half() << 64 | half()
}

fn has_form(id: &[u8]) -> bool {
    (1..=MAX_LEN).contains(&id.len())
        && id
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(b))
}

/// Where the caller stands in a distributed trace (W3C Trace Context, header `traceparent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace: [u8; 32],
    span: [u8; 16],
}

impl TraceContext {
    /// Reads a `traceparent`; `None` for anything that the standard calls invalid.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let (fields, more) = bytes.split_at_checked(55)?;
        let version = &fields[..2];
        let fits = match version {
            b"00" => more.is_empty(),
            b"ff" => false,
            // A later version may append fields.
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        let dashes = [2, 35, 52].iter().all(|&at| fields[at] == b'-');
        let (trace, span) = (&fields[3..35], &fields[36..52]);
        let flags = &fields[53..55];
        let valid = fits
            && dashes
            && [version, trace, span, flags].into_iter().all(is_lower_hex)
            && is_set(trace)
            && is_set(span);
        if !valid {
            return None;
        }
        Some(TraceContext {
            trace: trace.try_into().ok()?,
            span: span.try_into().ok()?,
        })
    }

    /// 32 lower-case hex digits.
    pub fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace).unwrap_or_default()
    }

    /// 16 lower-case hex digits: the caller's span.
    pub fn span_id(&self) -> &str {
        std::str::from_utf8(&self.span).unwrap_or_default()
    }
}

fn is_lower_hex(field: &[u8]) -> bool {
    field
        .iter()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
}

fn is_set(field: &[u8]) -> bool {
    field.iter().any(|&b| b != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn of(text: &str) -> RequestId {
        let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
        RequestId::of(Some(&value), Instant::now())
    }

    fn made_at(millis: u64) -> String {
        RequestId::make(millis).as_str().to_owned()
    }

    #[test]
    fn a_callers_id_is_kept_in_its_form_only() {
        let longest = "a".repeat(128);
        for good in ["a", "job-7.retry_2", longest.as_str()] {
            assert_eq!(of(good).as_str(), good);
            assert_eq!(of(good).header(), good);
        }
        let long = "a".repeat(129);
        for bad in ["", "two words", "a\"b", "a/b", "é", "a,b", long.as_str()] {
            assert!(of(bad).as_str().starts_with("req_"), "{bad}");
        }
    }

    #[test]
    fn made_ids_are_unique_have_the_form_and_sort_by_time() {
        let start = 1_764_000_000_000;
        let ids: Vec<_> = (0..1000).map(|n| made_at(start + n)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
        let same: HashSet<_> = (0..1000).map(|_| made_at(start)).collect();
        assert_eq!(same.len(), 1000);
        let others = std::thread::spawn(move || {
            let ids = (0..1000).map(|_| made_at(start));
            ids.collect::<HashSet<_>>()
        });
        assert!(same.is_disjoint(&others.join().unwrap()), "of two threads");
        assert!(
            ids.iter()
                .all(|id| has_form(id.as_bytes()) && id.len() == 30)
        );
    }

    #[test]
    fn an_id_tells_when_its_request_came() {
        let told = |at| {
            let id = RequestId::of(None, at);
            let ulid = Ulid::from_string(&id.as_str()[PREFIX.len()..]).unwrap();
            Duration::from_millis(ulid.timestamp_ms())
        };
        let wall = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (before, start) = (wall(), Instant::now());
        let first = told(start);
        assert!(first + Duration::from_millis(1) > before && first <= wall());
        let half = Duration::from_millis(500);
        assert_eq!(told(start + half), first + half, "by the monotonic clock");
        let later = told(start + WALL_CLOCK_LASTS);
        assert!(first <= later && later <= wall(), "by the wall clock again");
    }

    #[test]
    fn traceparent_is_read_as_the_standard_says() {
        let parse = |text: &str| TraceContext::parse(&HeaderValue::from_str(text).unwrap());
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let context = parse(good).unwrap();
        assert_eq!(context.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id(), "b7ad6b7169203331");
        assert!(parse(&format!("cc{}-more", &good[2..])).is_some());
        for bad in [
            String::new(),
            good.to_uppercase(),
            format!("{good}-more"),
            format!("ff{}", &good[2..]),
            good.replace("b7ad6b7169203331", "0000000000000000"),
            good.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
            good.replace('-', "_"),
            good[..54].to_owned(),
            format!("cc{}more", &good[2..]),
        ] {
            assert_eq!(parse(&bad), None, "{bad}");
        }
    }
}
