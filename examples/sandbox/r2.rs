//! R2's stand-in: a real S3 server. Its faults are what an operator does to tokens and buckets, not
//! answers made by hand.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::faults::R2Fault;
use crate::s3::{Manner, S3Server, Token};

pub(crate) const BUCKET: &str = "renders";
/// 32 characters, as R2's.
pub(crate) const ACCESS_KEY_ID: &str = "5a4db0c5a4db0c5a4db0c5a4db0c5a4d";
/// 64 hex digits, as R2's; good for this server only.
pub(crate) const SECRET_ACCESS_KEY: &str =
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// The warning begins at five minutes.
const DATE_AHEAD: Duration = Duration::from_mins(10);

pub(crate) struct R2 {
    server: S3Server,
    fault: Mutex<Option<R2Fault>>,
}

impl R2 {
    pub(crate) async fn start() -> io::Result<R2> {
        let server = S3Server::start(vec![token()]).await?;
        server.create_bucket(BUCKET)?;
        Ok(R2 {
            server,
            fault: Mutex::new(None),
        })
    }

    /// For `R2_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    pub(crate) fn fault(&self) -> Option<R2Fault> {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Undoes the fault there is and does `fault`.
    pub(crate) fn set(&self, fault: Option<R2Fault>) -> io::Result<()> {
        let mut current = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if *current == fault {
            return Ok(());
        }
        if *current == Some(R2Fault::BucketDeleted) {
            self.server.create_bucket(BUCKET)?;
        }
        *current = None;
        let mut tokens = vec![token()];
        let mut manner = Manner::default();
        match fault {
            Some(R2Fault::SecretWrong) => tokens[0].secret = SECRET_ACCESS_KEY.replace('0', "f"),
            Some(R2Fault::TokenRevoked) => tokens.clear(),
            Some(R2Fault::TokenScoped) => tokens[0].buckets = Some(vec!["uploads".to_owned()]),
            Some(R2Fault::BucketDeleted) => self.server.delete_bucket(BUCKET)?,
            Some(R2Fault::Hangs) => manner.hangs = true,
            Some(R2Fault::DateWrong) => manner.date_ahead = DATE_AHEAD,
            None => {}
        }
        self.server.set_tokens(tokens);
        self.server.set_manner(manner);
        *current = fault;
        Ok(())
    }
}

fn token() -> Token {
    Token {
        id: ACCESS_KEY_ID.to_owned(),
        secret: SECRET_ACCESS_KEY.to_owned(),
        buckets: None,
    }
}
