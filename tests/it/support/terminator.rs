//! TLS in front of an upstream that speaks plain HTTP: counts the connections that clients open, as both sides of a
//! handshake see them, and hands the bytes on.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A TLS server on a free port of 127.0.0.1. Ends, with all its connections, when dropped.
#[derive(Debug)]
pub struct Terminator {
    address: SocketAddr,
    authority: String,
    handshakes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Terminator {
    /// Hands everything on to `upstream`. The certificate is of an authority of its own.
    pub async fn start(upstream: SocketAddr) -> io::Result<Terminator> {
        let (config, authority) = certified().map_err(io::Error::other)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let handshakes = Arc::new(AtomicUsize::new(0));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let task = tokio::spawn(accept(
            listener,
            acceptor,
            upstream,
            Arc::clone(&handshakes),
        ));
        Ok(Terminator {
            address,
            authority,
            handshakes,
            task,
        })
    }

    /// `https://127.0.0.1:port`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The certificate that clients have to trust, as PEM.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// How many connections have come as far as the end of their handshake.
    pub fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }
}

impl Drop for Terminator {
    fn drop(&mut self) {
        // The set of connections lives in the task and ends with it.
        self.task.abort();
    }
}

/// A certificate for 127.0.0.1, and its authority's as PEM.
fn certified() -> Result<(ServerConfig, String), Box<dyn std::error::Error + Send + Sync>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let names = vec![Ipv4Addr::LOCALHOST.to_string()];
    let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
    let chain = vec![CertificateDer::from(certificate.der().to_vec())];
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok((config, authority.pem()))
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    upstream: SocketAddr,
    handshakes: Arc<AtomicUsize>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((socket, _)) = listener.accept() => {
                let (acceptor, handshakes) = (acceptor.clone(), Arc::clone(&handshakes));
                connections.spawn(async move {
                    let mut stream = acceptor.accept(socket).await?;
                    handshakes.fetch_add(1, Ordering::Relaxed);
                    let mut behind = TcpStream::connect(upstream).await?;
                    behind.set_nodelay(true)?;
                    copy_bidirectional(&mut stream, &mut behind).await
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
