//! `?wait=healthy`: holds an answer until it is a good one, so that `curl -f` in a deploy script works.

use std::sync::Arc;

use http::HeaderValue;
use tokio::time::{Instant, sleep_until};

use super::code::Code;
use super::error::{ApiError, Reply};
use super::shared::Shared;
use super::traffic::Limited;
use crate::answers::{NotReady, Options, Published, not_ready};
use crate::peer::Gone;

/// How many may wait at a time.
pub(super) const WAITERS: usize = 64;

impl Shared {
    /// Answers once the fold is healthy; at `deadline`, or once the client has gone, with 503 `degraded`
    /// whatever `HEALTH_DEGRADED_STATUS` says; at the begin of a drain with 503 `not_ready`.
    ///
    /// # Errors
    /// 429 when too many wait already.
    pub(super) async fn wait_healthy(
        &self,
        options: Options,
        deadline: Instant,
        gone: &Gone,
    ) -> Result<Reply, ApiError> {
        let _permit = self.waiters.try_acquire().map_err(|_| {
            self.traffic.limited(Limited::Waiters);
            too_many()
        })?;
        let options = Options {
            degraded_is_503: true,
            ..options
        };
        tokio::select! {
            biased;
            () = (self.facts.drain_begun)() => {
                Ok(Reply::new(not_ready(NotReady::Draining), Code::NotReady))
            }
            published = self.healthy(&options) => {
                Ok(self.health_of(&published, &options, Instant::now()))
            }
            () = either(sleep_until(deadline), gone.wait()) => {
                Ok(self.health_of(&self.published(), &options, Instant::now()))
            }
        }
    }

    /// The first publication that is healthy.
    async fn healthy(&self, options: &Options) -> Arc<Published> {
        let mut published = self.monitor.published.clone();
        let healthy = published.wait_for(|published| {
            let at = self.moment(Instant::now());
            published.snapshot.fold(options.excluded, at).healthy
        });
        if let Ok(published) = healthy.await {
            return Arc::clone(&published);
        }
        // The monitor has ended: nothing turns healthy any more.
        std::future::pending().await
    }
}

/// Until one of them has ended.
async fn either(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::select! {
        () = one => {}
        () = other => {}
    }
}

/// Most waits end long before their timeout, so a place is free again soon.
pub(super) fn too_many() -> ApiError {
    ApiError::rate_limited(
        "too many requests wait already",
        5,
        HeaderValue::from_static("\"waiters\";r=0;t=5"),
        HeaderValue::from_static("\"waiters\";q=64;qu=\"concurrent-requests\""),
    )
}
