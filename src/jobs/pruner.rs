//! The task that keeps the store within its bounds, in small steps, so that no delivery waits for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::counts::Counts;
use super::intake::{AHEAD, milliseconds};
use super::store::{Limits, Store};
use super::trouble::Trouble;
use crate::clock::Clock;
use crate::config::Jobs;

/// Between two looks.
const EVERY: Duration = Duration::from_mins(1);
/// Between two steps: the writer's turn.
const PAUSE: Duration = Duration::from_millis(50);

/// Prunes for ever.
pub(super) async fn prune(
    store: Store,
    settings: Jobs,
    clock: Clock,
    counts: Arc<Counts>,
) -> Infallible {
    let limits = Limits {
        retention: settings.retention,
        max_bytes: settings.max_bytes,
        // A replay that is older than this is refused for its timestamp.
        dedupe: settings.max_age + 2 * AHEAD,
    };
    let mut trouble = Trouble::default();
    let (mut bodies, mut events) = (0, 0);
    loop {
        match store.prune(&limits, milliseconds(clock.now().wall)).await {
            Ok(pruned) => {
                trouble.worked();
                (bodies, events) = (bodies + pruned.bodies, events + pruned.events);
                if pruned.more {
                    sleep(PAUSE).await;
                    continue;
                }
                if bodies + events > 0 {
                    tracing::info!(bodies, events, "job store pruned");
                    (bodies, events) = (0, 0);
                }
            }
            Err(error) => {
                counts.store_error(error.kind);
                trouble.failed("prune", &error, Instant::now());
            }
        }
        sleep(EVERY).await;
    }
}
