//! Small files that the configuration names: secrets and `ENV_FILE`.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Longest file that is read, in bytes.
const LIMIT: u64 = 64 * 1024;

/// The text of a regular file (or of what a symbolic link leads to), or what is wrong with it.
///
/// Kubernetes mounts secrets as links into a directory that is swapped as a whole; links are followed.
pub(super) fn read(path: &Path) -> Result<String, &'static str> {
    // Looked at before it is opened: opening a pipe would wait for its writer.
    let metadata = fs::metadata(path).map_err(|error| failure(error.kind()))?;
    if !metadata.is_file() {
        return Err("names something that is not a regular file");
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|error| failure(error.kind()))?;
    if bytes.len() as u64 > LIMIT {
        return Err("names a file of more than 64 KiB");
    }
    String::from_utf8(bytes).map_err(|_| "names a file that is not UTF-8 text")
}

fn failure(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "names a file that does not exist",
        ErrorKind::PermissionDenied => "names a file that this process may not read",
        _ => "names a file that cannot be read",
    }
}
