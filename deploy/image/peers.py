"""What the image talks to while it is proven: a DNS and an HTTPS server on
loopback that print what they were asked, one line each, a bare HTTP GET, and a
webhook's delivery.

    peers.py serve CERTIFICATE KEY     127.0.0.1, UDP 53 and TCP 8443, until ended
    peers.py get URL [KEY]             prints the body; exit code 1 unless 2xx
    peers.py deliver URL SECRET JOB    tells that a job failed, signed; likewise

Standard library only.
"""

import datetime
import hashlib
import hmac
import http.client
import http.server
import json
import socket
import ssl
import struct
import sys
import threading
import urllib.parse

KNOWN = "resolved.test"
RUNPOD_HEALTH = json.dumps(
    {
        "jobs": {"completed": 1, "failed": 0, "inProgress": 0, "inQueue": 0, "retried": 0},
        "workers": {"idle": 1, "initializing": 0, "ready": 1, "running": 0, "throttled": 0, "unhealthy": 0},
    }
).encode()


def say(line):
    # One write a line keeps the lines of several threads whole.
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def answer(query):
    """A DNS answer: KNOWN is 127.0.0.1, has no other records; nothing else exists."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    kind = struct.unpack_from("!H", query, at + 1)[0]
    name = ".".join(labels).lower()
    say(f"dns {name} {kind}")
    address = name == KNOWN and kind == 1
    flags = 0x8180 if name == KNOWN else 0x8183
    head = query[:2] + struct.pack("!HHHHH", flags, 1, int(address), 0, 0)
    record = struct.pack("!HHHIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton("127.0.0.1")
    return head + query[12 : at + 5] + (record if address else b"")


def dns(udp):
    while True:
        query, sender = udp.recvfrom(1500)
        udp.sendto(answer(query), sender)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self):
        say(f"http {self.headers.get('Host')} {self.path}")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(RUNPOD_HEALTH)))
        self.end_headers()
        self.wfile.write(RUNPOD_HEALTH)

    def log_message(self, format, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """The handshake is the connection's own thread's, so that a failed one harms no other."""

    def __init__(self, certificate, key):
        super().__init__(("127.0.0.1", 8443), Handler)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate, key)

    def finish_request(self, request, client_address):
        say("connected")
        request.settimeout(10)
        try:
            request = self.tls.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError) as error:
            say(f"refused {getattr(error, 'reason', error)}")
            return
        super().finish_request(request, client_address)


def serve(certificate, key):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 53))
    server = Server(certificate, key)
    threading.Thread(target=dns, args=(udp,), daemon=True).start()
    say("ready")
    server.serve_forever()


def get(url, key=None):
    return ask("GET", url, {"X-Api-Key": key} if key else {})


def deliver(url, secret, job):
    body = json.dumps({"event": "job.failed", "job_id": job, "error": {"code": "proof"}}).encode()
    at = datetime.datetime.now(datetime.timezone.utc).isoformat()
    signature = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return ask("POST", url, {
        "Content-Type": "application/json", "X-Webhook-Timestamp": at, "X-Webhook-Delivery-Id": f"delivery-of-{job}",
        "X-Webhook-Signature": f"sha256={signature}"}, body)


def ask(method, url, headers, body=None):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    connection.request(method, parts.path, body, headers)
    response = connection.getresponse()
    print(response.read().decode())
    return 0 if 200 <= response.status < 300 else 1


if __name__ == "__main__":
    sys.exit({"serve": serve, "get": get, "deliver": deliver}[sys.argv[1]](*sys.argv[2:]))
