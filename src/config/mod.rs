//! Configuration: what the environment says, resolved in two stages.
//!
//! `raw` is exactly what envy reads: optional strings. [`Config`] is what the program needs: everything
//! in it is valid. Between them every problem is collected, not only the first.
//!
//! A malformed value of the service itself keeps it from starting; one of a check makes that check false
//! and stops nothing else ([`Setup`]).

mod api_keys;
mod checks;
mod database;
mod effective;
mod env_file;
mod environment;
mod exposed;
mod file;
mod generation;
mod groups;
pub mod job_types;
mod job_webhooks;
mod jobs;
mod pace;
mod postgres_url;
mod proxy;
mod r2;
mod r2_endpoint;
mod raw;
mod reload;
mod runpod;
pub mod secret;
mod secret_lists;
mod secret_source;
mod server;
mod service_manager;
mod signals;
mod spelling;
pub mod types;
mod upstreams;
mod urls;
mod values;
mod variables;

#[cfg(test)]
mod tests;

use std::fmt;

pub use effective::{EffectiveValue, Origin};
pub use environment::Environment;
pub use job_types::{Database, JOB_SIGNALS, JobWebhooks, Jobs, Signals};
pub use proxy::ProxyUrl;
pub use reload::{ReloadErrors, Reloader};
pub use service_manager::ServiceManager;
pub use types::*;
pub use variables::{VARIABLES, Variable};

pub(crate) use r2_endpoint::is_cloudflare;

use crate::detail::Detail;
use api_keys::KeysGroup;
use database::DatabaseGroup;
use generation::Opened;
use groups::Groups;
use job_webhooks::WebhooksGroup;
use pace::Pace;
use r2::R2Group;
use raw::Raw;
use runpod::RunPodGroup;
pub use secret::{ApiKeys, Current, Live};
use secret_source::Source;
use upstreams::Upstreams;
use values::{Fault, Reader};

/// A configuration with which the service can start.
#[derive(Debug)]
pub struct Loaded {
    /// What does not change while the service runs.
    pub config: Config,
    /// What depends on secrets.
    pub live: Live,
    /// Keeps `live` current; to be run as a task.
    pub reloader: Reloader,
    /// Malformed values of checks, none merely missing: `config` and `doctor` exit 2 for them.
    pub check_problems: Vec<Problem>,
    /// Every variable as it holds.
    pub effective: Vec<EffectiveValue>,
}

/// Why the service cannot start: everything that is wrong, the checks' values included.
#[derive(Debug, Clone)]
pub struct Problems {
    /// At least one.
    pub problems: Vec<Problem>,
    /// Likely misspellings, which may be the cause.
    pub warnings: Vec<Detail>,
    /// Every variable as far as it is known.
    pub effective: Vec<EffectiveValue>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noun = if self.problems.len() == 1 {
            "problem"
        } else {
            "problems"
        };
        write!(f, "the configuration has {} {noun}:", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Resolves pairs of name and value; `known_checks` are the names of all checks there can be.
///
/// Never looks at the process environment ([`Environment::of_process`] does), but reads the files that
/// `ENV_FILE` and the `…_FILE` variables name.
pub fn load(
    pairs: impl IntoIterator<Item = (String, String)>,
    known_checks: &[&'static str],
) -> Result<Loaded, Problems> {
    Environment::new(pairs).load(known_checks)
}

impl Environment {
    /// Resolves this environment; see [`load`].
    pub fn load(mut self, known_checks: &[&'static str]) -> Result<Loaded, Problems> {
        let mut exposed = exposed::problems(&self);
        self.hide(exposed.iter().map(|problem| problem.variable));
        let mut of_check = |shown: &[&str]| -> Vec<Problem> {
            exposed
                .extract_if(.., |problem| shown.contains(&problem.variable))
                .collect()
        };
        let (of_runpod, of_r2) = (of_check(runpod::SHOWN), of_check(r2::SHOWN));
        let raw = Raw::read(&self);
        let mut reader = Reader {
            problems: [std::mem::take(&mut self.problems), exposed].concat(),
        };
        let keys = Opened::new(KeysGroup([Source::new(
            "API_KEYS",
            raw.answers.api_keys.as_ref(),
            raw.answers.api_keys_file.as_ref(),
        )]));
        let webhooks = Opened::new(WebhooksGroup::new(&raw.jobs));
        for problems in [&keys.resolved.problems, &webhooks.resolved.problems] {
            reader.problems.extend(problems.iter().cloned());
        }
        let service = Service::read(&raw, &webhooks, known_checks, &mut reader);
        let upstreams = upstreams::upstreams(&raw.upstreams, &mut reader);
        if service.as_ref().is_some_and(|s| s.answers.require_api_key) && !has_keys(&keys) {
            reader.note(
                Fault::new(
                    "is true while API_KEYS is not set",
                    "true together with API_KEYS",
                )
                .of("HEALTH_REQUIRE_API_KEY"),
            );
        }
        let database = Opened::new(DatabaseGroup::new(&raw.jobs, upstreams.insecure));
        reader
            .problems
            .extend(database.resolved.problems.iter().cloned());
        let Upstreams {
            api_health_url,
            https_proxy,
            ..
        } = upstreams;
        let groups = Groups {
            keys,
            webhooks,
            database,
            runpod: Opened::new(RunPodGroup::new(
                raw.runpod,
                upstreams.runpod_base_url,
                of_runpod,
            )),
            r2: Opened::new(R2Group::new(
                raw.r2,
                upstreams.r2_endpoint,
                upstreams.r2_jurisdiction,
                of_r2,
            )),
        };

        let check_problems = groups.check_problems();
        let all = [&*reader.problems, &*check_problems].concat();
        let pace = service.as_ref().map(|service| &service.pace);
        let effective = effective::table(&self, &all, &groups.given(), pace);
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(groups.lints(api_health_url.as_ref(), pace));
        if let Some(service) = &service {
            let missing = groups.runpod_is_missing();
            warnings.extend(jobs::lints(&raw.jobs, &service.jobs, missing));
        }

        let failed = |warnings| Problems {
            problems: all.clone(),
            warnings,
            effective: effective.clone(),
        };
        if !reader.problems.is_empty() {
            return Err(failed(warnings));
        }
        match (service, groups.publish()) {
            (Some(service), Some((live, reloader))) => Ok(Loaded {
                config: Config {
                    api_health_url,
                    https_proxy,
                    ..service.into_config(warnings)
                },
                live,
                reloader,
                check_problems,
                effective,
            }),
            _ => Err(failed(warnings)),
        }
    }
}

fn has_keys(keys: &Opened<KeysGroup>) -> bool {
    // Malformed keys are a problem of their own.
    keys.resolved
        .value
        .as_ref()
        .is_none_or(|keys| !keys.digests.is_empty())
}

/// The service's own values.
struct Service {
    server: Server,
    log: Log,
    answers: Answers,
    limits: Limits,
    pace: Pace,
    jobs: Jobs,
}

impl Service {
    /// Reads every part before any is missed, so that all problems are found.
    fn read(
        raw: &Raw,
        webhooks: &Opened<WebhooksGroup>,
        known_checks: &[&'static str],
        reader: &mut Reader,
    ) -> Option<Self> {
        let server = server::server(&raw.server, reader);
        let log = server::log(&raw.server, reader);
        let affect_health = signals::affect_health(&raw.jobs, reader);
        if !cfg!(feature = "jobs") {
            let unbuilt = jobs::unbuilt(&webhooks.given, affect_health);
            reader.problems.extend(unbuilt);
        }
        let checks = checks_there_are(known_checks, affect_health);
        let answers = server::answers(&raw.answers, &checks, reader);
        let limits = server::limits(&raw.answers, reader);
        let pace = pace::pace(&raw.pace, reader);
        let webhooks = webhooks.resolved.value.as_ref();
        let jobs = jobs::jobs(&raw.jobs, affect_health, webhooks, reader);
        Some(Service {
            server: server?,
            log: log?,
            answers: answers?,
            limits: limits?,
            pace: pace?,
            jobs: jobs?,
        })
    }

    fn into_config(self, mut warnings: Vec<Detail>) -> Config {
        warnings.extend(self.pace.warnings);
        if !self.answers.ready_requires.is_empty() {
            warnings.push(
                Detail::new()
                    .text("READY_REQUIRES is set: one upstream can then take out every replica"),
            );
        }
        Config {
            server: self.server,
            answers: self.answers,
            limits: self.limits,
            log: self.log,
            policy: self.pace.general,
            runpod_policy: self.pace.runpod,
            r2_policy: self.pace.r2,
            jobs: self.jobs,
            api_health_url: None,
            https_proxy: None,
            warnings,
        }
    }
}

/// Without the check that `SIGNALS_AFFECT_HEALTH` adds, unless it is added; a malformed switch is told by
/// itself, not by what follows from it.
fn checks_there_are(known: &[&'static str], affect_health: Option<bool>) -> Vec<&'static str> {
    let there = |name: &&&str| **name != JOB_SIGNALS || affect_health != Some(false);
    known.iter().filter(there).copied().collect()
}
