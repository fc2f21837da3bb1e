//! A real Postgres of the test process's own, where one is installed: on a free port of 127.0.0.1, in a folder that goes
//! with it. It ends with the test process, however that ends.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection};

pub(crate) const PASSWORD: &str = "the-password-of-tests";
const START: Duration = Duration::from_mins(1);

/// Keeps the server until its input says otherwise or ends; the folder goes with the end alone.
const KEEPER: &str = r#"
"$@" </dev/null >"$0/log" 2>&1 &
server=$!
read -r word
kill -INT $server 2>/dev/null
wait $server
[ "$word" = stop ] || rm -rf "$0"
"#;

/// A server. Dropped, it ends.
pub(crate) struct Server {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    keeper: Mutex<Option<Child>>,
}

/// The server that tests share, each with a database of its own; `None`, said on stderr, where there is none installed.
pub(crate) fn shared() -> Option<&'static Server> {
    static SHARED: OnceLock<Option<Server>> = OnceLock::new();
    SHARED.get_or_init(Server::start).as_ref()
}

impl Server {
    /// Another server, to be stopped and started.
    pub(crate) fn start() -> Option<Server> {
        let Some(binaries) = binaries() else {
            // Not captured: whoever reads the log of CI must see it.
            let _ = std::io::stderr().write_all(b"SKIPPED: no Postgres is installed\n");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("infra-health-postgres-")
            .tempdir();
        let folder = folder.unwrap().keep();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut server = Server {
            binaries,
            folder,
            port,
            keeper: Mutex::new(None),
        };
        server.initialize();
        // Somebody else may take the port meanwhile.
        while !server.launch() {
            server.port = TcpListener::bind("127.0.0.1:0")
                .unwrap()
                .local_addr()
                .unwrap()
                .port();
        }
        Some(server)
    }

    fn initialize(&self) {
        if let Some((user, group)) = unprivileged() {
            std::os::unix::fs::chown(&self.folder, Some(user), Some(group)).unwrap();
        }
        let mut command = self.command("initdb");
        command.args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        command.arg("--username=tests").arg("-D").arg(self.data());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "initdb: {told}");
        // A password costs a moment of an unoptimized client's time, so only one user has to prove it.
        let users =
            "host all tests 127.0.0.1/32 trust\nhost all guarded 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.data().join("pg_hba.conf"), users).unwrap();
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts it; `false` if it ended at once.
    fn launch(&self) -> bool {
        let server = self.command("postgres");
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER]).arg(&self.folder);
        keeper.arg(server.get_program()).args(server.get_args());
        keeper.arg("-D").arg(self.data());
        keeper.args(["-p", &self.port.to_string(), "-k", "", "-h", "127.0.0.1"]);
        for setting in [
            "fsync=off",
            "full_page_writes=off",
            "shared_buffers=32MB",
            "max_connections=60",
        ] {
            keeper.args(["-c", setting]);
        }
        // Not the terminal's: the keeper ends the server, not a Ctrl-C that misses the rest.
        keeper.current_dir("/").process_group(0);
        keeper
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        *self.keeper.lock().unwrap() = Some(keeper.spawn().unwrap());
        let end = Instant::now() + START;
        loop {
            let state = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            if state.lines().any(|line| line.trim() == "ready") {
                return true;
            }
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            if log.contains("could not create any TCP/IP sockets") {
                self.stop();
                return false;
            }
            assert!(Instant::now() < end, "Postgres does not start: {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server, and every connection with it; the data stay.
    pub(crate) fn stop(&self) {
        let Some(mut keeper) = self.keeper.lock().unwrap().take() else {
            return;
        };
        keeper.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        keeper.wait().unwrap();
    }

    /// Starts it again on the same port.
    pub(crate) fn restart(&self) {
        assert!(self.launch(), "the port is taken");
    }

    /// The URL of a new, empty database.
    pub(crate) async fn database(&self) -> String {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.run(&format!("CREATE DATABASE {name}")).await;
        self.url("tests", PASSWORD, &name)
    }

    /// The URL of a user who must prove the password.
    pub(crate) async fn guarded(&self) -> String {
        let role = format!("CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
        self.run(&role).await;
        let url = self.database().await;
        url.replace("//tests:", "//guarded:")
    }

    /// Runs a statement as the server's owner.
    async fn run(&self, statement: &str) {
        let mut admin = connect(&self.url("tests", PASSWORD, "postgres")).await;
        let statement = AssertSqlSafe(statement.to_owned());
        admin.execute(statement).await.unwrap();
        admin.close().await.unwrap();
    }

    fn url(&self, user: &str, password: &str, database: &str) -> String {
        let port = self.port;
        format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
    }

    /// A program of the server's, as whom it may run.
    fn command(&self, program: &str) -> Command {
        let program = self.binaries.join(program);
        let mut command = match unprivileged() {
            None => Command::new(program),
            Some((user, group)) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={user}"))
                    .arg(format!("--regid={group}"));
                command.arg("--clear-groups").arg(program);
                command
            }
        };
        command.current_dir("/");
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut keeper) = self.keeper.lock().unwrap().take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A connection of the test's own.
pub(crate) async fn connect(url: &str) -> PgConnection {
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    options.connect().await.unwrap()
}

/// Debian has the server's programs in no PATH.
fn binaries() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    folders.sort();
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let has_both = |folder: &PathBuf| {
        let has = |program| Path::new(folder).join(program).is_file();
        has("initdb") && has("postgres")
    };
    folders.into_iter().rfind(has_both)
}

/// Postgres refuses to run as root: the user and group that it is to run as then.
fn unprivileged() -> Option<(u32, u32)> {
    let number = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id")
            .args(arguments)
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let mut text = String::new();
        output.stdout.as_slice().read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    };
    if number(&["-u"])? != 0 {
        return None;
    }
    let of = |user| Some((number(&["-u", user])?, number(&["-g", user])?));
    of("postgres").or_else(|| of("nobody"))
}
