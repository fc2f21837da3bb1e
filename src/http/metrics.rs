//! `/metrics`.

use tokio::time::Instant;

use super::code::Code;
use super::error::Reply;
use super::shared::Shared;
use crate::metrics::{Standing, page};

impl Shared {
    /// Everything as it is at `now`. Waits for nothing: while the first round is under way, that is what
    /// the page says.
    pub(super) fn metrics(&self, now: Instant) -> Reply {
        let published = self.published();
        let standing = Standing {
            snapshot: &published.snapshot,
            excluded: self.options.excluded,
            at: self.moment(now),
            heartbeat_age: self.monitor.heartbeat.age(now),
            ready: self.readiness(now).is_ok(),
        };
        let mut samples = Vec::with_capacity(512);
        standing.samples(&mut samples);
        self.traffic.samples(&mut samples);
        self.metrics.samples(&mut samples);
        Reply::new(page(&samples), Code::InternalError)
    }
}
