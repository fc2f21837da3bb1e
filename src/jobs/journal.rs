//! Log lines of jobs: one for each failure before anything else is done with it, one for each transition, one for
//! each event that changes nothing. `received_by` is the id of this service's own request.

use super::event::{Delivery, Facts, Source};
use super::lifecycle::Verdict;
use super::store::Stored;

/// Who brought a failure.
pub(super) struct Bringer<'a> {
    pub(super) source: Source,
    pub(super) delivery_id: Option<&'a str>,
    pub(super) received_by: &'a str,
}

/// A failure, told as soon as it is known who says so, whatever becomes of the delivery.
pub(super) fn failure(job_id: Option<&str>, facts: &Facts, by: &Bringer<'_>) {
    tracing::warn!(
        job_id,
        request_id = facts.request_id,
        delivery_id = by.delivery_id,
        received_by = by.received_by,
        source = by.source.as_str(),
        model = facts.model,
        output_format = facts.output_format,
        error_code = facts.error_code,
        error_message = facts.error_message,
        "job failed"
    );
}

macro_rules! line {
    ($level:ident, $delivery:ident, $facts:ident, $message:literal, $($field:tt)*) => {
        tracing::$level!(
            job_id = $delivery.job_id,
            $($field)*,
            request_id = $facts.request_id,
            delivery_id = $delivery.delivery_id,
            received_by = $delivery.request_id,
            source = $delivery.source.as_str(),
            model = $facts.model,
            error_code = $facts.error_code,
            $message
        )
    };
}

/// What became of a delivery that is durable.
pub(super) fn stored(delivery: &Delivery, stored: &Stored) {
    let Stored::Recorded {
        verdict,
        before,
        job,
    } = stored
    else {
        tracing::debug!(
            job_id = delivery.job_id,
            delivery_id = delivery.delivery_id,
            received_by = delivery.request_id,
            "delivery was known already"
        );
        return;
    };
    let facts = job.as_ref().map_or(&delivery.facts, |job| &job.facts);
    let from = before.as_ref().map(|job| job.status.as_str());
    match (verdict, job) {
        (Verdict::Moved, Some(job)) => {
            line!(
                info,
                delivery,
                facts,
                "job transition",
                from,
                to = job.status.as_str()
            );
        }
        (Verdict::Contradiction | Verdict::Disagreement, _) => {
            let (verdict, event) = (verdict.as_str(), delivery.event.as_deref());
            line!(
                warn,
                delivery,
                facts,
                "job event changes nothing",
                status = from,
                verdict,
                event
            );
        }
        (verdict, _) => {
            let (verdict, event) = (verdict.as_str(), delivery.event.as_deref());
            line!(
                info,
                delivery,
                facts,
                "job event changes nothing",
                status = from,
                verdict,
                event
            );
        }
    }
}
