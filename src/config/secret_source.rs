//! Where a secret comes from: its variable, or the file that its `…_FILE` variable names.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::file;
use super::types::Problem;
use super::values::Fault;
use super::variables;

/// One secret's place, fixed at start; what stands there may change.
pub(super) struct Source {
    variable: &'static str,
    place: Place,
}

enum Place {
    Unset,
    Value(SecretString),
    File(PathBuf),
    /// The variable and its `…_FILE` are both set.
    Both,
}

/// What was found at a secret's place.
pub(super) struct Given {
    /// The secret's variable.
    pub(super) name: &'static str,
    /// The variable to blame: `X`, or `X_FILE` if a file is in use.
    pub(super) blamed: &'static str,
    /// The text, `None` if the secret is not set, or what is wrong with the place.
    pub(super) text: Result<Option<SecretString>, Problem>,
}

impl Source {
    pub(super) fn new(
        variable: &'static str,
        value: Option<&SecretString>,
        path: Option<&String>,
    ) -> Self {
        let place = match (value, path) {
            (None, None) => Place::Unset,
            (Some(value), None) => Place::Value(value.clone()),
            (None, Some(path)) => Place::File(path.into()),
            (Some(_), Some(_)) => Place::Both,
        };
        Source { variable, place }
    }

    /// The variable that names the file, if the secret is in a file.
    pub(super) fn file_variable(&self) -> Option<&'static str> {
        match self.place {
            Place::File(_) => variables::find(self.variable)?.file,
            _ => None,
        }
    }

    /// Reads the place. Blocks on a file.
    pub(super) fn read(&self) -> Given {
        let blamed = self.file_variable().unwrap_or(self.variable);
        let text = match &self.place {
            Place::Unset => Ok(None),
            Place::Value(value) => Ok(Some(value.clone())),
            Place::File(path) => from_file(path).map(Some).map_err(|wrong| {
                Fault::new(
                    wrong,
                    "the path of a readable file that holds the secret alone",
                )
                .of(blamed)
            }),
            Place::Both => Err(Fault::new(
                "and its form with _FILE at the end are both set",
                "one of the two",
            )
            .of(blamed)),
        };
        Given {
            name: self.variable,
            blamed,
            text,
        }
    }
}

impl Given {
    /// Adds what was found to a digest that tells two readings apart.
    pub(super) fn fingerprint(&self, digest: &mut Sha256) {
        match &self.text {
            Ok(None) => digest.update(b"-"),
            Ok(Some(text)) => {
                digest.update(b"=");
                digest.update(text.expose_secret().len().to_be_bytes());
                digest.update(text.expose_secret());
            }
            Err(problem) => {
                digest.update(b"!");
                digest.update(problem.to_string());
            }
        }
    }
}

/// Editors and `echo` end a file with a line break; one is dropped.
fn from_file(path: &std::path::Path) -> Result<SecretString, &'static str> {
    let text = SecretString::from(file::read(path)?);
    let exposed = text.expose_secret();
    let line = exposed.strip_suffix('\n').unwrap_or(exposed);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        Err("names an empty file")
    } else {
        Ok(SecretString::from(line))
    }
}
