//! Exactly what envy reads: optional strings, so that reading can neither fail nor print a value.
//!
//! envy's own parsing is not used: it stops at the first error, prints the value in it, and names the
//! field instead of the variable.

use secrecy::SecretString;
use serde::Deserialize;

use super::environment::Environment;

macro_rules! raw {
    ($($(#[$attribute:meta])* $name:ident { $($field:ident: $type:ty,)* })*) => {
        $($(#[$attribute])*
        #[derive(Deserialize)]
        pub(super) struct $name { $(pub(super) $field: Option<$type>,)* })*

        /// The fields of all structs, as variables are spelled.
        #[cfg(test)]
        fn fields() -> impl Iterator<Item = String> {
            [$($(stringify!($field),)*)*].into_iter().map(str::to_uppercase)
        }
    };
}

raw! {
    /// Listening, connections, shutdown, logs.
    RawServer {
        host: String,
        port: String,
        probe_addr: String,
        metrics_addr: String,
        max_connections: String,
        header_timeout: String,
        idle_timeout: String,
        shutdown_delay: String,
        shutdown_grace: String,
        log_level: String,
        log_format: String,
    }
    /// Policy of the answers, keys, limits.
    RawAnswers {
        health_details: String,
        health_degraded_status: String,
        health_require_api_key: String,
        health_exclude: String,
        health_deadline: String,
        ready_requires: String,
        rate_limit_per_second: String,
        rate_limit_burst: String,
        rate_limit_exempt: String,
        trusted_proxies: String,
        api_keys: SecretString,
        api_keys_file: String,
    }
    /// Pace and thresholds.
    RawPace {
        check_interval: String,
        check_timeout: String,
        check_retry_interval: String,
        failure_threshold: String,
        success_threshold: String,
        runpod_check_interval: String,
        runpod_check_timeout: String,
        r2_check_interval: String,
        r2_check_timeout: String,
    }
    /// Where the checks call.
    RawUpstreams {
        api_health_url: String,
        runpod_endpoint_base_url: String,
        r2_endpoint_url: String,
        r2_jurisdiction: String,
        https_proxy: String,
        allow_insecure_upstreams: String,
    }
    /// RunPod's own.
    #[expect(clippy::struct_field_names, reason = "fields are named as variables are")]
    RawRunPod {
        runpod_api_key: SecretString,
        runpod_api_key_file: String,
        runpod_endpoint_id: String,
        runpod_backlog_limit: String,
    }
    /// R2's own.
    #[expect(clippy::struct_field_names, reason = "fields are named as variables are")]
    RawR2 {
        r2_account_id: String,
        r2_access_key_id: SecretString,
        r2_access_key_id_file: String,
        r2_secret_access_key: SecretString,
        r2_secret_access_key_file: String,
        r2_session_token: SecretString,
        r2_session_token_file: String,
        r2_bucket: String,
        r2_bucket_name: String,
    }
    /// The job room's.
    RawJobs {
        job_webhook_secret: SecretString,
        job_webhook_secret_file: String,
        runpod_webhook_token: SecretString,
        runpod_webhook_token_file: String,
        jobs_database_url: SecretString,
        jobs_database_url_file: String,
        job_webhook_max_age: String,
        jobs_retention: String,
        jobs_max_bytes: String,
        latency_slo: String,
        failure_rate_baseline: String,
        failure_rate_budget: String,
        signal_window: String,
        signal_min_samples: String,
        signals_affect_health: String,
    }
}

/// The structs of this file, from the same pairs; flat, because envy cannot nest.
pub(super) struct Raw {
    pub(super) server: RawServer,
    pub(super) answers: RawAnswers,
    pub(super) pace: RawPace,
    pub(super) upstreams: RawUpstreams,
    pub(super) runpod: RawRunPod,
    pub(super) r2: RawR2,
    pub(super) jobs: RawJobs,
}

impl Raw {
    pub(super) fn read(environment: &Environment) -> Self {
        Raw {
            server: from_pairs(environment),
            answers: from_pairs(environment),
            pace: from_pairs(environment),
            upstreams: from_pairs(environment),
            runpod: from_pairs(environment),
            r2: from_pairs(environment),
            jobs: from_pairs(environment),
        }
    }
}

fn from_pairs<T: for<'de> Deserialize<'de>>(environment: &Environment) -> T {
    match envy::from_iter(environment.pairs()) {
        Ok(raw) => raw,
        // Every field is an optional string and every name is unique. Not with the error: it has values.
        Err(_) => unreachable!("optional strings can always be read"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::variables;

    #[test]
    fn every_variable_has_a_field_and_every_field_a_variable() {
        let fields: BTreeSet<String> = fields().collect();
        // `Environment` has used ENV_FILE up before anything is parsed.
        let names: BTreeSet<String> = variables::names()
            .filter(|name| *name != "ENV_FILE")
            .map(str::to_owned)
            .collect();
        assert_eq!(fields, names);
    }
}
