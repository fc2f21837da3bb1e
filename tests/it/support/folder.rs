//! Folders that go with the test.

use tempfile::TempDir;

/// In memory where there is such a place: what is flushed there is flushed at once, however busy the machine's disk is.
pub(crate) fn in_memory() -> TempDir {
    TempDir::new_in("/dev/shm")
        .or_else(|_| TempDir::new())
        .unwrap()
}
