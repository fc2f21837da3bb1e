//! Where senders put the members of a body.

use serde_json::{Map, Value};

use super::words::Meaning;
use super::{BAD_JOB, MESSAGE};
use crate::jobs::event::Facts;
use crate::jobs::text;

/// For the sender.
pub(super) const NO_JOB: &str =
    "the body names no job; accepted: job_id or id, at the top or under data, job or metadata";

/// The objects of a body in which members are looked for.
pub(super) struct Places<'a> {
    /// The body itself and what it wraps the job in, from the outside in.
    pub(super) own: Vec<&'a Map<String, Value>>,
    /// What the API's customer may have written: it counts only where nothing else does.
    pub(super) metadata: Vec<&'a Map<String, Value>>,
}

impl<'a> Places<'a> {
    pub(super) fn of(body: &'a Map<String, Value>) -> Self {
        let inner =
            |object: &'a Map<String, Value>, name| object.get(name).and_then(Value::as_object);
        let data = inner(body, "data");
        let job = inner(body, "job");
        let data_job = data.and_then(|data| inner(data, "job"));
        let own: Vec<_> = [Some(body), data, job, data_job]
            .into_iter()
            .flatten()
            .collect();
        let metadata = own
            .iter()
            .filter_map(|place| inner(place, "metadata"))
            .collect();
        Places { own, metadata }
    }

    /// The first of that name that is a text or a number.
    fn get(&self, name: &str) -> Option<String> {
        let mut places = self.own.iter().chain(&self.metadata);
        places.find_map(|place| place.get(name).and_then(scalar))
    }

    /// `job_id`, else `id`, from the inside out: at the top it may be the event's own.
    pub(super) fn job_id(&self) -> Result<String, &'static str> {
        let within = |places: &[&Map<String, Value>], name| {
            let mut places = places.iter().rev();
            places.find_map(|place| place.get(name).and_then(scalar))
        };
        let job_id = [&self.own, &self.metadata]
            .into_iter()
            .flat_map(|places| [(places, "job_id"), (places, "id")])
            .find_map(|(places, name)| within(places, name))
            .ok_or(NO_JOB)?;
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
        let mut places = self.own.iter().chain(&self.metadata);
        let error = places.find_map(|place| place.get("error").filter(|error| !error.is_null()));
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
