//! Secrets that are read, resolved and published as one generation.
//!
//! The same function resolves a group at start and later. What is good is published when its content
//! changed; what is not keeps the last good value in use.

use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use super::secret::Current;
use super::secret_source::{Given, Source};
use super::types::{Problem, Setup};

/// How often a set of files is read before a writer that is at work is left to finish.
const ATTEMPTS: usize = 3;

/// Secrets that belong together, and what they make.
pub(super) trait Group: Send + 'static {
    /// What is published.
    type Value: Send + Sync + 'static;
    /// Where the secrets come from, in a fixed order.
    fn sources(&self) -> &[Source];
    /// What was found at the sources, in their order, as a value.
    fn resolve(&self, given: &[Given]) -> Resolved<Self::Value>;
}

/// A value, and what is wrong with it.
pub(super) struct Resolved<T> {
    /// What to use as long as nothing better is known; `None` if nothing may be.
    pub(super) value: Option<T>,
    pub(super) problems: Vec<Problem>,
}

impl<T> Resolved<T> {
    pub(super) fn good(value: T) -> Self {
        Resolved {
            value: Some(value),
            problems: Vec::new(),
        }
    }

    pub(super) fn refused(problem: Problem) -> Self {
        Resolved {
            value: None,
            problems: vec![problem],
        }
    }
}

impl<T> Resolved<Setup<T>> {
    /// A check's setup says by itself what is wrong.
    pub(super) fn setup(setup: Setup<T>) -> Self {
        let problems = match &setup {
            Setup::Malformed(problems) => problems.clone(),
            Setup::Missing(_) | Setup::Ready(_) => Vec::new(),
        };
        Resolved {
            value: Some(setup),
            problems,
        }
    }
}

/// The first reading of a group.
pub(super) struct Opened<G: Group> {
    group: G,
    /// What was found.
    pub(super) given: Vec<Given>,
    /// What it makes.
    pub(super) resolved: Resolved<G::Value>,
}

/// A value in use, and what keeps it current.
pub(super) struct Published<T> {
    pub(super) current: Current<T>,
    /// `None` where no file is named.
    pub(super) watched: Option<Box<dyn Watched>>,
}

impl<G: Group> Opened<G> {
    pub(super) fn new(group: G) -> Self {
        let given = stable(group.sources()).unwrap_or_else(|| read(group.sources()));
        let resolved = group.resolve(&given);
        Opened {
            group,
            given,
            resolved,
        }
    }

    /// Publishes the value; `None` if there is none that may be used.
    pub(super) fn publish(self) -> Option<Published<G::Value>> {
        let failing = blames_file(&self.group, &self.resolved.problems);
        let (sender, current) = Current::new(self.resolved.value?);
        if self
            .group
            .sources()
            .iter()
            .all(|source| source.file_variable().is_none())
        {
            return Some(Published {
                current,
                watched: None,
            });
        }
        let seen = fingerprint(&self.given);
        let published = (!failing).then_some(seen);
        let watched = Watch {
            group: self.group,
            sender,
            seen,
            published,
            failing,
        };
        Some(Published {
            current,
            watched: Some(Box::new(watched)),
        })
    }
}

/// Whether a file is at fault, and not only a variable that cannot change.
fn blames_file(group: &impl Group, problems: &[Problem]) -> bool {
    problems.iter().any(|problem| {
        group
            .sources()
            .iter()
            .any(|source| source.file_variable() == Some(problem.variable))
    })
}

/// A group whose files are looked at again and again.
pub(super) trait Watched: Send {
    /// Looks once; `false` if what is there cannot be used.
    fn poll(&mut self) -> bool;
}

struct Watch<G: Group> {
    group: G,
    sender: watch::Sender<Arc<G::Value>>,
    /// The content at the last look.
    seen: [u8; 32],
    /// The content of the value in use; `None` until there was a good one.
    published: Option<[u8; 32]>,
    failing: bool,
}

impl<G: Group> Watched for Watch<G> {
    fn poll(&mut self) -> bool {
        // Still being written: the next look will find it whole.
        let Some(given) = stable(self.group.sources()) else {
            return true;
        };
        let found = fingerprint(&given);
        if found == self.seen {
            return !self.failing;
        }
        self.seen = found;
        let resolved = self.group.resolve(&given);
        if blames_file(&self.group, &resolved.problems) {
            self.refuse(resolved);
        } else if let Some(value) = resolved.value {
            self.accept(found, value);
        }
        !self.failing
    }
}

impl<G: Group> Watch<G> {
    fn accept(&mut self, found: [u8; 32], value: G::Value) {
        self.failing = false;
        if self.published == Some(found) {
            tracing::info!(variables = %self.files(), "secret files are good again");
            return;
        }
        self.published = Some(found);
        self.sender.send_replace(Arc::new(value));
        tracing::info!(variables = %self.files(), "secrets read again and in use");
    }

    fn refuse(&mut self, resolved: Resolved<G::Value>) {
        if !std::mem::replace(&mut self.failing, true) {
            for problem in &resolved.problems {
                tracing::warn!(%problem, "secret file cannot be used; the last good value stays in use");
            }
        }
        // There is no good value to keep: at least tell what is wrong now.
        if let (None, Some(value)) = (self.published, resolved.value) {
            self.sender.send_replace(Arc::new(value));
        }
    }

    fn files(&self) -> String {
        let files: Vec<_> = self
            .group
            .sources()
            .iter()
            .filter_map(Source::file_variable)
            .collect();
        files.join(", ")
    }
}

fn read(sources: &[Source]) -> Vec<Given> {
    sources.iter().map(Source::read).collect()
}

/// The secrets once two readings in a row agree, so that no set is half old and half new.
fn stable(sources: &[Source]) -> Option<Vec<Given>> {
    let mut last = fingerprint(&read(sources));
    for _ in 0..ATTEMPTS {
        let given = read(sources);
        let found = fingerprint(&given);
        if found == last {
            return Some(given);
        }
        last = found;
    }
    None
}

fn fingerprint(given: &[Given]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for one in given {
        one.fingerprint(&mut digest);
    }
    digest.finalize().into()
}
