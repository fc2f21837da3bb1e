"""What a kubelet does with one container: probes by the letter of the manifest, restarts, termination.

Its rules (kubernetes.io, "Configure Liveness, Readiness and Startup Probes"): a new connection for each
probe, `User-Agent: kube-probe/…`, success is 200 to 399 within timeoutSeconds, everything else a failure.
Until the startup probe has succeeded the others do not run. failureThreshold failures of startup or
liveness in a row restart the container; of readiness they take it out of its Services.

Periods are scaled down, all by the same factor; timeouts and thresholds are the manifest's.
"""

import http.client
import signal
import subprocess
import threading
import time

SCALE = 0.1


class Probe:
    """One probe and the count of its results in a row."""

    def __init__(self, name, spec, ports):
        get = spec["httpGet"]
        self.name, self.path, self.port = name, get["path"], ports[get["port"]]
        self.period, self.timeout = spec["periodSeconds"] * SCALE, spec["timeoutSeconds"]
        self.failing, self.passing = spec.get("failureThreshold", 3), spec.get("successThreshold", 1)
        self.grace = spec.get("terminationGracePeriodSeconds")
        self.runs, self.reset()

    def reset(self):
        self.ok_in_row = self.bad_in_row = 0

    runs = 0

    def run(self):
        """Asks once; whether the threshold of successes, or of failures, is reached."""
        good = self.ask()
        self.runs += 1
        self.ok_in_row = self.ok_in_row + 1 if good else 0
        self.bad_in_row = 0 if good else self.bad_in_row + 1
        return self.ok_in_row >= self.passing, self.bad_in_row >= self.failing

    def ask(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            begun = time.monotonic()
            connection.request("GET", self.path, headers={
                "User-Agent": "kube-probe/1.32", "Accept": "*/*", "Connection": "close"})
            status = connection.getresponse().status
            return 200 <= status < 400 and time.monotonic() - begun <= self.timeout
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Kubelet:
    """Runs one container and keeps to its probes in a thread. `start` starts the process."""

    def __init__(self, specs, ports, start, grace):
        self.probes = {name: Probe(name, spec, ports) for name, spec in specs.items()}
        self.start, self.grace = start, grace
        self.started = self.ready = self.terminating = False
        self.restarts, self.events, self.failure = 0, [], None
        self.done = threading.Event()
        self.child = start()
        self.thread = threading.Thread(target=self._guarded, daemon=True)
        self.thread.start()

    def note(self, event):
        self.events.append(event)

    def _guarded(self):
        try:
            self._sync()
        except Exception as error:  # told by whoever waits
            self.failure = error
            raise

    def _sync(self):
        due = dict.fromkeys(self.probes, 0.0)
        while not self.done.wait(0.005):
            for name, probe in self.probes.items():
                if (name == "startup") == self.started or time.monotonic() < due[name]:
                    continue
                due[name] = time.monotonic() + probe.period
                self._judge(probe, *probe.run())

    def _judge(self, probe, good, bad):
        if probe.name == "readiness":
            if good != self.ready and (good or bad):
                self.ready = good
                self.note("ready" if good else "not ready")
        elif bad and not self.done.is_set():
            self.note(f"{probe.name} failed")
            self._restart(probe)
        elif good and probe.name == "startup":
            self.started = True
            self.note("started")

    def _restart(self, probe):
        self.terminate(probe.grace or self.grace)
        if self.ready:
            self.ready = False
            self.note("not ready")
        self.started = False
        for each in self.probes.values():
            each.reset()
        self.restarts += 1
        self.note("restarted")
        self.child = self.start()

    def terminate(self, grace):
        """SIGTERM, and SIGKILL once the grace (scaled only for a process that does not obey) is over."""
        self.child.send_signal(signal.SIGTERM)
        try:
            return self.child.wait(grace * SCALE if self.failing() else grace)
        except subprocess.TimeoutExpired:
            self.note("killed")
            self.child.kill()
            return self.child.wait()

    def failing(self):
        return self.probes["liveness"].bad_in_row >= self.probes["liveness"].failing

    def stop(self):
        self.done.set()
        self.thread.join(30)
