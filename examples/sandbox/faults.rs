//! The faults that can be switched on, what they do and what the service then says.

/// One fault.
#[derive(Debug)]
pub(crate) struct Fault {
    /// To be typed.
    pub(crate) letter: char,
    /// In URLs.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What the upstream does.
    pub(crate) does: &'static str,
    /// What the service says, and when.
    pub(crate) shows: &'static str,
}

/// Which upstream has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    RunPod(RunPodFault),
    R2(R2Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunPodFault {
    KeyRevoked,
    KeyRestricted,
    EndpointDeleted,
    WorkersThrottled,
    WorkersCrashing,
    Backlog,
    RateLimited,
    Hangs,
    BadGateway,
    Garbage,
    Firewall,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum R2Fault {
    SecretWrong,
    TokenRevoked,
    TokenScoped,
    BucketDeleted,
    Hangs,
    DateWrong,
}

macro_rules! faults {
    ($($letter:literal $name:literal $upstream:ident $kind:path, $does:literal, $shows:literal;)*) => {
        /// In the order in which they are listed.
        pub(crate) static ALL: &[Fault] = &[$(Fault {
            letter: $letter,
            name: $name,
            kind: Kind::$upstream($kind),
            does: $does,
            shows: $shows,
        }),*];
    };
}

// The two timed ones take the service's own, fixed times: a sandbox in which they ran faster would not
// show the service. The queue's limit makes the wait visible.
faults! {
    'k' "key-revoked" RunPod RunPodFault::KeyRevoked, "401 for both endpoints", "false, unauthorized";
    'p' "key-restricted" RunPod RunPodFault::KeyRestricted, "403 for remove-bg", "false, forbidden";
    'e' "endpoint-deleted" RunPod RunPodFault::EndpointDeleted, "404 for remove-bg", "false, endpoint_not_found";
    't' "workers-throttled" RunPod RunPodFault::WorkersThrottled, "a queue, and only throttled workers", "warns backlog_growing; after 120 s false, capacity_throttled";
    'c' "workers-crashing" RunPod RunPodFault::WorkersCrashing, "a queue, and only unhealthy workers", "warns backlog_growing; after 60 s false, workers_crashing";
    'l' "backlog" RunPod RunPodFault::Backlog, "a queue over RUNPOD_BACKLOG_LIMIT, workers run", "stays true, warns backlog_growing";
    'r' "rate-limited" RunPod RunPodFault::RateLimited, "429 with Retry-After: 5", "warns rate_limited; after 7 s false, stale";
    'w' "runpod-hangs" RunPod RunPodFault::Hangs, "takes requests, answers none", "false, timeout";
    'm' "bad-gateway" RunPod RunPodFault::BadGateway, "502 with an HTML page", "false, server_error";
    'g' "garbage" RunPod RunPodFault::Garbage, "200 with a body that is cut off", "false, invalid_response";
    'f' "firewall" RunPod RunPodFault::Firewall, "403 with Cloudflare's page, error code 1010", "false, blocked_by_waf";
    's' "secret-wrong" R2 R2Fault::SecretWrong, "the token has another secret", "false, signature_mismatch";
    'v' "token-revoked" R2 R2Fault::TokenRevoked, "401, the token is gone", "false, invalid_access_key";
    'a' "token-scoped" R2 R2Fault::TokenScoped, "403, the token is for another bucket", "false, access_denied";
    'b' "bucket-deleted" R2 R2Fault::BucketDeleted, "404, the bucket is gone", "false, bucket_not_found";
    'x' "r2-hangs" R2 R2Fault::Hangs, "takes requests, answers none", "false, timeout";
    'd' "date-wrong" R2 R2Fault::DateWrong, "its Date is 10 minutes ahead of ours", "stays true, warns clock_drift";
}

/// By its name in URLs.
pub(crate) fn named(name: &str) -> Option<&'static Fault> {
    ALL.iter().find(|fault| fault.name == name)
}

/// By its letter.
pub(crate) fn lettered(letter: char) -> Option<&'static Fault> {
    ALL.iter().find(|fault| fault.letter == letter)
}
