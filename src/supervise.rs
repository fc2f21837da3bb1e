//! Tasks that must not end, known by name: a dead one must never go unnoticed.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// A group of tasks; dropping it ends them.
#[derive(Debug, Default)]
pub struct Supervised {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
}

impl Supervised {
    /// No task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task on the current runtime.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let id = self.tasks.spawn(task).id();
        self.names.insert(id, name);
    }

    /// The name of the first task that returns or panics; waits for ever while all run.
    pub async fn first_end(&mut self) -> &'static str {
        let id = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return std::future::pending().await,
        };
        self.names.get(&id).copied().unwrap_or("unnamed task")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_the_task_that_ends_or_panics() {
        for ends in [true, false] {
            let mut tasks = Supervised::new();
            tasks.spawn("lives", std::future::pending());
            tasks.spawn("dies", async move { assert!(ends, "scripted") });
            assert_eq!(tasks.first_end().await, "dies");
        }
    }
}
