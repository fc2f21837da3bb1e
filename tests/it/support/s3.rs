//! A real S3 server that verifies signatures (s3s on a directory), in process, with R2's own answers
//! for what R2 does differently: unknown keys, malformed keys, tokens limited to some buckets. It can also
//! be made to hang, and to tell another time than ours.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, HttpError, S3Error, S3ErrorCode, S3Result};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

/// An R2 API token.
#[derive(Debug, Clone)]
pub struct Token {
    /// Access key id, 32 characters.
    pub id: String,
    /// Secret access key.
    pub secret: String,
    /// The only buckets that it may list; `None` for all.
    pub buckets: Option<Vec<String>>,
}

/// How it answers, whatever the answer is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Takes requests and answers none.
    pub hangs: bool,
    /// How far the `Date` of its answers is ahead of our clock. Signatures are still judged by ours.
    pub date_ahead: Duration,
}

/// The server. Ends, with its connections and its files, when dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    tokens: Tokens,
    manner: Arc<Mutex<Manner>>,
    root: TempDir,
    task: JoinHandle<()>,
}

impl S3Server {
    /// Listens on a free port of 127.0.0.1 and knows these tokens.
    pub async fn start(tokens: Vec<Token>) -> io::Result<S3Server> {
        let root = TempDir::new()?;
        let tokens = Tokens(Arc::new(Mutex::new(tokens)));
        let files = FileSystem::new(root.path()).map_err(|_| io::Error::other("no S3 root"))?;
        let mut service = S3ServiceBuilder::new(files);
        service.set_auth(tokens.clone());
        service.set_access(tokens.clone());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let manner = Arc::default();
        let task = tokio::spawn(serve(listener, service.build(), Arc::clone(&manner)));
        Ok(S3Server {
            address,
            tokens,
            manner,
            root,
            task,
        })
    }

    /// `http://127.0.0.1:port`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on these tokens, and no others, are known.
    pub fn set_tokens(&self, tokens: Vec<Token>) {
        *self.tokens.0.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }

    /// From now on requests, also those of open connections, are answered so.
    pub fn set_manner(&self, manner: Manner) {
        *self.manner.lock().unwrap_or_else(PoisonError::into_inner) = manner;
    }

    /// Makes an empty bucket.
    pub fn create_bucket(&self, name: &str) -> io::Result<()> {
        std::fs::create_dir(self.root.path().join(name))
    }

    /// Deletes a bucket and what is in it.
    pub fn delete_bucket(&self, name: &str) -> io::Result<()> {
        std::fs::remove_dir_all(self.root.path().join(name))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        // The set of connections lives in the task and ends with it.
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, service: S3Service, manner: Arc<Mutex<Manner>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                let (service, manner) = (service.clone(), Arc::clone(&manner));
                let answering = service_fn(move |request| {
                    let manner = *manner.lock().unwrap_or_else(PoisonError::into_inner);
                    answer(service.clone(), manner, request)
                });
                let http = hyper::server::conn::http1::Builder::new();
                connections.spawn(http.serve_connection(TokioIo::new(socket), answering));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(
    service: S3Service,
    manner: Manner,
    request: Request<Incoming>,
) -> Result<Response<Body>, HttpError> {
    if manner.hangs {
        return std::future::pending().await;
    }
    let mut response = Service::call(&service, request).await?;
    if manner.date_ahead > Duration::ZERO {
        let date = httpdate::fmt_http_date(SystemTime::now() + manner.date_ahead);
        if let Ok(date) = HeaderValue::from_str(&date) {
            response.headers_mut().insert(header::DATE, date);
        }
    }
    Ok(response)
}

#[derive(Debug, Clone)]
struct Tokens(Arc<Mutex<Vec<Token>>>);

impl Tokens {
    fn get(&self, id: &str) -> Option<Token> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.iter().find(|token| token.id == id).cloned()
    }

    fn secret(&self, id: &str) -> S3Result<SecretKey> {
        if id.len() != 32 {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidArgument,
                format!(
                    "Credential access key has length {}, should be 32",
                    id.len()
                ),
            ));
        }
        let token = self.get(id).ok_or_else(|| {
            let code =
                S3ErrorCode::from_bytes(b"Unauthorized").unwrap_or(S3ErrorCode::AccessDenied);
            let mut error = S3Error::with_message(code, "Unauthorized");
            error.set_status_code(StatusCode::UNAUTHORIZED);
            error
        })?;
        Ok(SecretKey::from(token.secret))
    }

    fn access(&self, cx: &S3AccessContext<'_>) -> S3Result<()> {
        let token = cx
            .credentials()
            .and_then(|credentials| self.get(&credentials.access_key));
        let bucket = cx.s3_path().get_bucket_name().unwrap_or_default();
        let allowed = token.is_some_and(|token| {
            token
                .buckets
                .is_none_or(|buckets| buckets.iter().any(|name| name == bucket))
        });
        // Also for a bucket that does not exist: R2 does not tell a limited token which.
        allowed
            .then_some(())
            .ok_or_else(|| S3Error::new(S3ErrorCode::AccessDenied))
    }
}

type Boxed<'f, T> = Pin<Box<dyn Future<Output = S3Result<T>> + Send + 'f>>;

impl S3Auth for Tokens {
    fn get_secret_key<'s, 'k, 'f>(&'s self, access_key: &'k str) -> Boxed<'f, SecretKey>
    where
        's: 'f,
        'k: 'f,
        Self: 'f,
    {
        let found = self.secret(access_key);
        Box::pin(async { found })
    }
}

impl S3Access for Tokens {
    fn check<'s, 'c, 'x, 'f>(&'s self, cx: &'c mut S3AccessContext<'x>) -> Boxed<'f, ()>
    where
        's: 'f,
        'c: 'f,
        'x: 'f,
        Self: 'f,
    {
        let allowed = self.access(cx);
        Box::pin(async move { allowed })
    }
}
