//! The switches by letter: a line of standard input each.

use std::io;
use std::sync::Arc;
use std::thread;

use infra_health::serve::{Shutdown, Stage};
use tokio::sync::mpsc;

use crate::day::Player;
use crate::faults;
use crate::printout;
use crate::upstreams::Upstreams;

/// The lines of standard input as they come. Ends with it: without a terminal there are none, and that
/// ends nothing else.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn lines() -> io::Result<mpsc::Receiver<String>> {
    let (sender, receiver) = mpsc::channel(8);
    // A read cannot be cancelled, so no runtime may wait for it.
    thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(move || {
            for line in io::stdin().lines() {
                let Ok(line) = line else { return };
                if sender.blocking_send(line).is_err() {
                    return;
                }
            }
        })?;
    Ok(receiver)
}

/// Obeys until the input ends.
pub(crate) async fn obey(
    mut lines: mpsc::Receiver<String>,
    upstreams: Arc<Upstreams>,
    player: Player,
    shutdown: Shutdown,
    introduction: String,
) {
    while let Some(line) = lines.recv().await {
        let answer = match line.trim() {
            "" => continue,
            "?" => introduction.clone(),
            "q" => {
                shutdown.advance(Stage::Closing);
                return;
            }
            "j" | "day" => player.start().unwrap_or_else(|why| why),
            word => switch(word, &upstreams),
        };
        printout::say(&answer);
    }
}

fn switch(word: &str, upstreams: &Upstreams) -> String {
    if word == "h" {
        return done(upstreams.switch_all_off(), printout::all_healthy());
    }
    let mut letters = word.chars();
    let fault = match (letters.next(), letters.next()) {
        (Some(letter), None) => faults::lettered(letter),
        _ => faults::named(word),
    };
    match fault {
        None => "no such letter; ? shows them\n".to_owned(),
        Some(fault) if upstreams.has(fault) => {
            done(upstreams.switch_off(fault), printout::switched_off(fault))
        }
        Some(fault) => done(upstreams.switch_on(fault), printout::switched_on(fault)),
    }
}

fn done(switched: io::Result<()>, line: String) -> String {
    match switched {
        Ok(()) => line,
        Err(error) => format!("not switched: {error}\n"),
    }
}
