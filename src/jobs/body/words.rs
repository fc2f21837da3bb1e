//! The words that senders have for events, and what a body and its header say with them together.

use serde_json::{Map, Value};

use super::places::Places;
use crate::jobs::event::{Facts, Status, Told};

/// For the sender.
pub(super) const NO_EVENT: &str = "neither body nor X-Webhook-Event names an event; accepted: event, type or status in the body, or the header";

/// What a word for an event or a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Reached(Status),
    TimedOut,
    Cancelled,
}

impl Meaning {
    pub(super) fn status(self) -> Status {
        match self {
            Meaning::Reached(status) => status,
            Meaning::TimedOut | Meaning::Cancelled => Status::Failed,
        }
    }
}

/// `job.completed`, `COMPLETED`, `In-Progress`: the words that APIs and RunPod use.
pub(super) fn meaning(spelled: &str) -> Option<Meaning> {
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
pub(super) struct Named<'a> {
    /// What was named as an event, known or not, the first first.
    pub(super) spelled: Vec<&'a str>,
    meanings: Vec<Meaning>,
}

impl<'a> Named<'a> {
    /// Metadata is asked last of all: what a customer calls `status` there is no event of ours.
    pub(super) fn by(places: &Places<'a>, header: Option<&str>) -> Self {
        let named = Self::within(&places.own);
        if named.spelled.is_empty() && header.is_none() {
            return Self::within(&places.metadata);
        }
        named
    }

    fn within(places: &[&'a Map<String, Value>]) -> Self {
        let mut named = Named {
            spelled: Vec::new(),
            meanings: Vec::new(),
        };
        for object in places {
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

    /// The first word for a failure, be it at odds with others.
    pub(super) fn failure(&self, header: Option<&str>) -> Option<Meaning> {
        let header = header.and_then(meaning);
        let mut all = self.meanings.iter().copied().chain(header);
        all.find(|meaning| meaning.status() == Status::Failed)
    }

    pub(super) fn judge(
        &self,
        header: Option<&str>,
    ) -> Result<(Told, Option<Meaning>), &'static str> {
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

/// What the word of the event alone tells of a failure.
impl Facts {
    pub(super) fn mean(&mut self, meaning: Option<Meaning>) {
        let code = match meaning {
            Some(Meaning::Cancelled) => "cancelled",
            Some(Meaning::TimedOut) => "timed_out",
            Some(Meaning::Reached(_)) | None => return,
        };
        self.cancelled = meaning == Some(Meaning::Cancelled);
        self.error_code.get_or_insert_with(|| code.to_owned());
    }
}
