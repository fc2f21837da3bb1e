//! What the environment says: the variables that are ours, and where each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::types::Problem;
use super::{file, spelling, variables};
use crate::detail::Detail;

/// The variables of this service as they are set, before anything is parsed.
///
/// Has no `Debug`: it holds secrets.
pub struct Environment {
    variables: BTreeMap<&'static str, String>,
    from_env_file: BTreeSet<&'static str>,
    /// What is wrong with `ENV_FILE` itself.
    pub(super) problems: Vec<Problem>,
    /// Likely misspellings.
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
            problems: Vec::new(),
            warnings: Vec::new(),
        };
        let mut foreign = BTreeSet::new();
        for (name, value) in pairs {
            environment.set(name, value, &mut foreign);
        }
        if let Some(path) = environment.get("ENV_FILE").map(str::to_owned) {
            match env_file(Path::new(&path)) {
                Ok(pairs) => environment.fill(pairs, &mut foreign),
                Err(problem) => environment.problems.push(problem),
            }
        }
        environment.warnings = foreign
            .iter()
            .filter_map(|name| spelling::warning(name))
            .collect();
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

    /// Name and value of every variable that is set.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (String, String)> {
        self.variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
    }
}

fn env_file(path: &Path) -> Result<Vec<(String, String)>, Problem> {
    let problem = |wrong| Problem {
        variable: "ENV_FILE",
        wrong,
        accepted: "the path of a readable file of NAME=value lines",
    };
    let text = file::read(path).map_err(|wrong| problem(Detail::new().text(wrong)))?;
    let mut pairs = Vec::new();
    for pair in dotenvy::from_read_iter(text.as_bytes()) {
        // The error holds the line, and the line may hold a secret.
        pairs.push(pair.map_err(|_| {
            problem(
                Detail::new()
                    .text("names a file with a line that is not NAME=value, after ")
                    .number(pairs.len())
                    .text(" good ones"),
            )
        })?);
    }
    Ok(pairs)
}
