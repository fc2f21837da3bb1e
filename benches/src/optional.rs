//! Servers of other worlds, with packages that have to be downloaded: only when asked for.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cores::SERVER_CORE;
use crate::process::{Process, free_address};
use crate::servers::root;

/// node with terminus, installed with `npm ci` under `benches/target/node`.
pub fn install_node() -> io::Result<PathBuf> {
    let sources = root().join("benches/node");
    let directory = root().join("benches/target/node");
    fs::create_dir_all(&directory)?;
    for name in ["package.json", "package-lock.json", ".npmrc", "server.js"] {
        fs::copy(sources.join(name), directory.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args([
        "ci",
        "--silent",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]);
    run(npm.current_dir(&directory))?;
    Ok(directory)
}

/// Starts what [`install_node`] has installed.
pub fn node(directory: &Path) -> io::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new("node");
    command
        .arg(directory.join("server.js"))
        .arg(address.port().to_string());
    Process::start(command, address, &[SERVER_CORE])
}

/// FastAPI with uvicorn, installed with `pip` into `benches/target/fastapi`.
pub fn install_fastapi() -> io::Result<PathBuf> {
    let directory = root().join("benches/target/fastapi");
    run(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
    run(Command::new(directory.join("bin/pip"))
        .args(["install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(root().join("benches/fastapi/requirements.txt")))?;
    Ok(directory)
}

/// Starts what [`install_fastapi`] has installed.
pub fn fastapi(directory: &Path) -> io::Result<Process> {
    let address = free_address()?;
    let mut command = Command::new(directory.join("bin/python"));
    command
        .arg(root().join("benches/fastapi/server.py"))
        .arg(address.port().to_string());
    Process::start(command, address, &[SERVER_CORE])
}

fn run(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().display().to_string();
    let status = command.stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(io::Error::other(format!("{program}: {status}"))),
        Err(error) => Err(io::Error::new(error.kind(), format!("{program}: {error}"))),
    }
}
