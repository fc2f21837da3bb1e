//! The life of a job: `created → processing → completed | failed`. Pure.
//!
//! Deliveries come late, twice, in any order, and contradict each other. A job only ever moves forward, and never
//! out of a terminal status; what an event of the past tells besides its status is still taken.

use super::event::{Delivery, Facts, Status, Told};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The job moved.
    Moved,
    /// The job was there already.
    Repeated,
    /// The job was further already: the event is of its past.
    Late,
    /// The job had ended otherwise. It stays as it was.
    Contradiction,
    /// The event itself is at odds with itself ([`Told::Disagreement`]).
    Disagreement,
    /// The event means nothing to the lifecycle ([`Told::Unknown`]).
    Ignored,
}

impl Verdict {
    const ALL: [Verdict; 6] = [
        Verdict::Moved,
        Verdict::Repeated,
        Verdict::Late,
        Verdict::Contradiction,
        Verdict::Disagreement,
        Verdict::Ignored,
    ];

    /// As answers, logs and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Moved => "moved",
            Verdict::Repeated => "repeated",
            Verdict::Late => "late",
            Verdict::Contradiction => "contradiction",
            Verdict::Disagreement => "disagreement",
            Verdict::Ignored => "ignored",
        }
    }

    /// As the store keeps it.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The verdict that the store keeps under `number`.
    pub fn numbered(number: i16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.number() == number)
    }
}

/// A job as far as its events have told.
#[derive(Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// Where it stands.
    pub status: Status,
    /// Who has told of it: bits of [`super::event::Source::bit`].
    pub sources: i16,
    /// What is known of it; what was told once is kept, the newest of several.
    pub facts: Facts,
    /// When it was created, if an event said so; milliseconds since 1970, as all times here.
    pub created_at: Option<i64>,
    /// When its processing began, if an event said so.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// When it came to where it stands.
    pub changed_at: i64,
}

impl Job {
    /// How long it was worked on: RunPod's own measure, else from its start to its completion. `None` until it is
    /// completed, and where nobody told of its start.
    pub fn processing_ms(&self) -> Option<i64> {
        if self.status != Status::Completed {
            return None;
        }
        let between = || {
            let took = self.finished_at?.checked_sub(self.started_at?)?;
            (took >= 0).then_some(took)
        };
        self.facts.execution_ms.or_else(between)
    }

    /// What `delivery` makes of the job `known`, and what became of the event. `None` for a job of which nothing
    /// is known still.
    pub fn apply(known: Option<Job>, delivery: &Delivery) -> (Option<Job>, Verdict) {
        let reached = match delivery.told {
            Told::Reached(status) => status,
            Told::Disagreement => return (known, Verdict::Disagreement),
            Told::Unknown => return (known, Verdict::Ignored),
        };
        let Some(mut job) = known else {
            return (Some(Job::first(delivery, reached)), Verdict::Moved);
        };
        let verdict = match (job.status, reached) {
            (now, then) if now == then => Verdict::Repeated,
            (now, then) if now.is_terminal() && then.is_terminal() => Verdict::Contradiction,
            (now, then) if then < now => Verdict::Late,
            _ => Verdict::Moved,
        };
        // Who has told of it counts in any case: it decides whether the signals see the job.
        job.sources |= delivery.source.bit();
        if verdict == Verdict::Contradiction {
            return (Some(job), verdict);
        }
        job.facts.take(&delivery.facts, verdict == Verdict::Moved);
        job.note(reached, delivery.at);
        if verdict == Verdict::Moved {
            job.status = reached;
            job.changed_at = delivery.at.max(job.changed_at);
        }
        (Some(job), verdict)
    }

    fn first(delivery: &Delivery, status: Status) -> Self {
        let mut job = Job {
            job_id: delivery.job_id.clone(),
            status,
            sources: delivery.source.bit(),
            facts: delivery.facts.clone(),
            created_at: None,
            started_at: None,
            finished_at: None,
            changed_at: delivery.at,
        };
        job.note(status, delivery.at);
        job
    }

    /// Keeps the earliest time that was told of each: a repetition does not move it.
    fn note(&mut self, reached: Status, at: i64) {
        let place = match reached {
            Status::Created => &mut self.created_at,
            Status::Processing => &mut self.started_at,
            Status::Completed | Status::Failed => &mut self.finished_at,
        };
        *place = Some(place.map_or(at, |known| known.min(at)));
    }
}

impl Facts {
    /// Adds what `told` knows; where both know, `told` wins if it is news of the job's present.
    fn take(&mut self, told: &Facts, is_news: bool) {
        let fill = |known: &mut Option<String>, told: &Option<String>| {
            if told.is_some() && (is_news || known.is_none()) {
                known.clone_from(told);
            }
        };
        fill(&mut self.model, &told.model);
        fill(&mut self.output_format, &told.output_format);
        fill(&mut self.request_id, &told.request_id);
        fill(&mut self.credits, &told.credits);
        fill(&mut self.user_id, &told.user_id);
        fill(&mut self.error_code, &told.error_code);
        fill(&mut self.error_message, &told.error_message);
        if told.execution_ms.is_some() && (is_news || self.execution_ms.is_none()) {
            self.execution_ms = told.execution_ms;
        }
        self.cancelled |= told.cancelled && is_news;
    }
}

#[cfg(test)]
mod tests;
