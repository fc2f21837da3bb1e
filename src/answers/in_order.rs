//! JSON objects whose members stand in registration order.

use serde::{Serialize, Serializer};

/// One member a check, or a measurement of one.
pub(super) struct InOrder<K, T>(pub(super) Vec<(K, T)>);

impl<K: Serialize, T: Serialize> Serialize for InOrder<K, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
