//! The real binary, in an environment that holds what is given and nothing else.

use std::ops::Deref;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::caller::{Caller, eventually};
use super::raw::DEADLINE;

fn command<V: AsRef<str>>(
    arguments: &[&str],
    pairs: impl IntoIterator<Item = (&'static str, V)>,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_infra-health"));
    command.args(arguments).env_clear().kill_on_drop(true);
    for (name, value) in pairs {
        command.env(name, value.as_ref());
    }
    command.stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a command that ends by itself.
pub(crate) async fn run<V: AsRef<str>>(
    arguments: &[&str],
    pairs: impl IntoIterator<Item = (&'static str, V)>,
) -> Ended {
    let output = timeout(DEADLINE, command(arguments, pairs).output());
    output
        .await
        .expect("the command did not end")
        .unwrap()
        .into()
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Ended {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// Its standard output, which must be JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }
}

type Lines = Arc<Mutex<Vec<String>>>;

/// `serve` as a process. Killed when dropped. Derefs to a client of its main listener.
pub(crate) struct Service {
    child: Child,
    caller: Caller,
    lines: Lines,
    reading: watch::Sender<bool>,
    readers: [JoinHandle<()>; 2],
}

impl Service {
    /// Starts with these variables and `PORT=0`; waits for the line that tells the address.
    pub(crate) async fn start<V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (&'static str, V)>,
        more: &[(&'static str, &str)],
    ) -> Service {
        let mut command = command(&["serve"], pairs);
        command.env("PORT", "0").envs(more.iter().copied());
        let mut child = command.spawn().unwrap();
        let lines = Lines::default();
        let (reading, told) = watch::channel(true);
        let stderr = child.stderr.take().unwrap();
        let readers = [
            tokio::spawn(read(
                child.stdout.take().unwrap(),
                Arc::clone(&lines),
                told.clone(),
            )),
            tokio::spawn(read(stderr, Arc::clone(&lines), told)),
        ];
        let mut address = None;
        eventually("the listening line", async || {
            address = lines
                .lock()
                .unwrap()
                .iter()
                .find_map(|line| address_in(line));
            address.is_some()
        })
        .await;
        Service {
            child,
            caller: Caller(address.unwrap().parse().unwrap()),
            lines,
            reading,
            readers,
        }
    }

    /// Everything that it has printed so far.
    pub(crate) fn output(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }

    /// Waits for a log line, as JSON.
    pub(crate) async fn logged(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        eventually("a log line", async || {
            let lines = self.lines.lock().unwrap();
            let mut parsed = lines
                .iter()
                .filter_map(|line| serde_json::from_str(line).ok());
            found = parsed.find(&wanted);
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("has ended").to_string();
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -s \"$0\" \"$1\"", name, &id]);
        assert!(kill.status().await.unwrap().success());
    }

    /// From now on its output is left in the pipe, which fills up.
    pub(crate) fn stop_reading(&self) {
        self.reading.send_replace(false);
    }

    /// Closes the pipe of its output.
    pub(crate) fn close_output(&self) {
        self.readers.iter().for_each(JoinHandle::abort);
    }

    /// Waits for the end; exit code and everything printed.
    pub(crate) async fn ended(mut self) -> (Option<i32>, String) {
        let status = timeout(DEADLINE, self.child.wait());
        let code = status.await.expect("does not end").unwrap().code();
        self.reading.send_replace(true);
        for reader in &mut self.readers {
            // One that was aborted has said what it has.
            let _ = reader.await;
        }
        (code, self.output())
    }
}

impl Deref for Service {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// The address in the line that tells of the main listener, in either format.
fn address_in(line: &str) -> Option<String> {
    if let Ok(line) = serde_json::from_str::<Value>(line) {
        let told = line["message"].as_str()?.starts_with("listening; ");
        return told.then(|| line["address"].as_str().map(str::to_owned))?;
    }
    let (_, rest) = line.split_once("listening; ")?;
    let (_, address) = rest.split_once("address=")?;
    Some(address.split(' ').next()?.to_owned())
}

async fn read(from: impl AsyncRead + Unpin, to: Lines, mut reading: watch::Receiver<bool>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        to.lock().unwrap().push(line);
        // The sender outlives the readers' need of it: a closed channel means reading to the end.
        let _ = reading.wait_for(|reading| *reading).await;
    }
}
