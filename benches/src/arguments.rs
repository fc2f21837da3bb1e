//! What every benchmark of the binary can be told.

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::servers::build_service;

/// Common arguments.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// A few seconds, to see that it works; the figures mean nothing
    #[arg(long)]
    pub brief: bool,
    /// This binary of the service, instead of building one
    #[arg(long, value_name = "PATH")]
    pub service: Option<PathBuf>,
}

impl Common {
    /// The binary to measure; built now unless one is given.
    pub fn service(&self) -> io::Result<PathBuf> {
        match &self.service {
            Some(path) => path.canonicalize().map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("--service {}: {error}", path.display()),
                )
            }),
            None => build_service(),
        }
    }

    /// `brief` with `--brief`, else `full`.
    pub fn pick<T>(&self, full: T, brief: T) -> T {
        if self.brief { brief } else { full }
    }
}
