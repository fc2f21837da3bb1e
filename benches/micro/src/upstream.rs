//! An upstream that allocates nothing while it answers, so that what is counted is the service's alone.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

const COUNTS: &str = r#"{"jobs":{"completed":31,"failed":0,"inProgress":0,"inQueue":0,"retried":0},"workers":{"idle":1,"initializing":0,"ready":1,"running":0,"throttled":0,"unhealthy":0}}"#;
const LISTING: &str = r#"<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>videos</Name><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>"#;

/// RunPod with a fit endpoint.
pub fn runpod() -> io::Result<SocketAddr> {
    answering("application/json", COUNTS)
}

/// R2 with the bucket that is asked for.
pub fn r2() -> io::Result<SocketAddr> {
    answering("application/xml", LISTING)
}

/// Answers every request so, for as long as the process lives: a thread a connection.
fn answering(media: &str, body: &str) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer: &'static [u8] = (head + body).leak().as_bytes();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no matter here.
            thread::spawn(move || serve(stream, answer));
        }
    });
    Ok(address)
}

fn serve(mut stream: TcpStream, answer: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 8192];
    let mut have = 0;
    loop {
        match stream.read(&mut buffer[have..])? {
            0 => return Ok(()),
            more => have += more,
        }
        // One request at a time, and none has a body.
        if buffer[..have].ends_with(b"\r\n\r\n") {
            have = 0;
            stream.write_all(answer)?;
        }
    }
}
