//! Every variable of the service, once: its name, its default, one line about it.
//!
//! The defaults that [`super::Config`] is built from are parsed from this table, and the misspelling
//! check, `.env.example`, the README's table and `infra-health config` read it too.

/// One environment variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variable {
    /// Its name, exactly as it is looked up.
    pub name: &'static str,
    /// The value that holds when it is not set; `None` when there is none or it follows another variable.
    pub default: Option<&'static str>,
    /// One line for people.
    pub doc: &'static str,
    /// The variable that may name a file to read the value from instead; secrets have one.
    pub file: Option<&'static str>,
}

impl Variable {
    /// Whether the value is never shown.
    pub fn secret(&self) -> bool {
        self.file.is_some()
    }
}

macro_rules! variables {
    ($($name:literal $(= $default:literal)? $(, secret $file:literal)?: $doc:literal;)*) => {
        /// All variables, in the order in which people read them.
        pub const VARIABLES: &[Variable] = &[$(Variable {
            name: $name,
            default: variables!(@optional $($default)?),
            doc: $doc,
            file: variables!(@optional $($file)?),
        },)*];
    };
    (@optional) => { None };
    (@optional $value:literal) => { Some($value) };
}

variables! {
    "HOST" = "127.0.0.1": "IP address to listen on; 0.0.0.0 or :: for every interface.";
    "PORT" = "8080": "Port to listen on, 0 to 65535; 0 takes a free one.";
    "PROBE_ADDR": "Second listener, host:port, with /livez and /readyz only.";
    "METRICS_ADDR": "Further listener, host:port, with /metrics only and without a key.";
    "RUNPOD_API_KEY", secret "RUNPOD_API_KEY_FILE": "RunPod API key; the checks need no more than access to the endpoints asked.";
    "RUNPOD_ENDPOINT_ID": "RunPod endpoint id, or a comma-separated list; each optionally name=id.";
    "RUNPOD_ENDPOINT_BASE_URL" = "https://api.runpod.ai/v2": "Base of RunPod's endpoint API; the official SDK's own variable.";
    "RUNPOD_BACKLOG_LIMIT": "The check warns when more jobs than this wait in an endpoint's queue.";
    "R2_ACCOUNT_ID": "Cloudflare account id, 32 hex digits; not needed with R2_ENDPOINT_URL.";
    "R2_JURISDICTION": "Jurisdiction of the bucket: eu or fedramp; not set for the default one.";
    "R2_ENDPOINT_URL": "S3 endpoint without the bucket; instead of R2_ACCOUNT_ID and R2_JURISDICTION.";
    "R2_ACCESS_KEY_ID", secret "R2_ACCESS_KEY_ID_FILE": "Access key id of the R2 API token, 32 characters.";
    "R2_SECRET_ACCESS_KEY", secret "R2_SECRET_ACCESS_KEY_FILE": "Secret access key of the R2 API token, 64 hex digits.";
    "R2_SESSION_TOKEN", secret "R2_SESSION_TOKEN_FILE": "Session token, with temporary credentials only.";
    "R2_BUCKET": "Bucket to list.";
    "R2_BUCKET_NAME": "Another name of R2_BUCKET.";
    "API_HEALTH_URL": "The main API's own health URL, asked by the check api.";
    "API_KEYS", secret "API_KEYS_FILE": "Operator keys of this service, comma-separated: 16 characters or more each, or sha256:<64 hex>.";
    "HEALTH_DETAILS" = "authorized": "Who sees details: authorized (key holders), always or never.";
    "HEALTH_DEGRADED_STATUS" = "200": "HTTP status of a degraded /health: 200 or 503.";
    "HEALTH_REQUIRE_API_KEY" = "false": "Whether /health answers 401 without a key.";
    "HEALTH_EXCLUDE": "Checks that are shown and do not count, comma-separated.";
    "HEALTH_DEADLINE" = "800ms": "Longest wait of /health for the first round of checks, up to 60s.";
    "READY_REQUIRES": "Checks that /readyz depends on; one upstream can then take out every replica.";
    "CHECK_INTERVAL" = "30s": "Time between two runs of a check.";
    "CHECK_TIMEOUT" = "5s": "Time limit of one run; the interval, if that is shorter and this is not set.";
    "CHECK_RETRY_INTERVAL" = "5s": "Time between two runs while a check is undecided; the interval, if that is shorter.";
    "FAILURE_THRESHOLD" = "3": "Failures in a row that turn a check false.";
    "SUCCESS_THRESHOLD" = "2": "Passes in a row that turn a check true again.";
    "RUNPOD_CHECK_INTERVAL": "CHECK_INTERVAL for RunPod alone.";
    "RUNPOD_CHECK_TIMEOUT": "CHECK_TIMEOUT for RunPod alone.";
    "R2_CHECK_INTERVAL" = "60s": "CHECK_INTERVAL for R2 alone, whose calls cost money; CHECK_INTERVAL, if only that is set.";
    "R2_CHECK_TIMEOUT": "CHECK_TIMEOUT for R2 alone.";
    "RATE_LIMIT_PER_SECOND" = "50": "Requests a second that one client may make for long; 0 switches the limit off.";
    "RATE_LIMIT_BURST" = "100": "Requests that one client may make at once.";
    "RATE_LIMIT_EXEMPT": "Networks without a rate limit, comma-separated CIDR.";
    "TRUSTED_PROXIES": "Networks whose X-Forwarded-For is believed, comma-separated CIDR.";
    "MAX_CONNECTIONS" = "0": "Most connections at a time, as far as the descriptor limit allows; 0 derives it from that limit.";
    "HEADER_TIMEOUT" = "5s": "Time limit for the head of a request to arrive.";
    "IDLE_TIMEOUT" = "75s": "Time an idle connection is kept; longer than the balancer's.";
    "SHUTDOWN_DELAY" = "7s": "Time between SIGTERM and closing the listener, for balancers to notice.";
    "SHUTDOWN_GRACE" = "10s": "Time that busy connections get once the listener is closed.";
    "JOB_WEBHOOK_SECRET", secret "JOB_WEBHOOK_SECRET_FILE": "Secrets of POST /webhooks/jobs, comma-separated: any of them may have signed; 16 characters or more each.";
    "RUNPOD_WEBHOOK_TOKEN", secret "RUNPOD_WEBHOOK_TOKEN_FILE": "Tokens of POST /webhooks/runpod/{token}, comma-separated: 32 or more of A-Z a-z 0-9 _ - each.";
    "JOBS_DATABASE_URL" = "sqlite://infra-health.db", secret "JOBS_DATABASE_URL_FILE": "Where jobs are kept: sqlite://relative/path, sqlite:///absolute/path or postgres://user:password@host/database.";
    "JOB_WEBHOOK_MAX_AGE" = "24h": "How old a delivery to /webhooks/jobs may be by its own timestamp, up to 30d.";
    "JOBS_RETENTION" = "90d": "Time that jobs and their events are kept; longer than JOB_WEBHOOK_MAX_AGE + 5m.";
    "JOBS_MAX_BYTES" = "1GiB": "Size of the job store from which the oldest go, raw bodies first; 1MiB or more.";
    "LATENCY_SLO" = "5m": "Longest p95 of processing time: a duration for every model, model=duration for one, comma-separated.";
    "FAILURE_RATE_BASELINE" = "0.02": "Share of jobs that usually fails, 0 to 1.";
    "FAILURE_RATE_BUDGET" = "0.03": "Share of jobs that may fail on top of FAILURE_RATE_BASELINE; the signal fires above their sum, 1 at most.";
    "SIGNAL_WINDOW" = "15m": "Time that the signals look back, 100ms to 24h, and that p95 must be over its SLO to fire.";
    "SIGNAL_MIN_SAMPLES" = "20": "Jobs that must have ended in the window for a signal to say anything.";
    "SIGNALS_AFFECT_HEALTH" = "false": "Whether /health has the check job_signals, false while a signal fires.";
    "LOG_LEVEL" = "info": "Least level that is logged: error, warn, info, debug or trace.";
    "LOG_FORMAT" = "auto": "Form of a log line: json, text, or auto (text on a terminal).";
    "HTTPS_PROXY": "Proxy for https upstreams, user:password@ allowed; NO_PROXY and other variables are not looked at.";
    "ALLOW_INSECURE_UPSTREAMS" = "false": "Whether http:// upstreams and Postgres without TLS are allowed outside loopback; keys and passwords then travel in clear.";
    "ENV_FILE": "File of NAME=value lines, a $ in single quotes; what the real environment sets wins.";
}

/// The entry of a variable.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}

/// Every name that is looked up: the variables and the `…_FILE` of the secrets.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES
        .iter()
        .flat_map(|variable| [Some(variable.name), variable.file])
        .flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_files_are_named_after_their_secret() {
        let unique: BTreeSet<_> = names().collect();
        assert_eq!(unique.len(), names().count());
        for variable in VARIABLES {
            if let Some(file) = variable.file {
                assert_eq!(file, format!("{}_FILE", variable.name));
            }
        }
    }
}
