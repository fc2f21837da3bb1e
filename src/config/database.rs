//! `JOBS_DATABASE_URL`: where jobs are kept.

use percent_encoding::percent_decode_str;
use secrecy::ExposeSecret;

use super::checks::begins_with_name;
use super::generation::{Group, Resolved};
use super::job_types::Database;
use super::raw::RawJobs;
use super::secret_source::{Given, Source};
use super::values::{Fault, Parsed, parsed};
use super::{postgres_url, variables};

const VARIABLE: &str = "JOBS_DATABASE_URL";
const ACCEPTED: &str =
    "sqlite://relative/path, sqlite:///absolute/path or postgres://user:password@host/database";
const SQLITE: &str =
    "sqlite:// and the path of a file, other characters than letters and digits percent-encoded";

/// Where the URL comes from.
pub(super) struct DatabaseGroup {
    sources: [Source; 1],
    /// `ALLOW_INSECURE_UPSTREAMS`.
    insecure: bool,
}

impl DatabaseGroup {
    pub(super) fn new(raw: &RawJobs, insecure: bool) -> Self {
        let url = Source::new(
            VARIABLE,
            raw.jobs_database_url.as_ref(),
            raw.jobs_database_url_file.as_ref(),
        );
        DatabaseGroup {
            sources: [url],
            insecure,
        }
    }
}

impl Group for DatabaseGroup {
    type Value = Database;

    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn resolve(&self, given: &[Given]) -> Resolved<Database> {
        let blamed = given.first().map_or(VARIABLE, |given| given.blamed);
        let text = match given.first().map(|given| &given.text) {
            Some(Err(problem)) => return Resolved::refused(problem.clone()),
            Some(Ok(Some(text))) => text.expose_secret(),
            Some(Ok(None)) | None => variables::find(VARIABLE)
                .and_then(|variable| variable.default)
                .unwrap_or_default(),
        };
        match parsed(text, |text| database(text, self.insecure)) {
            Ok(database) => Resolved::good(database),
            Err(fault) => Resolved::refused(fault.of(blamed)),
        }
    }
}

fn database(text: &str, insecure: bool) -> Parsed<Database> {
    let fault = |wrong| Err(Fault::new(wrong, ACCEPTED));
    if begins_with_name(text, VARIABLE) {
        return fault("begins with its own name and =");
    }
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return fault("has quotes around it");
    }
    // The parser of URLs would drop some of them in silence.
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return fault("contains something other than visible ASCII");
    }
    if let Some(path) = text.strip_prefix("sqlite://") {
        return sqlite(path);
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        postgres_url::check(text, insecure)?;
        return Ok(Database::Postgres(text.into()));
    }
    fault("begins with none of sqlite://, postgres:// and postgresql://")
}

/// A file, and nothing else that SQLite takes a name for.
fn sqlite(encoded: &str) -> Parsed<Database> {
    let fault = |wrong| Err(Fault::new(wrong, SQLITE));
    if encoded.contains('?') {
        return fault("has parameters");
    }
    if encoded.contains('#') {
        return fault("has a fragment");
    }
    let Ok(path) = percent_decode_str(encoded).decode_utf8() else {
        return fault("has a path that is not UTF-8 once decoded");
    };
    if path.is_empty() {
        return fault("has no path");
    }
    if path == ":memory:" {
        return fault("is a database in memory, which no restart survives");
    }
    if path.starts_with("file:") {
        return fault("has file: after sqlite://");
    }
    if path.contains(char::is_control) {
        return fault("has a control character in its path");
    }
    if path.ends_with('/') {
        return fault("has the path of a folder");
    }
    Ok(Database::Sqlite(path.into_owned().into()))
}
