//! What sqlx says went wrong, as a [`StoreError`]: by codes alone, never by text.

use std::io;

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::SqliteError;

use super::error::{Kind, StoreError};

impl StoreError {
    /// Without a code of the database.
    pub(in crate::jobs) const fn of(kind: Kind) -> Self {
        StoreError { kind, code: None }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => by_code(&*error),
            sqlx::Error::Io(error) => error.into(),
            sqlx::Error::Migrate(error) => (*error).into(),
            sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => StoreError::of(Kind::Unreachable),
            sqlx::Error::PoolTimedOut => StoreError::of(Kind::Timeout),
            // A row that this service did not write.
            sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } => {
                StoreError::of(Kind::Corrupt)
            }
            _ => StoreError::of(Kind::Other),
        }
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            MigrateError::ExecuteMigration(error, _) => {
                let mut error = StoreError::from(error);
                // The migration itself is at odds with what is there, a table of somebody else's for one.
                if error.kind == Kind::Other {
                    error.kind = Kind::Schema;
                }
                error
            }
            // Among them a migration that this version does not know.
            _ => StoreError::of(Kind::Schema),
        }
    }
}

impl From<io::Error> for StoreError {
    /// Names of the usual ones, as people search for them.
    fn from(error: io::Error) -> Self {
        let (kind, code) = match error.kind() {
            io::ErrorKind::NotFound => (Kind::Unreachable, Some("ENOENT")),
            io::ErrorKind::NotADirectory => (Kind::Unreachable, Some("ENOTDIR")),
            io::ErrorKind::IsADirectory => (Kind::Unreachable, Some("EISDIR")),
            io::ErrorKind::PermissionDenied => (Kind::Refused, Some("EACCES")),
            io::ErrorKind::ReadOnlyFilesystem => (Kind::ReadOnly, Some("EROFS")),
            io::ErrorKind::StorageFull => (Kind::Full, Some("ENOSPC")),
            io::ErrorKind::QuotaExceeded => (Kind::Full, Some("EDQUOT")),
            _ => (Kind::Unreachable, None),
        };
        StoreError {
            kind,
            code: code.map(str::to_owned),
        }
    }
}

fn by_code(error: &dyn DatabaseError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let kind = if error.try_downcast_ref::<SqliteError>().is_some() {
        code.parse().map_or(Kind::Other, of_sqlite)
    } else {
        of_postgres(&code)
    };
    let plain =
        !code.is_empty() && code.len() <= 8 && code.bytes().all(|c| c.is_ascii_alphanumeric());
    StoreError {
        kind,
        code: plain.then(|| code.into_owned()),
    }
}

/// By SQLite's extended result code, <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: i32) -> Kind {
    const IOERR_WRITE: i32 = 778;
    const IOERR_SHMSIZE: i32 = 4874;
    match (code & 0xff, code) {
        // A quota and a limit of file sizes are write errors to SQLite; only ENOSPC is FULL.
        (13, _) | (_, IOERR_WRITE | IOERR_SHMSIZE) => Kind::Full,
        (5 | 6, _) => Kind::Locked,
        (8, _) => Kind::ReadOnly,
        (11 | 26, _) => Kind::Corrupt,
        (14, _) => Kind::Unreachable,
        (3 | 23, _) => Kind::Refused,
        _ => Kind::Other,
    }
}

/// By SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str) -> Kind {
    match code {
        // Out of disk; out of memory and connections are other troubles.
        "53100" => Kind::Full,
        "25006" => Kind::ReadOnly,
        "55P03" | "40001" | "40P01" => Kind::Locked,
        "57014" | "25P03" => Kind::Timeout,
        "3D000" | "42501" => Kind::Refused,
        // Tables or columns that are not as this version made them.
        "42P01" | "42703" | "42P07" | "3F000" => Kind::Schema,
        "XX001" | "XX002" => Kind::Corrupt,
        "53300" => Kind::Unreachable,
        _ if code.starts_with("08") || code.starts_with("57P") => Kind::Unreachable,
        _ if code.starts_with("28") => Kind::Refused,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes_of_sqlite_have_their_kind() {
        let table = [
            (5, Kind::Locked),        // BUSY
            (261, Kind::Locked),      // BUSY_RECOVERY
            (517, Kind::Locked),      // BUSY_SNAPSHOT
            (262, Kind::Locked),      // LOCKED_SHAREDCACHE
            (8, Kind::ReadOnly),      // READONLY
            (1032, Kind::ReadOnly),   // READONLY_DBMOVED
            (10, Kind::Other),        // IOERR
            (266, Kind::Other),       // IOERR_READ
            (778, Kind::Full),        // IOERR_WRITE
            (4874, Kind::Full),       // IOERR_SHMSIZE
            (13, Kind::Full),         // FULL
            (11, Kind::Corrupt),      // CORRUPT
            (267, Kind::Corrupt),     // CORRUPT_VTAB
            (26, Kind::Corrupt),      // NOTADB
            (14, Kind::Unreachable),  // CANTOPEN
            (526, Kind::Unreachable), // CANTOPEN_ISDIR
            (3, Kind::Refused),       // PERM
            (1, Kind::Other),         // ERROR
            (2067, Kind::Other),      // CONSTRAINT_UNIQUE
        ];
        for (code, kind) in table {
            assert_eq!(of_sqlite(code), kind, "{code}");
        }
    }

    #[test]
    fn states_of_postgres_have_their_kind() {
        let table = [
            ("53100", Kind::Full),
            ("25006", Kind::ReadOnly),
            ("55P03", Kind::Locked),
            ("40001", Kind::Locked),
            ("40P01", Kind::Locked),
            ("57014", Kind::Timeout),
            ("28P01", Kind::Refused),
            ("28000", Kind::Refused),
            ("3D000", Kind::Refused),
            ("42501", Kind::Refused),
            ("57P01", Kind::Unreachable),
            ("57P02", Kind::Unreachable),
            ("57P03", Kind::Unreachable),
            ("08006", Kind::Unreachable),
            ("53300", Kind::Unreachable),
            ("42P01", Kind::Schema),
            ("XX001", Kind::Corrupt),
            ("53200", Kind::Other),
            ("23505", Kind::Other),
            ("", Kind::Other),
        ];
        for (code, kind) in table {
            assert_eq!(of_postgres(code), kind, "{code}");
        }
    }

    #[test]
    fn what_has_no_code_has_its_kind_and_no_text() {
        let password = || Box::<dyn std::error::Error + Send + Sync>::from("hunter2");
        let table = [
            (sqlx::Error::PoolTimedOut, Kind::Timeout),
            (sqlx::Error::PoolClosed, Kind::Unreachable),
            (sqlx::Error::WorkerCrashed, Kind::Unreachable),
            (sqlx::Error::Tls(password()), Kind::Unreachable),
            (
                sqlx::Error::Protocol("hunter2".to_owned()),
                Kind::Unreachable,
            ),
            (
                sqlx::Error::Io(io::Error::other(password())),
                Kind::Unreachable,
            ),
            (
                sqlx::Error::Io(io::ErrorKind::StorageFull.into()),
                Kind::Full,
            ),
            (sqlx::Error::Decode(password()), Kind::Corrupt),
            (sqlx::Error::Configuration(password()), Kind::Other),
            (
                sqlx::Error::from(MigrateError::VersionMissing(9)),
                Kind::Schema,
            ),
            (sqlx::Error::from(MigrateError::Dirty(1)), Kind::Schema),
        ];
        for (error, kind) in table {
            let error = StoreError::from(error);
            assert_eq!(error.kind, kind);
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}
