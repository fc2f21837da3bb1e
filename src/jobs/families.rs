//! The metrics of the room.

use crate::sample::families;

families! {
    EVENTS = Counter "infra_health_job_events_total" ["event"],
        "Job events stored by this replica, each once, by what they told";
    DELIVERIES = Counter "infra_health_job_deliveries_total" ["source", "result"],
        "Webhook deliveries by who sent them and what they were answered";
    FINISHED = Counter "infra_health_jobs_finished_total" ["outcome", "error_code", "model"],
        "Jobs that ended by an event stored by this replica, of those that the signals are judged from; over all replicas each counts once at most";
    PROCESSING = Histogram "infra_health_job_processing_seconds" ["model"],
        "Processing time of completed jobs: RunPod's executionTime, else from start to completion";
    SIGNAL_STATE = Gauge "infra_health_signal_state" ["signal", "state"],
        "1 for the state of a signal (of the model that is worst off), 0 for the others";
    SIGNAL_VALUE = Gauge "infra_health_signal_value" ["signal", "model"],
        "Value of a signal, a ratio or seconds; without a model the failure rate, or the model that is worst off";
    SIGNAL_THRESHOLD = Gauge "infra_health_signal_threshold" ["signal", "model"],
        "What the value must not exceed";
    SIGNAL_SAMPLES = Gauge "infra_health_signal_samples" ["signal", "model"],
        "Jobs that the value was judged from";
    SIGNALS_CURRENT = Gauge "infra_health_signals_current" [],
        "1 when the last evaluation of the signals could read what it needs";
    SIGNALS_EVALUATED = Gauge "infra_health_signals_evaluated_timestamp_seconds" [],
        "When the signals were last evaluated; absent before the first time";
    STORE_UP = Gauge "infra_health_jobs_store_up" [],
        "1 while the job store is open";
    STORE_ERRORS = Counter "infra_health_jobs_store_errors_total" ["kind"],
        "What the job store could not do, by kind of trouble";
    QUEUED = Gauge "infra_health_jobs_queue_deliveries" [],
        "Deliveries that wait to be stored";
    COMMITS = Histogram "infra_health_jobs_commit_duration_seconds" [],
        "Time to make a batch of deliveries durable";
    RESTARTS = Counter "infra_health_jobs_room_restarts_total" [],
        "Times that a task of the job room ended by a bug and was started anew";
}
