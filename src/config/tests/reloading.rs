//! Secrets that change in their files.

use std::fs;
use std::time::Duration;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::{ACCESS_KEY, Loaded, SECRET, good_but, problems, resolve};
use crate::config::Setup;

/// A directory of secret files, all in use.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        let files = Files(tempfile::tempdir().unwrap());
        files.write("RUNPOD_API_KEY", "rpa_first\n");
        files.write("R2_ACCESS_KEY_ID", ACCESS_KEY);
        files.write("R2_SECRET_ACCESS_KEY", SECRET);
        files.write("R2_SESSION_TOKEN", "token-1");
        files.write("API_KEYS", "first-operator-key");
        files.write("JOB_WEBHOOK_SECRET", "first-webhook-secret");
        files.write("RUNPOD_WEBHOOK_TOKEN", &"a".repeat(32));
        files.write("JOBS_DATABASE_URL", "sqlite:///data/jobs.db");
        files
    }

    pub(super) fn write(&self, secret: &str, content: &str) {
        fs::write(self.0.path().join(secret), content).unwrap();
    }

    pub(super) fn load(&self) -> Loaded {
        let secrets = [
            "RUNPOD_API_KEY",
            "R2_ACCESS_KEY_ID",
            "R2_SECRET_ACCESS_KEY",
            "R2_SESSION_TOKEN",
            "API_KEYS",
        ];
        let mut pairs: Vec<(&'static str, String)> = good_but(&secrets.map(|name| (name, "")))
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        for variable in super::super::VARIABLES {
            let of_webhook = variable.name.contains("_WEBHOOK_");
            if let Some(file) = variable.file
                && (cfg!(feature = "jobs") || !of_webhook)
            {
                pairs.push((
                    file,
                    self.0
                        .path()
                        .join(variable.name)
                        .to_str()
                        .unwrap()
                        .to_owned(),
                ));
            }
        }
        resolve(pairs).unwrap()
    }
}

fn runpod_key(loaded: &Loaded) -> Option<String> {
    match &*loaded.live.runpod.get() {
        Setup::Ready(runpod) => Some(runpod.api_key.expose_secret().to_owned()),
        Setup::Missing(_) | Setup::Malformed(_) => None,
    }
}

fn r2_pair(loaded: &Loaded) -> (String, String) {
    let Setup::Ready(r2) = &*loaded.live.r2.get() else {
        panic!("not ready")
    };
    let token = r2.session_token.as_ref().unwrap();
    (
        r2.secret_access_key.expose_secret().to_owned(),
        token.expose_secret().to_owned(),
    )
}

#[test]
fn a_rotated_secret_is_in_use_after_the_next_reading() {
    let files = Files::new();
    let mut loaded = files.load();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_first");
    files.write("RUNPOD_API_KEY", "rpa_second\r\n");
    files.write("API_KEYS", "second-operator-key,third-operator-key");
    loaded.reloader.poll();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_second");
    assert_eq!(loaded.live.api_keys.get().digests.len(), 2);
    assert_eq!(loaded.reloader.reload_errors().count(), 0);
}

#[test]
fn nothing_is_published_while_nothing_changes() {
    let files = Files::new();
    let mut loaded = files.load();
    let before = loaded.live.r2.get();
    files.write("R2_SESSION_TOKEN", "token-1\n");
    loaded.reloader.poll();
    assert!(std::sync::Arc::ptr_eq(&before, &loaded.live.r2.get()));
}

#[test]
fn bad_content_keeps_the_last_good_value_and_counts() {
    let files = Files::new();
    let mut loaded = files.load();
    let errors = loaded.reloader.reload_errors();
    for bad in ["", "\n", "Bearer rpa_x", "two words"] {
        let before = errors.count();
        files.write("RUNPOD_API_KEY", bad);
        files.write("API_KEYS", bad);
        loaded.reloader.poll();
        loaded.reloader.poll();
        assert_eq!(errors.count(), before + 4, "{bad:?}");
        assert_eq!(runpod_key(&loaded).unwrap(), "rpa_first", "{bad:?}");
        assert_eq!(loaded.live.api_keys.get().digests.len(), 1, "{bad:?}");
    }
    fs::remove_file(files.0.path().join("RUNPOD_API_KEY")).unwrap();
    loaded.reloader.poll();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_first");
    files.write("RUNPOD_API_KEY", "rpa_second");
    files.write("API_KEYS", "first-operator-key");
    let before = errors.count();
    loaded.reloader.poll();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_second");
    assert_eq!(errors.count(), before);
}

#[test]
fn a_file_that_is_bad_at_start_is_taken_once_it_is_good() {
    let files = Files::new();
    files.write("RUNPOD_API_KEY", "");
    let mut loaded = files.load();
    assert_eq!(loaded.check_problems.len(), 1);
    files.write("RUNPOD_API_KEY", "a b");
    loaded.reloader.poll();
    let Setup::Malformed(problems) = &*loaded.live.runpod.get() else {
        panic!("ready")
    };
    assert!(
        problems[0].to_string().contains("white space"),
        "{problems:?}"
    );
    files.write("RUNPOD_API_KEY", "rpa_good");
    loaded.reloader.poll();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_good");
}

#[test]
fn a_bad_variable_next_to_a_good_file_is_no_reload_error() {
    let files = Files::new();
    let path = files
        .0
        .path()
        .join("RUNPOD_API_KEY")
        .to_str()
        .unwrap()
        .to_owned();
    let mut loaded = resolve([
        ("RUNPOD_API_KEY_FILE", path),
        ("RUNPOD_ENDPOINT_ID", "a b".to_owned()),
    ])
    .unwrap();
    files.write("RUNPOD_API_KEY", "rpa_other");
    loaded.reloader.poll();
    assert_eq!(loaded.reloader.reload_errors().count(), 0);
    assert_eq!(problems(&Ok(loaded)).len(), 1);
}

#[test]
fn r2_changes_as_one_generation() {
    let files = Files::new();
    let mut loaded = files.load();
    let other = SECRET.replace('0', "1");
    files.write("R2_SECRET_ACCESS_KEY", &other);
    files.write("R2_SESSION_TOKEN", "");
    loaded.reloader.poll();
    assert_eq!(r2_pair(&loaded), (SECRET.to_owned(), "token-1".to_owned()));
    files.write("R2_SESSION_TOKEN", "token-2");
    loaded.reloader.poll();
    assert_eq!(r2_pair(&loaded), (other, "token-2".to_owned()));
}

/// Kubernetes replaces a mounted secret by swapping a link to the directory of all of them.
#[cfg(unix)]
#[test]
fn a_swapped_directory_is_followed() {
    let files = Files::new();
    let old = files.0.path().join("..1");
    let new = files.0.path().join("..2");
    for (directory, key) in [(&old, "rpa_old"), (&new, "rpa_new")] {
        fs::create_dir(directory).unwrap();
        fs::write(directory.join("key"), key).unwrap();
    }
    let data = files.0.path().join("..data");
    std::os::unix::fs::symlink(&old, &data).unwrap();
    fs::remove_file(files.0.path().join("RUNPOD_API_KEY")).unwrap();
    std::os::unix::fs::symlink("..data/key", files.0.path().join("RUNPOD_API_KEY")).unwrap();
    let mut loaded = files.load();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_old");
    let next = files.0.path().join("..next");
    std::os::unix::fs::symlink(&new, &next).unwrap();
    fs::rename(&next, &data).unwrap();
    loaded.reloader.poll();
    assert_eq!(runpod_key(&loaded).unwrap(), "rpa_new");
}

#[tokio::test]
async fn the_task_reads_every_period() {
    let files = Files::new();
    let Loaded { live, reloader, .. } = files.load();
    let errors = reloader.reload_errors();
    let task = tokio::spawn(reloader.with_period(Duration::from_millis(5)).run());
    files.write("API_KEYS", "second-operator-key,third-operator-key");
    tokio::time::timeout(Duration::from_secs(10), async {
        while live.api_keys.get().digests.len() != 2 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the change is seen");
    files.write("API_KEYS", "short");
    tokio::time::timeout(Duration::from_secs(10), async {
        while errors.count() == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .expect("the error is counted");
    assert_eq!(live.api_keys.get().digests.len(), 2);
    task.abort();
}

/// What was logged so far.
#[derive(Clone, Default)]
struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_episode_is_one_warning_that_names_the_variable_alone() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    // With a single dispatcher tracing caches what the thread that logs first thinks of a call site, and
    // that may be another test without any.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, || {
        let files = Files::new();
        let mut loaded = files.load();
        for episode in ["rpa_after_the_first", "rpa_after_the_second"] {
            for bad in ["c4n4ry one", "c4n4ry one", "\"c4n4ry\"", ""] {
                files.write("RUNPOD_API_KEY", bad);
                loaded.reloader.poll();
            }
            files.write("RUNPOD_API_KEY", episode);
            loaded.reloader.poll();
        }
    });
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert_eq!(text.matches(" WARN ").count(), 2, "{text}");
    assert_eq!(
        text.matches("RUNPOD_API_KEY_FILE contains white space")
            .count(),
        2,
        "{text}"
    );
    assert!(!text.contains("c4n4ry") && !text.contains("rpa_"), "{text}");
}
