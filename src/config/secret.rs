//! Secrets that can change while the service runs.

use std::sync::Arc;

use tokio::sync::watch;

use super::job_types::{Database, JobWebhooks};
use super::types::{R2, RunPod, Setup};

/// A value that a mounted secret can replace at any time; read it once a run or once a request.
#[derive(Debug, Clone)]
pub struct Current<T>(watch::Receiver<Arc<T>>);

impl<T> Current<T> {
    /// A value and the end that replaces it.
    pub fn new(value: T) -> (watch::Sender<Arc<T>>, Self) {
        let (sender, receiver) = watch::channel(Arc::new(value));
        (sender, Current(receiver))
    }

    /// A value that never changes.
    pub fn fixed(value: T) -> Self {
        Self::new(value).1
    }

    /// The value now; [`Current::changed`] waits for one after it.
    pub fn latest(&mut self) -> Arc<T> {
        self.0.borrow_and_update().clone()
    }

    /// Returns once there is a value that [`Current::latest`] has not told; waits for ever where none can come.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The value now.
    pub fn get(&self) -> Arc<T> {
        self.0.borrow().clone()
    }
}

/// The operator keys of this service, as SHA-256 digests.
#[derive(Clone, Default)]
pub struct ApiKeys {
    /// One digest a configured key, in the order of `API_KEYS`.
    pub digests: Vec<[u8; 32]>,
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeys({})", self.digests.len())
    }
}

/// Everything that depends on secrets, each published as one generation.
#[derive(Debug, Clone)]
pub struct Live {
    /// RunPod's settings.
    pub runpod: Current<Setup<RunPod>>,
    /// R2's settings.
    pub r2: Current<Setup<R2>>,
    /// This service's keys; empty when `API_KEYS` is not set.
    pub api_keys: Current<ApiKeys>,
    /// What webhooks of jobs are checked against; empty lists when none is configured.
    pub job_webhooks: Current<JobWebhooks>,
    /// Where jobs are kept; of no use while no webhook is configured.
    pub job_database: Current<Database>,
}
