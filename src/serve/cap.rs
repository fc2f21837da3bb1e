//! How many connections this process can afford.

/// The most connections, however many descriptors there are.
pub(super) const MOST_CONNECTIONS: usize = 10_000;
/// Descriptors kept for everything that is not a client: upstreams, files, other listeners.
const RESERVED_DESCRIPTORS: u64 = 128;
/// Below this a service is not usable, so it is tried whatever the limit says.
const FEWEST_CONNECTIONS: usize = 16;

/// The number of connections to allow, after raising the soft descriptor limit to the hard one:
/// `configured`, else that limit minus 128, at most 10,000.
pub fn effective_cap(configured: Option<usize>) -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot raise the descriptor limit");
        1024
    });
    let fits = cap_for(limit);
    if let Some(configured) = configured
        && configured as u64 > limit.saturating_sub(RESERVED_DESCRIPTORS)
    {
        tracing::warn!(
            configured,
            limit,
            "MAX_CONNECTIONS is above what the descriptor limit allows"
        );
    }
    configured.unwrap_or(fits)
}

fn cap_for(descriptors: u64) -> usize {
    usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS))
        .unwrap_or(usize::MAX)
        .clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cap_leaves_descriptors_for_the_rest() {
        assert_eq!(cap_for(1024), 896);
        assert_eq!(cap_for(1_048_576), 10_000);
        assert_eq!(cap_for(u64::MAX), 10_000);
        assert_eq!(cap_for(64), 16);
    }
}
