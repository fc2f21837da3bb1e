//! What every benchmark of the binary can be told.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::servers::{build_bare, build_service};

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
        given("--service", self.service.as_deref()).unwrap_or_else(build_service)
    }

    /// `brief` with `--brief`, else `full`.
    pub fn pick<T>(&self, full: T, brief: T) -> T {
        if self.brief { brief } else { full }
    }
}

/// Arguments of those that compare with bare hyper.
#[derive(Debug, Clone, Args)]
pub struct Yardstick {
    /// This binary of bare hyper, instead of building one
    #[arg(long, value_name = "PATH")]
    bare: Option<PathBuf>,
}

impl Yardstick {
    /// The binary; built now unless one is given.
    pub fn binary(&self) -> io::Result<PathBuf> {
        given("--bare", self.bare.as_deref()).unwrap_or_else(build_bare)
    }
}

/// A file that an option names.
fn given(option: &str, path: Option<&Path>) -> Option<io::Result<PathBuf>> {
    let path = path?;
    Some(path.canonicalize().map_err(|error| {
        let why = format!(
            "{option} {}: {error}; accepted: an executable file",
            path.display()
        );
        io::Error::new(error.kind(), why)
    }))
}
