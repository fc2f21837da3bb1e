//! What the environment says: the variables that are ours, and where each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::types::Problem;
use super::{env_file, spelling, variables};
use crate::detail::Detail;

/// The variables of this service as they are set, before anything is parsed.
///
/// Has no `Debug`: it holds secrets.
pub struct Environment {
    variables: BTreeMap<&'static str, String>,
    from_env_file: BTreeSet<&'static str>,
    /// Variables whose values no parser may see.
    hidden: BTreeSet<&'static str>,
    /// What is wrong with `ENV_FILE` itself.
    pub(super) problems: Vec<Problem>,
    /// Likely misspellings, and what is set and not looked at.
    pub(super) warnings: Vec<Detail>,
}

impl Environment {
    /// The environment of this process.
    ///
    /// A value that is not UTF-8 is kept with replacement characters, which no parser accepts.
    pub fn of_process() -> Self {
        Self::new(std::env::vars_os().filter_map(|(name, value)| {
            Some((
                name.into_string().ok()?,
                value.to_string_lossy().into_owned(),
            ))
        }))
    }

    /// Takes pairs of name and value, and the file that `ENV_FILE` among them names.
    ///
    /// Names are compared exactly and unknown ones are dropped, so nothing foreign reaches the parsers.
    /// A value that is empty counts as not set: Compose files pass variables that way.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut environment = Environment {
            variables: BTreeMap::new(),
            from_env_file: BTreeSet::new(),
            hidden: BTreeSet::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let mut foreign = BTreeSet::new();
        let mut no_proxy = false;
        for (name, value) in pairs {
            no_proxy |= name.eq_ignore_ascii_case("NO_PROXY") && !value.trim().is_empty();
            environment.set(name, value, &mut foreign);
        }
        if let Some(path) = environment.get("ENV_FILE").map(str::to_owned) {
            match env_file::read(Path::new(&path)) {
                Ok(pairs) => environment.fill(pairs, &mut foreign),
                Err(problem) => environment.problems.push(problem),
            }
        }
        environment.warnings = foreign
            .iter()
            .filter_map(|name| spelling::warning(name))
            .collect();
        if no_proxy && environment.get("HTTPS_PROXY").is_some() {
            environment.warnings.push(Detail::new().text(
                "NO_PROXY is not looked at: every https upstream is asked through HTTPS_PROXY",
            ));
        }
        environment
    }

    fn set(&mut self, name: String, value: String, foreign: &mut BTreeSet<String>) {
        let Some(known) = variables::names().find(|known| *known == name) else {
            foreign.insert(name);
            return;
        };
        // Secrets are taken literally: white space around one is a mistake to be told, not mended.
        let secret = variables::find(known).is_some_and(variables::Variable::secret);
        let value = if secret {
            value
        } else {
            value.trim().to_owned()
        };
        if !value.is_empty() {
            self.variables.insert(known, value);
        }
    }

    /// Adds what is not set yet.
    fn fill(&mut self, pairs: Vec<(String, String)>, foreign: &mut BTreeSet<String>) {
        let set: BTreeSet<_> = self.variables.keys().copied().collect();
        for (name, value) in pairs {
            if !set.contains(name.as_str()) {
                self.set(name, value, foreign);
            }
        }
        self.from_env_file = self
            .variables
            .keys()
            .copied()
            .filter(|name| !set.contains(name))
            .collect();
    }

    /// The value of a variable that is set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether the variable was set by `ENV_FILE`.
    pub(super) fn is_from_env_file(&self, name: &str) -> bool {
        self.from_env_file.contains(name)
    }

    /// Keeps the values of these variables from every parser.
    pub(super) fn hide(&mut self, variables: impl IntoIterator<Item = &'static str>) {
        self.hidden.extend(variables);
    }

    /// Name and value of every variable that is set and not hidden.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.variables
            .iter()
            .filter(|(name, _)| !self.hidden.contains(*name))
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
    }
}
