//! All groups of secrets: opened at start, published together.

use reqwest::Url;

use super::api_keys::KeysGroup;
use super::database::DatabaseGroup;
use super::generation::Opened;
use super::job_webhooks::WebhooksGroup;
use super::pace::Pace;
use super::r2::{self, R2Group};
use super::reload::Reloader;
use super::runpod::{self, RunPodGroup};
use super::secret::Live;
use super::secret_source::Given;
use super::types::{Problem, RunPod, Setup};
use crate::detail::Detail;

/// The first reading of each group.
pub(super) struct Groups {
    pub(super) keys: Opened<KeysGroup>,
    pub(super) webhooks: Opened<WebhooksGroup>,
    pub(super) database: Opened<DatabaseGroup>,
    pub(super) runpod: Opened<RunPodGroup>,
    pub(super) r2: Opened<R2Group>,
}

impl Groups {
    /// What was found at the source of each secret.
    pub(super) fn given(&self) -> Vec<&Given> {
        [
            &self.keys.given,
            &self.webhooks.given,
            &self.database.given,
            &self.runpod.given,
            &self.r2.given,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Malformed values of checks, which stop nothing but their check.
    pub(super) fn check_problems(&self) -> Vec<Problem> {
        [&*self.runpod.resolved.problems, &*self.r2.resolved.problems].concat()
    }

    /// Whether values are missing, so that RunPod is not asked.
    pub(super) fn runpod_is_missing(&self) -> bool {
        matches!(self.runpod.resolved.value, Some(Setup::Missing(_)))
    }

    /// What may be right and is worth a word.
    pub(super) fn lints(&self, api_health_url: Option<&Url>, pace: Option<&Pace>) -> Vec<Detail> {
        let runpod = self.runpod.resolved.value.as_ref().and_then(Setup::ready);
        let r2 = self.r2.resolved.value.as_ref().and_then(Setup::ready);
        let mut warnings = Vec::new();
        warnings.extend(runpod.map(runpod::lints).unwrap_or_default());
        warnings.extend(r2.map(r2::lints).unwrap_or_default());
        let runpod = runpod.map(|runpod: &RunPod| &runpod.base_url);
        let hurried =
            pace.map(|pace| pace.hurried(api_health_url, runpod, r2.map(|r2| &r2.endpoint)));
        warnings.extend(hurried.unwrap_or_default());
        warnings
    }

    /// Everything in use, and what keeps it current; `None` if a service's own secret is malformed.
    pub(super) fn publish(self) -> Option<(Live, Reloader)> {
        let keys = self.keys.publish()?;
        let webhooks = self.webhooks.publish()?;
        let database = self.database.publish()?;
        let runpod = self.runpod.publish()?;
        let r2 = self.r2.publish()?;
        let live = Live {
            runpod: runpod.current,
            r2: r2.current,
            api_keys: keys.current,
            job_webhooks: webhooks.current,
            job_database: database.current,
        };
        let watched = [
            keys.watched,
            webhooks.watched,
            database.watched,
            runpod.watched,
            r2.watched,
        ];
        Some((live, Reloader::new(watched.into_iter().flatten().collect())))
    }
}
