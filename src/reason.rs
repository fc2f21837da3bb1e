//! Reason codes: the closed set of things that can be wrong, each with its remedy.
//!
//! Every reason is a static. The common ones live here; a check's own live in the check's file and
//! are listed in its `REASONS`. `docs/runbook.md` has one section a code; a test holds them together.

use std::fmt;

/// How a reason weighs in the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing is wrong.
    Ok,
    /// The boolean stays true; shown in details, on the status page and in metrics.
    Warn,
    /// The check could not be decided this time and says nothing against the last verdict (429).
    Deferred,
    /// A failure that may pass by itself: timeout, DNS, connect, TLS, 5xx, garbage.
    Transient,
    /// The configuration is wrong: missing, malformed, 401, 403, 404.
    Refuted,
    /// A failure whose own time condition has already damped it: it decides at once.
    Down,
}

impl Class {
    /// Whether a finding of this class makes a run a failure.
    pub fn is_failure(self) -> bool {
        self >= Class::Transient
    }
}

/// One thing that can be wrong, told the same way everywhere.
#[derive(Debug)]
pub struct Reason {
    /// Stable machine word, `snake_case`.
    pub code: &'static str,
    /// How it weighs.
    pub class: Class,
    /// One sentence, lower case, no final stop: what is the case.
    pub message: &'static str,
    /// One sentence, lower case, no final stop: what to do. Empty for `ok` only.
    pub remedy: &'static str,
}

impl Reason {
    /// The section of the runbook that explains this reason.
    pub fn doc(&self) -> String {
        format!("docs/runbook.md#{}", self.code)
    }
}

/// Codes are unique (a test holds them so), so they are the identity.
impl PartialEq for Reason {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}
impl Eq for Reason {}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $class:ident, $message:literal, $remedy:literal;)*) => {
        $($(#[$doc])* pub static $name: $crate::reason::Reason = $crate::reason::Reason {
            code: $code,
            class: $crate::reason::Class::$class,
            message: $message,
            remedy: $remedy,
        };)*
    };
}
pub(crate) use reasons;

reasons! {
    /// All is well.
    OK = "ok", Ok, "works", "";
    /// No run has finished yet.
    STARTING = "starting", Transient,
        "has not been checked yet",
        "wait for the first round; if this stays, the check hangs: see its timeout and the log";
    /// The last result is too old to rest an answer on.
    STALE = "stale", Transient,
        "the last result is too old to rely on",
        "read the log of this service: the check is rate limited for long, or its loop has ended; restart the service if no line explains it";
    /// The check did not answer within its timeout.
    TIMEOUT = "timeout", Transient,
        "did not answer within the timeout",
        "look at the upstream's status page and at the network path; raise the check's timeout only if slow answers are normal there";
    /// The host name did not resolve.
    DNS_ERROR = "dns_error", Transient,
        "the host name could not be resolved",
        "check the spelling of the host or account id and this machine's DNS resolver";
    /// No TCP connection.
    CONNECT_ERROR = "connect_error", Transient,
        "no connection could be opened, or it was closed before an answer",
        "check firewall, egress policy and proxy between this machine and the upstream";
    /// TLS failed.
    TLS_ERROR = "tls_error", Transient,
        "the TLS handshake failed",
        "check that CA certificates are installed here, that no middlebox intercepts TLS, and that the upstream's certificate is valid";
    /// 3xx: a probe never follows it.
    REDIRECTED = "redirected", Refuted,
        "the upstream answered with a redirect, which a probe does not follow",
        "configure the final URL: credentials are never sent to a redirect's target";
    /// 429.
    RATE_LIMITED = "rate_limited", Deferred,
        "the upstream limits the rate of calls; the last verdict stands and ages",
        "find what else uses the same account; raise the check's interval";
    /// 5xx, 408.
    SERVER_ERROR = "server_error", Transient,
        "the upstream answered with a server error",
        "look at the upstream's status page; nothing to do here unless it lasts";
    /// An answer that is not the upstream's documented form.
    INVALID_RESPONSE = "invalid_response", Transient,
        "the answer is not what this upstream sends",
        "check that the URL leads to the real upstream and not to a proxy or portal page";
    /// Variables are not set.
    MISSING_CONFIG = "missing_config", Refuted,
        "configuration is missing",
        "set the variables named in the message and restart";
    /// Variables have a value that cannot be right.
    MALFORMED_CONFIG = "malformed_config", Refuted,
        "configuration is malformed",
        "correct the variables named in the message; `infra-health config` lists all problems";
    /// The check's code panicked.
    PANICKED = "panicked", Transient,
        "the check's own code failed",
        "this is a bug in infra-health: report it with the log line that names the place";
    /// 403 of a firewall in front of the API. Reported by the checks that list it. Transient for all of
    /// them, also where a custom domain, so the configuration, invites the firewall (R2): the refusal
    /// says nothing about key or configuration, it can end by itself, and one code has one class.
    BLOCKED_BY_WAF = "blocked_by_waf", Transient,
        "a web application firewall in front of the upstream blocked the call",
        "this is not about the key: repeat the call with curl from this machine; then have its egress address and the probe's User-Agent allowed in that firewall, or configure the upstream's own host instead of a custom domain";
    /// Many failures among the last runs of a passing check.
    INTERMITTENT = "intermittent", Warn,
        "fails now and then, not often enough in a row to count",
        "compare the times in the log with the upstream's incidents and with this machine's network";
    /// The supervisor's heartbeat is too old: derived by `/livez`, `/readyz` and the fold, never a
    /// check's own result.
    MONITOR_STALLED = "monitor_stalled", Down,
        "the monitor of this service has stopped, so no result is fresh",
        "restart the service and report the last log lines before the stop: this is a bug in infra-health or a starved machine";
}

/// What any check can report, besides its own.
pub static COMMON: &[&Reason] = &[
    &OK,
    &STARTING,
    &STALE,
    &TIMEOUT,
    &DNS_ERROR,
    &CONNECT_ERROR,
    &TLS_ERROR,
    &REDIRECTED,
    &RATE_LIMITED,
    &SERVER_ERROR,
    &INVALID_RESPONSE,
    &MISSING_CONFIG,
    &MALFORMED_CONFIG,
    &PANICKED,
    &INTERMITTENT,
];
