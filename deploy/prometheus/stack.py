"""Prometheus, Alertmanager and blackbox_exporter with the files of this folder, against the real service."""

import functools
import http.client
import os
import urllib.parse
from pathlib import Path

from proving import Failed, Replica, Sandbox, ask, expect, free_port, poll, status_of, webhooks

HERE = Path(__file__).resolve().parent
# Not so often that what is measured is the asking.
until = functools.partial(poll, every=0.2)


class Server:
    """A program that serves HTTP at a port of its own. `flags`: how it is told its port, and the rest."""

    program = ready = None

    def __init__(self, proof):
        self.proof, self.port = proof, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.log = proof.scratch / f"{self.program}-{self.port}.log"
        command = [self.program, f"--web.listen-address={self.address}", *self.flags()]
        self.child = proof.start(command, log=self.log.name)

        def answers():
            expect(self.child.poll() is None, f"{self.program} does not start")
            return status_of(self.port, self.ready) == 200

        until(f"{self.program} is ready", answers)

    def data(self, target):
        """`data` of an answer of Prometheus' API."""
        try:
            answer = ask(self.port, target)
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"GET {target}: {error!r}") from None
        expect(answer.status == 200, f"GET {target}: {answer}")
        return answer.json()["data"]


class Blackbox(Server):
    program, ready = "prometheus-blackbox-exporter", "/-/healthy"

    def flags(self):
        return [f"--config.file={HERE / 'blackbox.yml'}"]


class Alertmanager(Server):
    program, ready = "prometheus-alertmanager", "/-/ready"

    def flags(self):
        return [f"--config.file={HERE / 'alertmanager.yml'}", "--cluster.listen-address=",
                f"--storage.path={self.proof.scratch / f'alertmanager-{self.port}'}"]

    def states(self):
        """(alert name, job, check) → active, suppressed or unprocessed."""
        answer = ask(self.port, "/api/v2/alerts")
        expect(answer.status == 200, f"Alertmanager's alerts: {answer}")
        return {(a["labels"]["alertname"], a["labels"]["job"], a["labels"].get("check")): a["status"]["state"]
                for a in answer.json()}

    def send(self, alerts):
        answer = ask(self.port, "/api/v2/alerts", "POST", body=alerts)
        expect(answer.status == 200, f"Alertmanager refuses alerts: {answer}")


class Prometheus(Server):
    """With the prometheus.yml of `folder`."""

    program, ready = "prometheus", "/-/ready"

    def __init__(self, proof, folder):
        self.folder = folder
        super().__init__(proof)

    def flags(self):
        return [f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.proof.scratch / f'tsdb-{self.port}'}"]

    def query(self, expression):
        """Samples of an instant query, which must have no warning."""
        try:
            answer = ask(self.port, f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{expression}: {error!r}") from None
        said = answer.json() if answer.status == 200 else {}
        expect(said.get("status") == "success" and not said.get("warnings"), f"{expression}: {answer}")
        return said["data"]["result"]

    def values(self, expression):
        """Labels → value of an instant query."""
        return {tuple(sorted(s["metric"].items())): float(s["value"][1]) for s in self.query(expression)}

    def alerts(self):
        """(alert name, check) → the alert, as Prometheus has it now."""
        found = self.data("/api/v1/alerts")["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("check")): a for a in found}


def shipped(proof, name, addresses, change=lambda text: text, key=None):
    """A copy of prometheus.yml and the rules with other addresses, `change` applied to each text, and, with a
    `key`, the lines that send it."""
    folder = proof.scratch / name
    (folder / "rules").mkdir(parents=True)
    text = (HERE / "prometheus.yml").read_text()
    if key:
        text = text.replace("#key# ", "")
        (folder / "infra-health.key").write_text(key)
    for theirs, ours in addresses.items():
        expect(theirs in text, f"prometheus.yml has no {theirs}")
        text = text.replace(theirs, ours)
    (folder / "prometheus.yml").write_text(change(text))
    for rules in (HERE / "rules").glob("*.yml"):
        (folder / "rules" / rules.name).write_text(change(rules.read_text()))
    return folder


class Replicas(list):
    """Two replicas of the service with `env`, and the stand-ins that they ask. With `jobs` they take webhooks, each
    into a store of its own."""

    def __init__(self, proof, jobs=False, **env):
        self.sandbox = Sandbox(proof)
        env = {"PATH": os.environ["PATH"], "ENV_FILE": str(self.sandbox.env_file), **env}
        room = lambda name: webhooks.room(proof.scratch / f"{name}.db") if jobs else {}  # noqa: E731
        super().__init__(Replica(proof, name, {**env, **room(name)}, metrics=True).start() for name in ("r1", "r2"))

    def targets(self):
        """As they stand in a list of prometheus.yml."""
        return ", ".join(f'"{replica.metrics}"' for replica in self)


class Stack:
    """All of it: replicas, whoever watches them by the shipped files, and whoever is told."""

    def __init__(self, proof, change=lambda text: text, jobs=False, **env):
        self.replicas = Replicas(proof, jobs, **env)
        self.sandbox = self.replicas.sandbox
        self.blackbox, self.alertmanager = Blackbox(proof), Alertmanager(proof)
        addresses = {
            '"127.0.0.1:9464"': self.replicas.targets(),
            "127.0.0.1:8080": self.replicas[0].address,
            "127.0.0.1:9115": self.blackbox.address,
            "127.0.0.1:9093": self.alertmanager.address,
        }
        self.prometheus = Prometheus(proof, shipped(proof, "stack", addresses, change))
