//! Some of the checks.

/// A set of checks by position, for what an answer leaves out of the count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CheckSet(u64);

impl CheckSet {
    /// The set without any.
    pub const EMPTY: CheckSet = CheckSet(0);

    /// Adds the check at `index`; the registry never holds more than 64.
    #[must_use]
    pub fn with(self, index: usize) -> Self {
        CheckSet(
            self.0
                | 1_u64
                    .checked_shl(u32::try_from(index).unwrap_or(64))
                    .unwrap_or(0),
        )
    }

    /// Both sets.
    #[must_use]
    pub fn union(self, other: CheckSet) -> Self {
        CheckSet(self.0 | other.0)
    }

    /// Whether the check at `index` is in it.
    pub fn contains(self, index: usize) -> bool {
        self.with(index) == self
    }

    /// How many are in it.
    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether none is in it.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
