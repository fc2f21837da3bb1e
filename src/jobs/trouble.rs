//! One line when the store begins to fail in some way, one a minute while it does, one when it works again.

use std::time::Duration;

use tokio::time::Instant;

use super::store::{Kind, StoreError};

const AGAIN: Duration = Duration::from_mins(1);

/// What was last told of the store.
#[derive(Debug, Default)]
pub(super) struct Trouble(Option<(Kind, Instant)>);

impl Trouble {
    /// The store could not do `what`.
    pub(super) fn failed(&mut self, what: &'static str, error: &StoreError, now: Instant) {
        let told = self
            .0
            .is_some_and(|(kind, at)| kind == error.kind && now - at < AGAIN);
        if !told {
            self.0 = Some((error.kind, now));
            let code = error.code.as_deref();
            tracing::warn!(what, kind = error.kind.as_str(), code, "job store fails");
        }
    }

    /// The store did what it was asked.
    pub(super) fn worked(&mut self) {
        if self.0.take().is_some() {
            tracing::info!("job store works again");
        }
    }
}
