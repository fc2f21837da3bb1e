//! What this service counts of itself. The families of a check's own data stand next to the check.

use crate::sample::families;

families! {
    STATUS = Gauge "infra_health_status" [],
        "1 healthy, 0 degraded, as /health says";
    READY = Gauge "infra_health_ready" [],
        "1 when /readyz answers 200: not starting, draining, stalled or out of descriptors";
    CHECK_STATE = Gauge "infra_health_check_state" ["check", "state"],
        "1 for the damped state of a check (pass, warn, fail), 0 for the others";
    CHECK_LAST_RESULT = Gauge "infra_health_check_last_result" ["check", "state"],
        "1 for the result of the last run alone, not damped; 0 for all before the first";
    CHECK_REASON = Gauge "infra_health_check_reason" ["check", "reason"],
        "1 for the reason that decides the state now; no other is shown";
    CHECK_STALE = Gauge "infra_health_check_stale" ["check"],
        "1 when the last judged result is too old to rest on";
    CHECK_COUNTED = Gauge "infra_health_check_counted" ["check"],
        "1 when the check counts for /health, 0 when HEALTH_EXCLUDE leaves it out";
    CHECK_AGE = Gauge "infra_health_check_age_seconds" ["check"],
        "Time since the last run ended; absent before the first";
    CHECK_LAST_SUCCESS = Gauge "infra_health_check_last_success_timestamp_seconds" ["check"],
        "When the last run ended that passed, as Unix time; absent before the first";
    CHECK_RUNS = Counter "infra_health_check_runs_total" ["check", "reason"],
        "Finished runs by the reason that decided them; ok for passes";
    CHECK_TRANSITIONS = Counter "infra_health_check_transitions_total" ["check", "to"],
        "Changes of the damped state by what it became, stale results included; the first result is one";
    CHECK_DURATION = Histogram "infra_health_check_duration_seconds" ["check"],
        "Time that runs took, failed ones included";
    UPSTREAM_REQUESTS = Counter "infra_health_upstream_requests_total" ["check", "operation"],
        "Requests sent to upstreams, answered or not: what is paid for";
    UPSTREAM_PHASE = Summary "infra_health_upstream_phase_duration_seconds" ["check", "phase"],
        "Time in phases of upstream requests that ended well: dns and connect (dns, TCP and TLS) of new connections only, wait from there to the head of the answer, body to its end";
    MONITOR_HEARTBEAT_AGE = Gauge "infra_health_monitor_heartbeat_age_seconds" [],
        "Time since the monitor's last sign of life; /livez fails above 30";
    HTTP_DURATION = Histogram "http_server_request_duration_seconds" ["http_route", "http_request_method", "http_response_status_code"],
        "Time from the head of a request to its answer; http_route is empty where no endpoint matches";
    HTTP_IN_FLIGHT = Gauge "infra_health_http_requests_in_flight" [],
        "Requests that are being answered, this one included";
    HTTP_LIMITED = Counter "infra_health_http_requests_limited_total" ["bucket"],
        "Requests answered 429, by what was used up: of a key, of a client address, of failed keys, or the places to wait";
    CONNECTIONS = Gauge "infra_health_connections" ["listener"],
        "Open connections";
    CONNECTIONS_ACCEPTED = Counter "infra_health_connections_accepted_total" ["listener"],
        "Connections accepted, refused ones included";
    CONNECTIONS_ENDED = Counter "infra_health_connections_ended_total" ["listener", "cause"],
        "Connections that this service ended other than after an answer";
    SECRET_RELOAD_ERRORS = Counter "infra_health_secret_reload_errors_total" [],
        "Readings of secret files that could not be used; the last good value stays in use";
    LOG_LINES_DROPPED = Counter "infra_health_log_lines_dropped_total" [],
        "Log lines lost because standard output was too slow";
    BUILD_INFO = Gauge "infra_health_build_info" ["version", "commit"],
        "1; what is running";
    PROCESS_CPU = Counter "process_cpu_seconds_total" [],
        "CPU time used, user and system";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" [],
        "Resident memory";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" [],
        "Virtual memory";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" [],
        "Open file descriptors";
    PROCESS_MAX_FDS = Gauge "process_max_fds" [],
        "The soft limit of file descriptors";
    PROCESS_START_TIME = Gauge "process_start_time_seconds" [],
        "When this process began, as Unix time";
    PROCESS_THREADS = Gauge "process_threads" [],
        "Threads of this process";
}
