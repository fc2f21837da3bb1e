//! What can be wrong with the store, told without a word of the database: that may hold what was stored, or where.

use std::fmt;

/// What kind of trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No connection, or a lost one.
    Unreachable,
    /// User, password or database are refused.
    Refused,
    /// Somebody else holds a lock for too long.
    Locked,
    /// No space left.
    Full,
    /// It can be read only.
    ReadOnly,
    /// The file is no database, or a damaged one.
    Corrupt,
    /// A migration failed, or the database is of a newer version of this service.
    Schema,
    /// No answer in time.
    Timeout,
    /// Anything else.
    Other,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 9] = [
        Kind::Unreachable,
        Kind::Refused,
        Kind::Locked,
        Kind::Full,
        Kind::ReadOnly,
        Kind::Corrupt,
        Kind::Schema,
        Kind::Timeout,
        Kind::Other,
    ];

    /// Whether the store has to be opened anew; the others may pass by themselves.
    pub const fn is_lasting(self) -> bool {
        matches!(
            self,
            Kind::Unreachable | Kind::Refused | Kind::ReadOnly | Kind::Corrupt | Kind::Schema
        )
    }

    /// Whether opening it anew may help, should this happen again and again.
    pub const fn may_last(self) -> bool {
        matches!(self, Kind::Timeout | Kind::Other)
    }

    /// As logs and metrics name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Unreachable => "unreachable",
            Kind::Refused => "refused",
            Kind::Locked => "locked",
            Kind::Full => "full",
            Kind::ReadOnly => "read_only",
            Kind::Corrupt => "corrupt",
            Kind::Schema => "schema",
            Kind::Timeout => "timeout",
            Kind::Other => "other",
        }
    }
}

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreError {
    /// What kind of trouble.
    pub kind: Kind,
    /// The database's own code (`SQLITE_FULL` 13, `53100`), letters and digits only.
    pub code: Option<String>,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        match &self.code {
            Some(code) => write!(f, " ({code})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for StoreError {}
