"""A pod's life from start to drain, under a kubelet's probes: what the manifest promises of each part."""

import os
import re
import signal
import subprocess
from pathlib import Path

from pod import Pod
from proving import KEY, Load, Sandbox, Silent, ask, expect, poll, status_of, webhooks


def configuration(proof, pod):
    checked = subprocess.run([pod.binary, "config"], env=pod.shipped, capture_output=True, text=True, check=False)
    expect(checked.returncode == 0 and "warning" not in checked.stdout.lower(), f"infra-health config: {checked.stdout}")
    proof.ok("infra-health config: every variable of the built manifest is ours and valid, no warning")


def begins(proof, pod):
    """Start with an upstream that hangs, then steady state."""
    silent = Silent()
    kubelet = pod.kubelet(RUNPOD_ENDPOINT_BASE_URL=f"http://127.0.0.1:{silent.port}/v2", CHECK_INTERVAL="30s", CHECK_TIMEOUT="29s")
    poll("the startup probe passes", lambda: kubelet.started)
    liveness, readiness = kubelet.probes["liveness"], kubelet.probes["readiness"]
    poll("probes of a starting pod", lambda: liveness.runs >= 4 and readiness.runs >= 10)
    expect(kubelet.events == ["started"], f"an upstream that hangs at start: {kubelet.events}")
    silent.release()
    poll("ready once the first round has ended", lambda: kubelet.ready)
    expect(kubelet.events == ["started", "ready"] and kubelet.restarts == 0, f"{kubelet.events}")
    status = Path(f"/proc/{kubelet.child.pid}/status").read_text()
    if pod.as_user():
        expect(re.search(r"^Uid:\t65532\t", status, re.M) and re.search(r"^CapEff:\t0+$", status, re.M)
               and re.search(r"^NoNewPrivs:\t1$", status, re.M), "it does not run as the manifest says")
    proof.ok("start: started at once, not ready and never restarted while an upstream hangs, ready once the first round has ended"
             + ("; as user 65532 without capabilities" if pod.as_user() else ""))
    kubelet.stop()
    kubelet.child.send_signal(signal.SIGINT)
    expect(kubelet.child.wait(30) == 0, "it does not end")


def outage(proof, pod, kubelet, sandbox):
    poll("healthy", lambda: pod.health().json()["status"] == "healthy")
    scraped = ask(pod.ports["metrics"], "/metrics")
    expect(scraped.status == 200 and b"infra_health_status 1" in scraped.body, f"/metrics: {scraped}")
    for name in ("key-revoked", "r2-hangs"):
        sandbox.fault(name)
    poll("degraded", lambda: list(pod.health().json()["checks"].values()) == [True, False, False])
    before = [kubelet.probes[name].runs for name in ("liveness", "readiness")]
    poll("probes during the outage", lambda: kubelet.probes["liveness"].runs >= before[0] + 6
         and kubelet.probes["readiness"].runs >= before[1] + 20)
    expect(kubelet.events == ["started", "ready"] and kubelet.restarts == 0, f"an outage of both upstreams: {kubelet.events}")
    sandbox.fault("key-revoked", False)
    sandbox.fault("r2-hangs", False)
    poll("healthy again", lambda: pod.health().json()["status"] == "healthy")
    proof.ok("steady state and an outage of both upstreams: 6 liveness and 20 readiness probes, never restarted, ready all the time")


def rotation(proof, pod, kubelet):
    verbose = lambda key: status_of(pod.ports["http"], "/health?verbose", headers={"X-Api-Key": key})  # noqa: E731
    reason = lambda: ask(pod.ports["http"], "/health?verbose", headers={"X-Api-Key": new}).json()[  # noqa: E731
        "details"]["runpod_configured"]["reason"]
    process, values = kubelet.child.pid, pod.secrets.values
    old, new = KEY, "rotated-operator-key"
    expect((verbose(old), verbose(new)) == (200, 401), "the key in use")
    pod.secrets.put({**values, "api-keys": new, "runpod-api-key": "rpa_ROTATEDTOAWRONGONE"})
    poll("the new key is accepted and the old one refused", lambda: (verbose(old), verbose(new)) == (401, 200))
    poll("the new RunPod key is used", lambda: reason() == "unauthorized")
    pod.secrets.put({**values, "api-keys": new})
    poll("the right RunPod key is used", lambda: reason() == "ok")
    expect(kubelet.child.pid == process and kubelet.restarts == 0, "it was restarted")
    proof.ok("rotation by a swap of ..data: new keys in use, the old one refused, the same process, files of mode 0440")


def jobs(proof, pod, kubelet):
    """Webhooks by the Secret's files, and their rotation: new beside old, then without the old."""
    port, values, process = pod.ports["http"], pod.secrets.values, kubelet.child.pid
    poll("the store is open", lambda: webhooks.is_open(port))
    job = {"job_id": webhooks.new_id("job"), "event": "job.started"}
    new = "another-webhook-secret-of-the-api"
    told = lambda secret: webhooks.deliver(port, job, secret=secret).status  # noqa: E731
    expect(told(new) == 401, "the new secret before it is there")
    pod.secrets.put({**values, "job-webhook-secret": f"{webhooks.SECRET},{new}"})
    poll("both secrets are taken", lambda: told(new) == 202)
    expect(told(webhooks.SECRET) == 202, "the old secret beside the new one")
    pod.secrets.put({**values, "job-webhook-secret": new})
    poll("the old secret is refused", lambda: told(webhooks.SECRET) in (401, 429))
    expect(told(new) == 202, "the new secret alone")
    pod.secrets.put(values)
    expect(kubelet.child.pid == process, "it was restarted")
    proof.ok("jobs: signed deliveries are taken; their secret rotates with none refused: beside the old one, then alone")


def frozen(proof, pod, kubelet):
    first = kubelet.child
    os.kill(first.pid, signal.SIGSTOP)
    poll("restarted", lambda: kubelet.restarts == 1)
    poll("ready again", lambda: kubelet.ready)
    expect(kubelet.events == ["started", "ready", "not ready", "liveness failed", "killed", "restarted", "started", "ready"],
           f"a frozen process: {kubelet.events}")
    expect(first.poll() == -signal.SIGKILL and kubelet.child.pid != first.pid, "the frozen process lives")
    proof.ok("a frozen process (SIGSTOP): out of the Service first, then restarted by the liveness probe, ready again")


def drains(proof, pod, kubelet):
    events, restarts = len(kubelet.events), kubelet.restarts
    with Load(pod.ports["http"], kept=4, short=4) as load:
        kubelet.child.send_signal(signal.SIGTERM)
        poll("the endpoint is removed", lambda: not kubelet.ready)
        # The order, not the time: the port is still open when the last node has heard of it.
        expect(status_of(pod.ports["http"], "/health") == 200, "the listener closed before the endpoint was removed")
        load.rounds("clients that have not heard of it yet are answered")
    load.check("drain")
    code = kubelet.child.wait(kubelet.grace)
    expect(code == 0, f"exit code {code}")
    kubelet.stop()
    drained = kubelet.events[events:]
    expect(drained[0] == "not ready" and kubelet.restarts == restarts, f"draining: {drained}")
    proof.ok(f"drain: readiness fails first, {load.total()} requests meanwhile and none lost, exit code 0 within "
             f"{kubelet.grace} s, no liveness kill")


def lives(proof, built):
    sandbox = Sandbox(proof)
    pod = Pod(proof, built, sandbox)
    configuration(proof, pod)
    begins(proof, pod)
    kubelet = pod.kubelet()
    poll("ready", lambda: kubelet.ready)
    outage(proof, pod, kubelet, sandbox)
    rotation(proof, pod, kubelet)
    jobs(proof, pod, kubelet)
    frozen(proof, pod, kubelet)
    drains(proof, pod, kubelet)
