//! The checks. A new one is a file here and one line in the list below; everything else, from the fold to
//! labels and documents, picks it up from there.

pub mod api;
pub mod client;
pub mod r2;
pub mod runpod;
pub mod setup;

use std::sync::Arc;

use crate::check::Check;
use crate::config::{Config, Live, Policy};
use crate::registry::{Info, Refused, Registry};
use crate::vitals::Vitals;

use self::api::ApiCheck;
use self::client::Client;
use self::r2::R2Check;
use self::runpod::RunPodCheck;

/// What checks are built from.
#[derive(Clone)]
pub struct Parts {
    /// The settings that follow mounted secrets.
    pub live: Live,
    /// What the process knows of itself.
    pub vitals: Arc<Vitals>,
    /// The one outgoing client.
    pub client: Client,
}

/// One line a check: its type, its pace, how it is built (again after a panic).
macro_rules! checks {
    ($config:ident, $parts:ident; $($check:ty, $policy:expr, $make:expr;)*) => {
        /// The names, in the order in which answers show them.
        pub const NAMES: &[&str] = &[$(<$check as Check>::NAME),*];

        /// What is known of the checks before they are built.
        pub fn infos($config: &Config) -> Vec<Info> {
            vec![$(Info::of::<$check>($policy)),*]
        }

        /// The same without a configuration, at the default pace: for documents.
        pub fn unconfigured() -> Vec<Info> {
            vec![$(Info::of::<$check>(Policy::default())),*]
        }

        /// Builds all checks.
        ///
        /// # Errors
        /// When one cannot be registered.
        pub fn registry(config: &Config, parts: &Parts) -> Result<Registry, Refused> {
            let mut registry = Registry::new();
            $({
                let ($config, $parts) = (config.clone(), parts.clone());
                // Not every check needs both.
                let _ = (&$config, &$parts);
                registry.add::<$check>($policy, move || $make)?;
            })*
            Ok(registry)
        }
    };
}

checks! { config, parts;
    ApiCheck, config.policy, ApiCheck::new(parts.vitals.clone(), config.api_health_url.clone(), &parts.client);
    RunPodCheck, config.runpod_policy, RunPodCheck::new(parts.live.runpod.clone(), &parts.client);
    R2Check, config.r2_policy, R2Check::new(parts.live.r2.clone(), &parts.client);
}
