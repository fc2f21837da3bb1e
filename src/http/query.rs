//! The query of `/health`, and what all queries have in common: unknown parameters are ignored, a malformed known one is a 400.

pub(super) mod of_jobs;

use std::borrow::Cow;
use std::time::Duration;

use super::error::ApiError;
use crate::snapshot::CheckSet;

/// For a `wait` without `timeout`.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest `wait`.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What a caller of `/health` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct HealthQuery {
    /// `verbose`: with details.
    pub(super) verbose: bool,
    /// `exclude`: checks that do not count for this request.
    pub(super) exclude: CheckSet,
    /// `wait=healthy` and its `timeout`.
    pub(super) wait: Option<Duration>,
}

impl HealthQuery {
    /// Reads the query of `/health`; `names` are the checks in order.
    ///
    /// # Errors
    /// 400 for a known parameter that is malformed or given twice, for `timeout` without `wait` (a deploy
    /// script that forgot it would not wait at all), and for its malformed percent-encoding.
    pub(super) fn parse(query: Option<&str>, names: &[&'static str]) -> Result<Self, ApiError> {
        let mut exclude = CheckSet::EMPTY;
        let mut verbose = None;
        let mut wait = None;
        let mut timeout = None;
        for (name, raw) in pairs(query) {
            match &*name {
                "verbose" => once(&mut verbose, flag(&value(raw)?)?, "verbose is given twice")?,
                "exclude" => exclude = exclude.union(checks(&value(raw)?, names)?),
                "wait" => once(&mut wait, healthy(&value(raw)?)?, "wait is given twice")?,
                "timeout" => {
                    once(
                        &mut timeout,
                        bounded(&value(raw)?)?,
                        "timeout is given twice",
                    )?;
                }
                _ => {}
            }
        }
        if timeout.is_some() && wait.is_none() {
            return Err(ApiError::invalid("timeout needs wait=healthy"));
        }
        Ok(HealthQuery {
            verbose: verbose.unwrap_or(false),
            exclude,
            wait: wait.map(|()| timeout.unwrap_or(DEFAULT_WAIT)),
        })
    }
}

/// The query of `/health/{check}`: `verbose`.
///
/// # Errors
/// 400 as for [`HealthQuery::parse`].
pub(super) fn verbose_only(query: Option<&str>) -> Result<bool, ApiError> {
    let mut verbose = None;
    for (name, raw) in pairs(query) {
        if name == "verbose" {
            once(&mut verbose, flag(&value(raw)?)?, "verbose is given twice")?;
        }
    }
    Ok(verbose.unwrap_or(false))
}

pub(super) fn once<T>(slot: &mut Option<T>, value: T, twice: &'static str) -> Result<(), ApiError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(ApiError::invalid(twice)),
    }
}

/// The values of a flag, and what they mean.
pub(super) const FLAGS: [(&str, bool); 5] = [
    ("", true),
    ("true", true),
    ("1", true),
    ("false", false),
    ("0", false),
];

fn flag(value: &str) -> Result<bool, ApiError> {
    let known = FLAGS.iter().find(|(text, _)| *text == value);
    known.map(|&(_, meant)| meant).ok_or_else(|| {
        ApiError::invalid("verbose is malformed; accepted: verbose, verbose=true, verbose=false")
    })
}

/// The one value of `wait`.
pub(super) const HEALTHY: &str = "healthy";

fn healthy(value: &str) -> Result<(), ApiError> {
    if value == HEALTHY {
        Ok(())
    } else {
        Err(ApiError::invalid(
            "wait is malformed; accepted: wait=healthy",
        ))
    }
}

/// The forms of a `timeout`, exactly: 1000ms to 60000ms, 1s to 60s, 1m.
pub(super) const TIMEOUT_PATTERN: &str =
    "^(([1-9]|[1-5][0-9]|60)s|([1-9][0-9]{3}|[1-5][0-9]{4}|60000)ms|1m)$";

/// One number and one unit: a form that a document can state.
fn bounded(value: &str) -> Result<Duration, ApiError> {
    let digits = value.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let number = || {
        digits
            .parse()
            .ok()
            .filter(|_| !digits.starts_with(['0', '+']))
    };
    let timeout = match &value[digits.len()..] {
        "ms" => number().map(Duration::from_millis),
        "s" => number().map(Duration::from_secs),
        "m" => number()
            .and_then(|n: u64| n.checked_mul(60))
            .map(Duration::from_secs),
        _ => None,
    };
    timeout
        .filter(|timeout| (SHORTEST_WAIT..=LONGEST_WAIT).contains(timeout))
        .ok_or_else(|| {
            ApiError::invalid(
                "timeout is malformed; accepted: 1s to 60s, in ms, s or m, such as 30s",
            )
        })
}

/// One name, or several with commas as in `HEALTH_EXCLUDE`.
fn checks(value: &str, names: &[&'static str]) -> Result<CheckSet, ApiError> {
    value.split(',').try_fold(CheckSet::EMPTY, |set, name| {
        let index = names.iter().position(|&known| known == name.trim());
        index.map(|index| set.with(index)).ok_or_else(|| {
            let message = format!("exclude names no check; there are {}", names.join(", "));
            ApiError::invalid(message)
        })
    })
}

/// Names, and values still encoded: only a known parameter can be malformed. A name that cannot be decoded
/// is none that is known.
pub(super) fn pairs(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    query
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty())
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode(name)?, value))
        })
}

pub(super) fn value(raw: &str) -> Result<Cow<'_, str>, ApiError> {
    decode(raw).ok_or_else(|| ApiError::invalid("the query's percent-encoding is malformed"))
}

/// `application/x-www-form-urlencoded`, strictly; `None` for a broken escape or what is not UTF-8.
fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|b| b == b'%' || b == b'+') {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["api", "runpod_configured", "r2_configured"];

    fn parse(query: &str) -> Option<HealthQuery> {
        HealthQuery::parse(Some(query), NAMES).ok()
    }

    #[test]
    fn known_parameters_are_read_and_unknown_ones_ignored() {
        let plain = Some(HealthQuery::default());
        for query in [
            "",
            "&&",
            "cache=7&b",
            "verbose=false",
            "verbose=0",
            "x=%20+y",
            "u=50%",
            "x=%zz",
            "x=%ff",
            "%",
            "verbos%ff",
            "%zz=verbose",
        ] {
            assert_eq!(parse(query), plain, "{query}");
        }
        for query in [
            "verbose",
            "verbose=",
            "verbose=true",
            "verbose=1",
            "a&verbos%65",
        ] {
            assert!(parse(query).unwrap().verbose, "{query}");
        }
        let two = CheckSet::EMPTY.with(0).with(2);
        for query in [
            "exclude=api&exclude=r2_configured",
            "exclude=r2_configured,api",
            "exclude=api&exclude=api%2C+r2%5Fconfigured",
        ] {
            assert_eq!(parse(query).unwrap().exclude, two, "{query}");
        }
        let wait = |query| parse(query).unwrap().wait.unwrap();
        assert_eq!(wait("wait=healthy"), DEFAULT_WAIT);
        assert_eq!(wait("timeout=1m&wait=healthy"), LONGEST_WAIT);
        assert_eq!(wait("wait=healthy&timeout=1500ms").as_millis(), 1500);
    }

    #[test]
    fn timeouts_are_those_of_the_pattern() {
        let pattern = serde_json::json!({"pattern": TIMEOUT_PATTERN});
        let pattern = jsonschema::validator_for(&pattern).unwrap();
        let numbers = (0..=70).chain([600, 999, 1000, 1001, 9999, 59_999, 60_000, 60_001, 99_999]);
        let units = ["ms", "s", "m", "h", "us", ""];
        let plain = numbers.flat_map(|number| units.map(|unit| format!("{number}{unit}")));
        let odd = [
            "", "s", "05s", "+5s", "-5s", "5 s", " 5s", "5s ", "5S", "5.0s", "1s1ms", "\u{665}s",
        ];
        let mut accepted = 0;
        for text in plain.chain(odd.map(str::to_owned)) {
            let fits = pattern.is_valid(&serde_json::Value::from(text.as_str()));
            assert_eq!(bounded(&text).is_ok(), fits, "{text}");
            accepted += u32::from(fits);
        }
        assert_eq!(accepted, 60 + 1 + 5);
    }

    #[test]
    fn malformed_known_parameters_are_refused() {
        for query in [
            "verbose=yes",
            "verbose&verbose",
            "exclude",
            "exclude=",
            "exclude=unknown",
            "exclude=api,",
            "wait",
            "wait=degraded",
            "wait=healthy&wait=healthy",
            "wait=healthy&timeout=30",
            "wait=healthy&timeout=999ms",
            "wait=healthy&timeout=61s",
            "wait=healthy&timeout=-1s",
            "wait=healthy&timeout=%2B5s",
            "wait=healthy&timeout=05s",
            "wait=healthy&timeout=5%20s",
            "wait=healthy&timeout=5sec",
            "wait=healthy&timeout=1s500ms",
            "wait=healthy&timeout=s",
            "wait=healthy&timeout=",
            "wait=healthy&timeout=307445734561825861m",
            "wait=healthy&timeout=99999999999999999999s",
            "timeout=30s",
            "verbose=%",
            "verbose=%4",
            "exclude=%zz",
            "wait=%ff",
            "wait=healthy&timeout=%",
        ] {
            assert_eq!(parse(query), None, "{query}");
        }
    }
}
