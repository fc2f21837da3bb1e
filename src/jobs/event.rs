//! What a delivery says, after its signature has been checked and its body read.

use std::fmt;

use bytes::Bytes;

use crate::config::Jobs;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    /// Known, not yet being worked on.
    Created,
    /// Being worked on.
    Processing,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
}

impl Status {
    /// All, in the order of a job's life.
    pub const ALL: [Status; 4] = [
        Status::Created,
        Status::Processing,
        Status::Completed,
        Status::Failed,
    ];

    /// As answers, logs and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Processing => "processing",
            Status::Completed => "completed",
            Status::Failed => "failed",
        }
    }

    /// The status of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether a job never leaves it.
    pub const fn is_terminal(self) -> bool {
        matches!(self, Status::Completed | Status::Failed)
    }

    /// As the store keeps it.
    pub const fn number(self) -> i16 {
        self as i16
    }

    /// The status that the store keeps under `number`.
    pub fn numbered(number: i16) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|status| status.number() == number)
    }
}

/// Who tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The API's own webhook, signed.
    Webhook,
    /// RunPod's job webhook, unsigned.
    RunPod,
}

impl Source {
    /// Its bit in [`super::lifecycle::Job::sources`].
    pub const fn bit(self) -> i16 {
        match self {
            Source::Webhook => 1,
            Source::RunPod => 2,
        }
    }

    /// As metrics and logs name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Source::Webhook => "webhook",
            Source::RunPod => "runpod",
        }
    }
}

/// Whose jobs the signals are judged from. The API's and RunPod's are told under ids of their own, so both would
/// count twice.
pub(super) fn counted(settings: &Jobs) -> i16 {
    if settings.takes_webhooks {
        Source::Webhook.bit()
    } else {
        Source::RunPod.bit()
    }
}

/// What an event means for its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The job has reached this.
    Reached(Status),
    /// Header and body, or parts of the body, name different things: it changes no job.
    Disagreement,
    /// None of the names is known (`job.progress`): it changes no job.
    Unknown,
}

impl Told {
    /// As logs and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Told::Reached(status) => status.as_str(),
            Told::Disagreement => "disagreement",
            Told::Unknown => "other",
        }
    }
}

/// What is known of a job besides its status. Text of a sender, cleaned and cut by `body`.
#[derive(Clone, Default, PartialEq)]
pub struct Facts {
    /// The model that works on it.
    pub model: Option<String>,
    /// The format asked for.
    pub output_format: Option<String>,
    /// The id of the API request that made it.
    pub request_id: Option<String>,
    /// What it costs, as the sender writes it.
    pub credits: Option<String>,
    /// Whose it is.
    pub user_id: Option<String>,
    /// The machine word of its failure.
    pub error_code: Option<String>,
    /// The sentence of its failure.
    pub error_message: Option<String>,
    /// Milliseconds of work as RunPod measured them (`executionTime`).
    pub execution_ms: Option<i64>,
    /// Whether its failure was somebody's wish: such a job counts for no rate.
    pub cancelled: bool,
}

/// Without texts of a sender.
impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Facts")
    }
}

/// One delivery that may be stored.
#[derive(Clone)]
pub struct Delivery {
    /// Who tells.
    pub source: Source,
    /// The sender's id of it, 1 to 128 characters; of RunPod's, made of job id and status.
    pub delivery_id: String,
    /// SHA-256 of what was signed, `{timestamp}.{raw body}`; of RunPod's, of the made id.
    pub digest: [u8; 32],
    /// When it came, milliseconds since 1970.
    pub received_at: i64,
    /// When what it tells happened, as the sender says, never after `received_at`; milliseconds since 1970.
    pub at: i64,
    /// What it means.
    pub told: Told,
    /// The event as header or body spell it, cleaned; `None` if neither does.
    pub event: Option<String>,
    /// Which job; 1 to 128 visible ASCII characters.
    pub job_id: String,
    /// What it says of the job.
    pub facts: Facts,
    /// The id of the request that brought it, as in this service's own log.
    pub request_id: String,
    /// The signature, for forensics.
    pub signature: Option<[u8; 32]>,
    /// The body as it came, but for the query strings of URLs.
    pub body: Bytes,
}

/// Without texts of a sender, and without the signature.
impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("source", &self.source)
            .field("told", &self.told)
            .finish_non_exhaustive()
    }
}
