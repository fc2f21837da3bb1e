//! The checks. A new one is a file here and one line in the list below; everything else, from the fold to
//! labels and documents, picks it up from there.

pub mod api;
pub mod client;
#[cfg(feature = "jobs")]
pub mod job_signals;
pub mod r2;
pub mod runpod;
pub mod setup;

use std::sync::Arc;

#[cfg(feature = "jobs")]
use tokio::sync::watch;

use crate::check::Check;
use crate::config::{Config, Live, Policy};
#[cfg(feature = "jobs")]
use crate::jobs::signals::board::Board;
use crate::registry::{Info, Refused, Registry};
use crate::vitals::Vitals;

use self::api::ApiCheck;
use self::client::Client;
#[cfg(feature = "jobs")]
use self::job_signals::JobSignalsCheck;
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
    /// What the job room knows of its signals, where there is one.
    #[cfg(feature = "jobs")]
    pub signals: Option<watch::Receiver<Arc<Board>>>,
}

/// Whether a check of a line is on, and whether it always is.
macro_rules! is_on {
    () => {
        true
    };
    ($when:expr) => {
        $when
    };
}
macro_rules! is_always_on {
    () => {
        true
    };
    ($when:expr) => {
        false
    };
}

/// One line a check: its type, its pace, how it is built (again after a panic); after `if`, when it is on at all.
macro_rules! checks {
    ($config:ident, $parts:ident; $($(#[$only:meta])* $check:ty, $policy:expr, $make:expr $(, if $when:expr)?;)*) => {
        /// The names of all that there can be, in the order in which answers show them.
        pub const NAMES: &[&str] = &[$($(#[$only])* <$check as Check>::NAME),*];

        /// What is known of the checks that are on, before they are built.
        pub fn infos($config: &Config) -> Vec<Info> {
            let mut infos = Vec::new();
            $($(#[$only])* if is_on!($($when)?) {
                infos.push(Info::of::<$check>($policy));
            })*
            infos
        }

        /// Those that are always on, without a configuration and at the default pace: for documents.
        pub fn unconfigured() -> Vec<Info> {
            let mut infos = Vec::new();
            $($(#[$only])* if is_always_on!($($when)?) {
                infos.push(Info::of::<$check>(Policy::default()));
            })*
            infos
        }

        /// Builds all checks that are on.
        ///
        /// # Errors
        /// When one cannot be registered.
        pub fn registry($config: &Config, $parts: &Parts) -> Result<Registry, Refused> {
            let mut registry = Registry::new();
            $($(#[$only])* if is_on!($($when)?) {
                let policy = $policy;
                let ($config, $parts) = ($config.clone(), $parts.clone());
                // Not every check needs both.
                let _ = (&$config, &$parts);
                registry.add::<$check>(policy, move || $make)?;
            })*
            Ok(registry)
        }
    };
}

checks! { config, parts;
    ApiCheck, config.policy, ApiCheck::new(parts.vitals.clone(), config.api_health_url.clone(), &parts.client);
    RunPodCheck, config.runpod_policy, RunPodCheck::new(parts.live.runpod.clone(), &parts.client);
    R2Check, config.r2_policy, R2Check::new(parts.live.r2.clone(), &parts.client);
    #[cfg(feature = "jobs")]
    JobSignalsCheck, config.policy, JobSignalsCheck::new(parts.signals.clone()), if config.jobs.signals.affect_health;
}

#[cfg(all(test, feature = "jobs"))]
mod tests {
    use super::*;

    #[test]
    fn the_signals_are_a_check_where_they_affect_health_only() {
        let mut config = crate::config::load([], NAMES).unwrap().config;
        let names = |infos: Vec<Info>| infos.iter().map(|info| info.name).collect::<Vec<_>>();
        let always = names(unconfigured());
        assert_eq!(names(infos(&config)), always);
        config.jobs.signals.affect_health = true;
        assert_eq!(names(infos(&config)), [&*always, &["job_signals"]].concat());
        assert_eq!(names(infos(&config)), NAMES);
    }
}
