"""The programs that the proofs talk to, started on free ports of loopback and ended by their id:
the sandbox, the service, Prometheus, blackbox_exporter, Alertmanager.

Standard library only. Nothing waits for a time: `until` polls with a deadline.
"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEY = "sandbox-operator-key"
DEADLINE = 60  # seconds until something is given up that should take a few

PACKAGES = {
    "promtool": "prometheus",
    "prometheus": "prometheus",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}


class Failed(Exception):
    """What did not hold."""


def main(name, run):
    """Runs `run` as the program `name`: exit code 0, or 1 with one line that says why."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    sys.stdout.reconfigure(line_buffering=True)
    try:
        run()
    except Failed as failure:
        sys.exit(f"FAILED: {name}: {failure}")
    print(f"{name}: ok")


def need(name, *tools):
    """Ends the program `name`, loudly, when a tool is missing."""
    for tool in tools:
        if not shutil.which(tool):
            print(f"SKIPPED: {name}: {tool} is missing (Debian's package {PACKAGES[tool]})")
            sys.exit(0)


def ok(line):
    print(f"ok {line}")


def check(holds, what):
    if not holds:
        raise Failed(what)


def until(what, holds, deadline=DEADLINE, every=0.2):
    """Polls until `holds()` is true and returns that; fails with `what` and the last value."""
    end = time.monotonic() + deadline
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"not within {deadline} s: {what} (last: {value!r})")
        time.sleep(every)


def run(*command, quiet=False):
    """Prints and runs a command; its output belongs to the failure."""
    shown = " ".join(str(part).replace(f"{ROOT}/", "") for part in command)
    if not quiet:
        print(f"$ {shown}")
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    check(done.returncode == 0, f"{shown}\n{done.stdout}")
    return done.stdout


def fetch(url, method="GET", body=None, headers=()):
    """Status and text; status 0 when nothing answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method, headers=dict(headers))
    if data is not None:
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def get_json(url):
    status, text = fetch(url)
    check(status == 200, f"GET {url}: {status} {text[:300]}")
    return json.loads(text)


def free_port():
    """Below the range from which the system takes ports of its own, so that nobody else gets it by chance."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


def cargo_build():
    """Builds the service and the sandbox; returns their paths by name."""
    command = ["cargo", "build", "--locked", "--bin", "infra-health", "--example", "sandbox"]
    print(f"$ {' '.join(command)}")
    done = subprocess.run(
        [*command, "--message-format=json-render-diagnostics"], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    check(done.returncode == 0, "cargo build")
    messages = map(json.loads, done.stdout.splitlines())
    return {m["target"]["name"]: m["executable"] for m in messages if m.get("executable")}


class Stack(contextlib.ExitStack):
    """Everything that was started; leaving it ends all of it, the latest first."""

    def __init__(self):
        super().__init__()
        self.folder = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory(prefix="infra-health-")))

    def start(self, name, command, env=None):
        """Starts a program with its output in a file of its own."""
        log = self.folder / f"{name}.{free_port()}.log"
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=log.open("wb"),
            stderr=subprocess.STDOUT,
            env={"PATH": os.environ["PATH"], **(env or {})},
            cwd=self.folder,
        )
        process.log = log
        self.callback(end, process)
        return process

    def serve(self, name, command_on, ready, env_on=lambda port: {}):
        """Starts a server on a free port and waits until `ready(url)`; another port if that one was lost."""
        for _ in range(5):
            port = free_port()
            process = self.start(name, command_on(port), env_on(port))
            url = f"http://127.0.0.1:{port}"
            until(f"{name} is ready", lambda: ready(url) or process.poll() is not None)
            if process.poll() is None:
                process.url = url
                return process
        raise Failed(f"{name} does not start: {process.log.read_text()[-2000:]}")

    def sandbox(self, binaries):
        """The stand-ins of RunPod and R2 and their switches; `.env_file`, `.control` and its own service `.url`."""
        process = self.start("sandbox", [binaries["sandbox"]], {"PORT": "0"})
        whole = "? shows this again"
        text = until("the sandbox's introduction", lambda: whole in (t := process.log.read_text()) and t)
        process.url = re.search(r"service +(\S+)", text)[1]
        process.control = re.search(r"switches +(\S+)", text)[1]
        process.env_file = re.search(r"ENV_FILE=(\S+)", text)[1]
        return process

    def service(self, binaries, sandbox, **variables):
        """The real program against the sandbox's upstreams; `.url`, `.metrics` (host:port of METRICS_ADDR)."""

        def env(port):
            self.metrics_port = free_port()
            return {
                "ENV_FILE": sandbox.env_file,
                "PORT": str(port),
                "METRICS_ADDR": f"127.0.0.1:{self.metrics_port}",
                "LOG_FORMAT": "json",
                **variables,
            }

        process = self.serve(
            "infra-health", lambda port: [binaries["infra-health"]], lambda url: fetch(f"{url}/readyz")[0] == 200, env
        )
        process.metrics = f"127.0.0.1:{self.metrics_port}"
        return process

    def blackbox(self):
        config = HERE / "blackbox.yml"
        return self.serve(
            "blackbox",
            lambda port: [
                "prometheus-blackbox-exporter",
                f"--config.file={config}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            lambda url: fetch(f"{url}/-/healthy")[0] == 200,
        )

    def alertmanager(self):
        config = HERE / "alertmanager.yml"
        return self.serve(
            "alertmanager",
            lambda port: [
                "prometheus-alertmanager",
                f"--config.file={config}",
                f"--storage.path={self.folder / f'alertmanager-{port}'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            lambda url: fetch(f"{url}/-/ready")[0] == 200,
        )

    def prometheus(self, folder):
        """Prometheus with the prometheus.yml of `folder`."""
        return self.serve(
            "prometheus",
            lambda port: [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / f'tsdb-{port}'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            lambda url: fetch(f"{url}/-/ready")[0] == 200,
        )

    def shipped(self, name, addresses, change=lambda text: text, key=None):
        """A copy of prometheus.yml and the rules with other addresses, `change` applied to each text, and, with a
        `key`, the lines that send it."""
        folder = self.folder / name
        (folder / "rules").mkdir(parents=True)
        text = (HERE / "prometheus.yml").read_text()
        if key:
            text = text.replace("#key# ", "")
            (folder / "infra-health.key").write_text(key)
        for shipped, ours in addresses.items():
            check(shipped in text, f"prometheus.yml has no {shipped}")
            text = text.replace(shipped, ours)
        (folder / "prometheus.yml").write_text(change(text))
        for rules in (HERE / "rules").glob("*.yml"):
            (folder / "rules" / rules.name).write_text(change(rules.read_text()))
        return folder


def end(process):
    """SIGINT, with which the service does not drain, and SIGKILL to whom that does not end."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def query(prometheus, expression):
    """Samples of an instant query."""
    url = f"{prometheus.url}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
    return get_json(url)["data"]["result"]


def alerts(prometheus):
    """(alert name, check) → the alert, as Prometheus has it now."""
    found = get_json(f"{prometheus.url}/api/v1/alerts")["data"]["alerts"]
    return {(a["labels"]["alertname"], a["labels"].get("check")): a for a in found}


def alertmanager_states(alertmanager):
    """(alert name, job, check) → active, suppressed or unprocessed."""
    return {
        (a["labels"]["alertname"], a["labels"]["job"], a["labels"].get("check")): a["status"]["state"]
        for a in get_json(f"{alertmanager.url}/api/v2/alerts")
    }
