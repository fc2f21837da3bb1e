//! What a webhook's body says. Its shape is documented only in part, so members are looked for where senders put
//! them: at the top, under `data`, `job` and `metadata`.

use serde_json::{Map, Value};

use super::event::{Facts, Status, Told};
use super::text;

/// Why a body cannot be used; sentences for the sender.
const NOT_AN_OBJECT: &str = "the body is not one JSON object of at most 128 levels";
const NO_JOB: &str =
    "the body names no job; accepted: job_id or id, at the top or under data, job or metadata";
const BAD_JOB: &str =
    "the job's id is not 1 to 128 visible ASCII characters without / ? # % \" \\ and comma";
const NO_EVENT: &str = "neither body nor X-Webhook-Event names an event; accepted: event, type or status in the body, or the header";

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
    let named = Named::by(&places);
    let (told, meaning) = named.judge(header)?;
    let event = named.spelled.first().copied().or(header);
    Ok(Said {
        job_id,
        told,
        event: event.and_then(|event| text::clean(event, 64)),
        facts: places.facts(meaning),
    })
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
        error_message: body
            .get("error")
            .and_then(scalar)
            .and_then(|error| text::clean(&error, MESSAGE)),
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

/// The longest sentence of a failure that is kept, in characters.
const MESSAGE: usize = 500;

/// What a word for an event or a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Reached(Status),
    TimedOut,
    Cancelled,
}

impl Meaning {
    fn status(self) -> Status {
        match self {
            Meaning::Reached(status) => status,
            Meaning::TimedOut | Meaning::Cancelled => Status::Failed,
        }
    }
}

/// `job.completed`, `COMPLETED`, `In-Progress`: the words that APIs and RunPod use.
fn meaning(spelled: &str) -> Option<Meaning> {
    let word = spelled
        .trim()
        .to_ascii_lowercase()
        .replace(['-', ' ', '.'], "_");
    let word = word
        .strip_prefix("job_")
        .or(word.strip_prefix("jobs_"))
        .unwrap_or(&word);
    let status = match word {
        "created" | "queued" | "in_queue" | "pending" | "accepted" | "submitted" => Status::Created,
        "started" | "start" | "processing" | "running" | "in_progress" => Status::Processing,
        "completed" | "complete" | "succeeded" | "success" | "done" | "finished" => {
            Status::Completed
        }
        "failed" | "failure" | "error" | "errored" => Status::Failed,
        "timed_out" | "timeout" => return Some(Meaning::TimedOut),
        "cancelled" | "canceled" => return Some(Meaning::Cancelled),
        _ => return None,
    };
    Some(Meaning::Reached(status))
}

/// The names of events in a body.
struct Named<'a> {
    /// What was named as an event, known or not, the first first.
    spelled: Vec<&'a str>,
    meanings: Vec<Meaning>,
}

impl<'a> Named<'a> {
    fn by(places: &Places<'a>) -> Self {
        let mut named = Named {
            spelled: Vec::new(),
            meanings: Vec::new(),
        };
        for object in &places.0 {
            for member in ["event", "type", "status"] {
                let Some(spelled) = object.get(member).and_then(Value::as_str) else {
                    continue;
                };
                let meaning = meaning(spelled);
                // `type` and `status` are words for much else.
                if meaning.is_some() || member == "event" || spelled.starts_with("job.") {
                    named.spelled.push(spelled);
                }
                named.meanings.extend(meaning);
            }
        }
        named
    }

    fn judge(&self, header: Option<&str>) -> Result<(Told, Option<Meaning>), &'static str> {
        if self.spelled.is_empty() {
            let header = header.ok_or(NO_EVENT)?;
            let meaning = meaning(header);
            let told = meaning.map_or(Told::Unknown, |meaning| Told::Reached(meaning.status()));
            return Ok((told, meaning));
        }
        let agreed = self.meanings.first().copied();
        let within = self
            .meanings
            .iter()
            .all(|meaning| Some(meaning.status()) == agreed.map(Meaning::status));
        let with_header = header.is_none_or(|header| {
            self.spelled.contains(&header)
                || meaning(header)
                    .is_some_and(|said| Some(said.status()) == agreed.map(Meaning::status))
        });
        Ok(match agreed {
            _ if !within || !with_header => (Told::Disagreement, None),
            Some(meaning) => (Told::Reached(meaning.status()), Some(meaning)),
            None => (Told::Unknown, None),
        })
    }
}

/// The objects of a body in which members are looked for, in order.
struct Places<'a>(Vec<&'a Map<String, Value>>);

impl<'a> Places<'a> {
    fn of(body: &'a Map<String, Value>) -> Self {
        let inner =
            |object: &'a Map<String, Value>, name| object.get(name).and_then(Value::as_object);
        let data = inner(body, "data");
        let within = |name| [inner(body, name), data.and_then(|data| inner(data, name))];
        let [job, data_job] = within("job");
        let [metadata, data_metadata] = within("metadata");
        let job_metadata = job.and_then(|job| inner(job, "metadata"));
        let all = [
            Some(body),
            data,
            job,
            data_job,
            metadata,
            data_metadata,
            job_metadata,
        ];
        Places(all.into_iter().flatten().collect())
    }

    /// The first of that name that is a text or a number.
    fn get(&self, name: &str) -> Option<String> {
        self.0
            .iter()
            .find_map(|place| place.get(name).and_then(scalar))
    }

    /// `job_id` anywhere, else `id`, from the inside out: at the top it may be the event's own.
    fn job_id(&self) -> Result<String, &'static str> {
        let inner_id = || {
            self.0
                .iter()
                .rev()
                .find_map(|place| place.get("id").and_then(scalar))
        };
        let job_id = self.get("job_id").or_else(inner_id).ok_or(NO_JOB)?;
        text::id(&job_id).map(str::to_owned).ok_or(BAD_JOB)
    }

    fn facts(&self, meaning: Option<Meaning>) -> Facts {
        let short = |name| self.get(name).and_then(|text| text::clean(&text, 128));
        let (code, message) = self.error();
        let mut facts = Facts {
            model: short("model"),
            output_format: short("output_format"),
            request_id: short("request_id"),
            credits: short("credits"),
            user_id: short("user_id"),
            error_code: code.and_then(|code| text::word(&code)),
            error_message: message.and_then(|message| text::clean(&message, MESSAGE)),
            execution_ms: None,
            cancelled: false,
        };
        facts.mean(meaning);
        facts
    }

    /// `error` as an object or a sentence, or its two members side by side.
    fn error(&self) -> (Option<String>, Option<String>) {
        let error = self
            .0
            .iter()
            .find_map(|place| place.get("error").filter(|error| !error.is_null()));
        let (mut code, mut message) = (self.get("error_code"), self.get("error_message"));
        match error {
            Some(Value::Object(error)) => {
                code = error.get("code").and_then(scalar).or(code);
                message = error.get("message").and_then(scalar).or(message);
            }
            Some(error) => message = scalar(error).or(message),
            None => {}
        }
        (code, message)
    }
}

impl Facts {
    /// What the word of the event alone tells of a failure.
    fn mean(&mut self, meaning: Option<Meaning>) {
        let code = match meaning {
            Some(Meaning::Cancelled) => "cancelled",
            Some(Meaning::TimedOut) => "timed_out",
            Some(Meaning::Reached(_)) | None => return,
        };
        self.cancelled = meaning == Some(Meaning::Cancelled);
        self.error_code.get_or_insert_with(|| code.to_owned());
    }
}

/// Ids and amounts come as texts and as numbers.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
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
mod tests {
    use super::*;

    fn said(body: &str, header: Option<&str>) -> Result<Said, &'static str> {
        read(&parse(body.as_bytes())?, header)
    }

    fn told(body: &str, header: Option<&str>) -> Told {
        said(body, header).unwrap().told
    }

    #[test]
    fn the_job_is_named_in_many_places() {
        for body in [
            r#"{"job_id":"j1"}"#,
            r#"{"id":"j1"}"#,
            r#"{"id":"evt_1","data":{"id":"j1"}}"#,
            r#"{"id":"evt_1","data":{"id":"x","job":{"id":"j1"}}}"#,
            r#"{"id":"evt_1","job":{"job_id":"j1"}}"#,
            r#"{"id":"evt_1","metadata":{"job_id":"j1"}}"#,
        ] {
            assert_eq!(
                said(body, Some("job.started")).unwrap().job_id,
                "j1",
                "{body}"
            );
        }
        assert_eq!(
            said(r#"{"job_id":17}"#, Some("job.started"))
                .unwrap()
                .job_id,
            "17"
        );
        assert_eq!(
            said(r#"{"event":"job.started"}"#, None).unwrap_err(),
            NO_JOB
        );
        assert_eq!(
            said(r#"{"job_id":"a b"}"#, Some("job.started")).unwrap_err(),
            BAD_JOB
        );
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let deep_object = format!(r#"{{"job_id":"j","x":{deep}}}"#);
        for body in [
            "",
            "[]",
            "1",
            "{",
            "job_id=j1",
            "{}x",
            "\u{feff}{}",
            deep_object.as_str(),
        ] {
            assert_eq!(said(body, None).unwrap_err(), NOT_AN_OBJECT, "{body}");
        }
    }

    #[test]
    fn the_body_names_the_event_and_the_header_only_where_it_does_not() {
        use Status::{Completed, Created, Failed, Processing};
        for (spelled, status) in [
            ("job.created", Created),
            ("IN_QUEUE", Created),
            ("job.started", Processing),
            ("in-progress", Processing),
            ("job.completed", Completed),
            ("success", Completed),
            ("job.failed", Failed),
            ("TIMED_OUT", Failed),
            ("cancelled", Failed),
        ] {
            for member in ["event", "type", "status"] {
                let body = format!(r#"{{"job_id":"j","{member}":"{spelled}"}}"#);
                assert_eq!(told(&body, None), Told::Reached(status), "{body}");
                let inner = format!(r#"{{"data":{body}}}"#);
                assert_eq!(told(&inner, None), Told::Reached(status), "{inner}");
            }
            assert_eq!(
                told(r#"{"job_id":"j","type":"video"}"#, Some(spelled)),
                Told::Reached(status)
            );
        }
        assert_eq!(said(r#"{"job_id":"j"}"#, None).unwrap_err(), NO_EVENT);
    }

    #[test]
    fn names_at_odds_are_a_disagreement() {
        for (body, header) in [
            (
                r#"{"job_id":"j","event":"job.completed"}"#,
                Some("job.failed"),
            ),
            (
                r#"{"job_id":"j","event":"job.completed"}"#,
                Some("job.progress"),
            ),
            (
                r#"{"job_id":"j","event":"job.progress"}"#,
                Some("job.completed"),
            ),
            (
                r#"{"job_id":"j","event":"job.completed","status":"failed"}"#,
                None,
            ),
            (
                r#"{"event":"job.completed","data":{"job_id":"j","status":"failed"}}"#,
                None,
            ),
        ] {
            assert_eq!(told(body, header), Told::Disagreement, "{body}");
        }
        for (body, header) in [
            (
                r#"{"job_id":"j","event":"job.completed","status":"done","type":"video"}"#,
                Some("completed"),
            ),
            (
                r#"{"job_id":"j","event":"job.updated","status":"done"}"#,
                Some("job.updated"),
            ),
        ] {
            assert_eq!(
                told(body, header),
                Told::Reached(Status::Completed),
                "{body}"
            );
        }
        assert_eq!(
            told(
                r#"{"job_id":"j","event":"job.progress"}"#,
                Some("job.progress")
            ),
            Told::Unknown
        );
        assert_eq!(
            told(r#"{"job_id":"j"}"#, Some("job.progress")),
            Told::Unknown
        );
    }

    #[test]
    fn facts_are_found_and_cleaned() {
        let body = r#"{"event":"job.failed","data":{"job_id":"j","model":"m1","output_format":"webm","credits":2.5,
            "metadata":{"user_id":7,"request_id":"req_1"},"error":{"code":"bad input","message":"no\nhttps://h/p?sig=S"}}}"#;
        let facts = said(body, None).unwrap().facts;
        assert_eq!(facts.model.as_deref(), Some("m1"));
        assert_eq!(facts.output_format.as_deref(), Some("webm"));
        assert_eq!(facts.credits.as_deref(), Some("2.5"));
        assert_eq!(facts.user_id.as_deref(), Some("7"));
        assert_eq!(facts.request_id.as_deref(), Some("req_1"));
        assert_eq!(facts.error_code.as_deref(), Some("bad_input"));
        assert_eq!(facts.error_message.as_deref(), Some("no https://h/p"));

        let error = |body: &str| {
            let facts = said(body, None).unwrap().facts;
            (facts.error_code, facts.error_message)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            error(r#"{"id":"j","status":"failed","error":"boom"}"#),
            (None, some("boom"))
        );
        let flat =
            r#"{"id":"j","status":"failed","error":null,"error_code":"E1","error_message":"boom"}"#;
        assert_eq!(error(flat), (some("E1"), some("boom")));
        assert_eq!(
            error(r#"{"id":"j","status":"cancelled"}"#),
            (some("cancelled"), None)
        );
    }

    #[test]
    fn of_runpods_body_five_members_are_kept() {
        let body = r#"{"id":"r-1","status":"COMPLETED","delayTime":5,"executionTime":61000.4,
            "input":{"secret":1},"output":"x","webhook":"https://us/webhooks/runpod/TOKEN"}"#;
        let (said, kept) = read_runpod(&parse(body.as_bytes()).unwrap()).unwrap();
        assert_eq!(
            (said.job_id.as_str(), said.told),
            ("r-1", Told::Reached(Status::Completed))
        );
        assert_eq!(said.facts.execution_ms, Some(61_000));
        assert_eq!(
            kept.keys().collect::<Vec<_>>(),
            ["delayTime", "executionTime", "id", "status"]
        );

        let of = |body: &str| read_runpod(&parse(body.as_bytes()).unwrap()).map(|(said, _)| said);
        let cancelled = of(r#"{"id":"r","status":"CANCELLED","executionTime":-1}"#).unwrap();
        assert!(cancelled.facts.cancelled);
        assert_eq!(cancelled.facts.execution_ms, None);
        let timed_out = of(r#"{"id":"r","status":"TIMED_OUT","error":"job timed out"}"#).unwrap();
        assert_eq!(timed_out.facts.error_code.as_deref(), Some("timed_out"));
        assert!(!timed_out.facts.cancelled);
        assert_eq!(
            of(r#"{"id":"r","status":"NEW"}"#).unwrap().told,
            Told::Unknown
        );
        assert!(of(r#"{"status":"FAILED"}"#).is_err() && of(r#"{"id":"r"}"#).is_err());
    }
}
