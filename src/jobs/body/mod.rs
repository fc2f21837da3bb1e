//! What a webhook's body says. Its shape is documented only in part, so members are looked for where senders put
//! them: at the top, under `data`, `job` and `metadata`.

mod places;
mod words;

use serde_json::{Map, Value};

use self::places::{Places, scalar};
use self::words::{Named, meaning};
use super::event::{Facts, Told};
use super::text;

/// The longest sentence of a failure that is kept, in characters.
const MESSAGE: usize = 500;

/// Why a body cannot be used; sentences for the sender.
const NOT_AN_OBJECT: &str = "the body is not one JSON object of at most 128 levels";
const BAD_JOB: &str =
    "the job's id is not 1 to 128 visible ASCII characters without / ? # % \" \\ and comma";

/// A body, read.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) job_id: String,
    pub(super) told: Told,
    /// The event as it was spelled.
    pub(super) event: Option<String>,
    pub(super) facts: Facts,
}

/// One JSON object.
pub(super) fn parse(raw: &[u8]) -> Result<Map<String, Value>, &'static str> {
    // The parser itself ends at 128 levels.
    match serde_json::from_slice(raw) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(NOT_AN_OBJECT),
    }
}

/// What the body says, together with the unsigned header: that counts only where the body names no event.
pub(super) fn read(body: &Map<String, Value>, header: Option<&str>) -> Result<Said, &'static str> {
    let places = Places::of(body);
    let job_id = places.job_id()?;
    let named = Named::by(&places, header);
    let (told, meaning) = named.judge(header)?;
    let event = named.spelled.first().copied().or(header);
    Ok(Said {
        job_id,
        told,
        event: event.and_then(|event| text::clean(event, 64)),
        facts: places.facts(meaning),
    })
}

/// A failure that a body tells of, whatever else is wrong with it.
pub(super) struct Failure {
    pub(super) job_id: Option<String>,
    pub(super) facts: Facts,
}

impl Failure {
    /// `None` if neither the body nor its header has a word for one.
    pub(super) fn told(body: &Map<String, Value>, header: Option<&str>) -> Option<Self> {
        let places = Places::of(body);
        let meaning = Named::by(&places, header).failure(header)?;
        Some(Failure {
            job_id: places.job_id().ok(),
            facts: places.facts(Some(meaning)),
        })
    }
}

/// RunPod's own body: its words are the same, its members are five.
pub(super) fn read_runpod(
    body: &Map<String, Value>,
) -> Result<(Said, Map<String, Value>), &'static str> {
    let id = body
        .get("id")
        .and_then(scalar)
        .ok_or("the body has no id")?;
    let job_id = text::id(&id).ok_or(BAD_JOB)?.to_owned();
    let status = body
        .get("status")
        .and_then(Value::as_str)
        .ok_or("the body has no status")?;
    let meaning = meaning(status);
    let mut facts = Facts {
        execution_ms: body.get("executionTime").and_then(milliseconds),
        error_message: body.get("error").and_then(sentence),
        ..Facts::default()
    };
    facts.mean(meaning);
    let kept = ["id", "status", "delayTime", "executionTime", "error"];
    let kept = kept
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), body.get(name)?.clone())));
    let said = Said {
        job_id,
        told: meaning.map_or(Told::Unknown, |meaning| Told::Reached(meaning.status())),
        event: text::clean(status, 64),
        facts,
    };
    Ok((said, kept.collect()))
}

/// A worker's error is a sentence, or whatever it threw.
fn sentence(error: &Value) -> Option<String> {
    let told = error
        .as_object()
        .map(|thrown| Value::from(thrown.clone()).to_string());
    text::clean(&told.or_else(|| scalar(error))?, MESSAGE)
}

/// Not negative, up to a year: what is beyond is no measure.
fn milliseconds(value: &Value) -> Option<i64> {
    const YEAR: f64 = 366.0 * 86_400_000.0;
    let number = value.as_f64().filter(|ms| (0.0..=YEAR).contains(ms))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "in range, and fractions of a millisecond do not matter"
    )]
    Some(number.round() as i64)
}

#[cfg(test)]
mod tests;
