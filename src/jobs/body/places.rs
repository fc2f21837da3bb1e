//! Where senders put the members of a body.

use serde_json::{Map, Value};

use super::words::Meaning;
use super::{BAD_JOB, MESSAGE};
use crate::jobs::event::Facts;
use crate::jobs::text;

/// For the sender.
pub(super) const NO_JOB: &str =
    "the body names no job; accepted: job_id or id, at the top or under data, job or metadata";

/// The objects of a body in which members are looked for, in order.
pub(super) struct Places<'a>(pub(super) Vec<&'a Map<String, Value>>);

impl<'a> Places<'a> {
    pub(super) fn of(body: &'a Map<String, Value>) -> Self {
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
    pub(super) fn job_id(&self) -> Result<String, &'static str> {
        let inner_id = || {
            self.0
                .iter()
                .rev()
                .find_map(|place| place.get("id").and_then(scalar))
        };
        let job_id = self.get("job_id").or_else(inner_id).ok_or(NO_JOB)?;
        text::id(&job_id).map(str::to_owned).ok_or(BAD_JOB)
    }

    pub(super) fn facts(&self, meaning: Option<Meaning>) -> Facts {
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

/// Ids and amounts come as texts and as numbers.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
