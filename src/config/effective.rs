//! What holds for each variable and where it came from, for `infra-health config`.

use std::fmt;

use secrecy::ExposeSecret;

use super::environment::Environment;
use super::exposed;
use super::pace::Pace;
use super::secret_source::Given;
use super::types::Problem;
use super::values::shown;
use super::variables::{VARIABLES, Variable};

/// One variable as it holds, fit to be shown: no secret, and nothing of a malformed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveValue {
    /// The variable's name.
    pub variable: &'static str,
    /// The value; for a secret how long it is.
    pub value: String,
    /// Where it came from.
    pub source: Origin,
}

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nothing set it.
    Default,
    /// The environment of the process.
    Environment,
    /// The file that `ENV_FILE` names.
    EnvFile,
    /// The file that this variable names.
    File(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Environment => f.write_str("environment"),
            Origin::EnvFile => f.write_str("ENV_FILE"),
            Origin::File(variable) => write!(f, "file of {variable}"),
        }
    }
}

/// Every variable, in the order of [`VARIABLES`].
pub(super) fn table(
    environment: &Environment,
    problems: &[Problem],
    given: &[&Given],
    pace: Option<&Pace>,
) -> Vec<EffectiveValue> {
    VARIABLES
        .iter()
        .map(|variable| {
            let source = origin(variable, environment);
            let blamed = problems.iter().any(|problem| {
                problem.variable == variable.name || Some(problem.variable) == variable.file
            });
            let value = if source != Origin::Default && blamed {
                "malformed".to_owned()
            } else if variable.secret() {
                length(variable, given)
            } else {
                environment
                    .get(variable.name)
                    .map(|value| exposed::shown(variable.name, value).into_owned())
                    .or_else(|| derived(variable, pace))
                    .or_else(|| variable.default.map(str::to_owned))
                    .unwrap_or_else(|| "not set".to_owned())
            };
            EffectiveValue {
                variable: variable.name,
                value,
                source,
            }
        })
        .collect()
}

fn origin(variable: &Variable, environment: &Environment) -> Origin {
    let file = variable.file.filter(|file| environment.get(file).is_some());
    match file {
        Some(file) => Origin::File(file),
        None if environment.get(variable.name).is_none() => Origin::Default,
        None if environment.is_from_env_file(variable.name) => Origin::EnvFile,
        None => Origin::Environment,
    }
}

fn length(variable: &Variable, given: &[&Given]) -> String {
    let secret = given.iter().find(|given| given.name == variable.name);
    match secret.map(|given| &given.text) {
        Some(Ok(Some(text))) => format!("set, {} characters", text.expose_secret().chars().count()),
        Some(Err(_)) => "malformed".to_owned(),
        Some(Ok(None)) | None => variable.default.unwrap_or("not set").to_owned(),
    }
}

/// Pace that follows another variable.
fn derived(variable: &Variable, pace: Option<&Pace>) -> Option<String> {
    let pace = pace?;
    let duration = match variable.name {
        "CHECK_TIMEOUT" => pace.general.timeout,
        "CHECK_RETRY_INTERVAL" => pace.general.retry_interval,
        "RUNPOD_CHECK_INTERVAL" => pace.runpod.interval,
        "RUNPOD_CHECK_TIMEOUT" => pace.runpod.timeout,
        "R2_CHECK_INTERVAL" => pace.r2.interval,
        "R2_CHECK_TIMEOUT" => pace.r2.timeout,
        _ => return None,
    };
    Some(shown(duration).to_string())
}
