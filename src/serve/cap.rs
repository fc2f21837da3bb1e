//! How many connections this process can afford.

/// The most connections unless more are asked for, however many descriptors there are.
pub(super) const MOST_CONNECTIONS: usize = 10_000;
/// Descriptors kept for everything that is not a client: upstreams, files, listeners.
const RESERVED_DESCRIPTORS: u64 = 128;
/// Of a large limit, more are kept: the process counts as out of descriptors when 5 % of them are left
/// (see [`crate::vitals::Descriptors`]), and connections alone must not bring it there.
const RESERVED_ABOVE_SHARE: u64 = 64;
/// Below this a service is not usable, so it is tried whatever the limit says.
const FEWEST_CONNECTIONS: usize = 16;

/// The number of connections to allow, after raising the soft descriptor limit to the hard one:
/// `configured`, else 10,000, but no more than that limit leaves room for beside `others`, the connections
/// of other listeners, and max(128, 5 % of it + 64) descriptors for everything else.
pub fn effective_cap(configured: Option<usize>, others: usize) -> usize {
    let limit = descriptor_limit();
    let most = room(limit, others);
    if let Some(configured) = configured.filter(|&configured| configured > most) {
        tracing::warn!(
            configured,
            limit,
            most,
            "MAX_CONNECTIONS is above what the descriptor limit allows, which holds"
        );
    }
    configured.unwrap_or(MOST_CONNECTIONS).min(most)
}

/// What each of `listeners` further listeners can have of `wanted` connections: together at most half of
/// the room for all.
pub fn second_cap(wanted: usize, listeners: usize) -> usize {
    wanted.min(room(descriptor_limit(), 0) / 2 / listeners.max(1))
}

/// The soft limit, raised to the hard one.
fn descriptor_limit() -> u64 {
    rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot raise the descriptor limit");
        1024
    })
}

fn room(descriptors: u64, others: usize) -> usize {
    let reserved = RESERVED_DESCRIPTORS.max(descriptors / 20 + RESERVED_ABOVE_SHARE);
    usize::try_from(descriptors.saturating_sub(reserved))
        .unwrap_or(usize::MAX)
        .saturating_sub(others)
        .max(FEWEST_CONNECTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vitals::Descriptors;

    #[test]
    fn room_leaves_descriptors_for_the_rest() {
        assert_eq!(room(1024, 0), 896);
        assert_eq!(room(1024, 256), 640);
        assert_eq!(room(4096, 0), 4096 - 204 - 64);
        assert_eq!(room(64, 0), 16);
        assert_eq!(room(u64::MAX, 256), usize::MAX - usize::MAX / 20 - 64 - 256);
    }

    #[test]
    fn a_full_house_is_not_out_of_descriptors() {
        for limit in 512..20_000 {
            for others in [0, 256, 320] {
                let connections = room(limit.into(), others).min(MOST_CONNECTIONS) + others;
                let open = u32::try_from(connections).unwrap() + 64;
                let descriptors = Descriptors { open, limit };
                assert!(!descriptors.are_exhausted(), "{descriptors:?}");
            }
        }
    }

    #[test]
    fn further_listeners_leave_half_of_the_room_to_the_first() {
        let room = room(descriptor_limit(), 0);
        for listeners in 1..=2 {
            let further = second_cap(usize::MAX, listeners) * listeners;
            assert!((room / 2 - 1..=room / 2).contains(&further), "{further}");
            assert_eq!(second_cap(8, listeners), 8);
        }
    }

    #[test]
    fn what_is_configured_is_a_wish() {
        assert_eq!(effective_cap(Some(20), 0), 20);
        assert!(effective_cap(Some(usize::MAX), 0) < usize::MAX);
        assert!(effective_cap(None, 0) <= MOST_CONNECTIONS);
    }
}
