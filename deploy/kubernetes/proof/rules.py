"""What no schema says and has to hold of the built documents; each rule is shown to be able to fail."""

import re
from copy import deepcopy

# Of the restricted Pod Security Standard.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class Built:
    """The documents of one build, by kind and name."""

    def __init__(self, documents):
        self.documents = documents
        self.deployment = self.one("Deployment")
        self.pod = self.deployment["spec"]["template"]["spec"]
        self.container = self.pod["containers"][0]
        self.labels = self.deployment["spec"]["template"]["metadata"]["labels"]

    def all(self, kind):
        return [document for document in self.documents if document["kind"] == kind]

    def one(self, kind, name="infra-health"):
        return next(d for d in self.all(kind) if d["metadata"]["name"] == name)

    def env(self):
        """The container's variables, those of the ConfigMap included."""
        names = [source["configMapRef"]["name"] for source in self.container["envFrom"]]
        env = {}
        for name in names:
            env.update(self.one("ConfigMap", name)["data"])
        env.update({entry["name"]: entry["value"] for entry in self.container["env"]})
        return env

    def ports(self):
        return {port["name"]: port["containerPort"] for port in self.container["ports"]}

    def probes(self):
        return {name: self.container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")}


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", duration).groups()
    return int(number) * UNITS[unit]


def restricted(built):
    pod, container = built.pod, built.container
    outer, inner = pod["securityContext"], container["securityContext"]
    yield "runAsNonRoot", outer.get("runAsNonRoot") is True and inner.get("runAsNonRoot", True) is True
    yield "runAsUser is not root", outer.get("runAsUser", 0) > 0 and inner.get("runAsUser", 1) > 0
    yield "seccomp RuntimeDefault", outer.get("seccompProfile", {}).get("type") == "RuntimeDefault"
    yield "no privilege escalation", inner.get("allowPrivilegeEscalation") is False and not inner.get("privileged")
    yield "drops ALL capabilities", inner.get("capabilities") == {"drop": ["ALL"]}
    yield "read-only root", inner.get("readOnlyRootFilesystem") is True
    yield "nothing of the host", not any(pod.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
    yield "no host ports", not any("hostPort" in port for port in container["ports"])
    yield "volumes of the allowed kinds", all(set(volume) - {"name"} <= VOLUMES for volume in pod["volumes"])
    yield "one container", len(pod["containers"]) == 1 and "initContainers" not in pod


def shutdown(built):
    env, pod = built.env(), built.pod
    needed = seconds(env["SHUTDOWN_DELAY"]) + seconds(env["SHUTDOWN_GRACE"])
    yield "grace above SHUTDOWN_DELAY + SHUTDOWN_GRACE", pod["terminationGracePeriodSeconds"] > needed
    liveness = built.probes()["liveness"].get("terminationGracePeriodSeconds", needed + 1)
    yield "a liveness kill leaves room for SHUTDOWN_DELAY", liveness > seconds(env["SHUTDOWN_DELAY"])


def probes(built):
    named, env = built.ports(), built.env()
    port_of = lambda variable: int(env[variable].rsplit(":", 1)[1])  # noqa: E731
    yield "port probes is PROBE_ADDR's", named.get("probes") == port_of("PROBE_ADDR")
    yield "port http is PORT", named.get("http") == int(env["PORT"])
    yield "port metrics is METRICS_ADDR's", ("metrics" in named) == ("METRICS_ADDR" in env) and (
        "metrics" not in named or named["metrics"] == port_of("METRICS_ADDR"))
    for name, probe in built.probes().items():
        path = "/readyz" if name == "readiness" else "/livez"
        yield f"{name} asks {path} on probes", probe["httpGet"] == {"path": path, "port": "probes"}
        yield f"{name} times out after 1 s, within its period", probe["timeoutSeconds"] == 1 <= probe["periodSeconds"]
    liveness, readiness = built.probes()["liveness"], built.probes()["readiness"]
    span = lambda probe: probe["periodSeconds"] * probe["failureThreshold"]  # noqa: E731
    yield "out of the Service before it is restarted", span(readiness) < span(liveness)


def wiring(built):
    name = {"app.kubernetes.io/name": "infra-health"}
    selects = lambda selector: selector.items() <= built.labels.items() and selector  # noqa: E731
    yield "the Deployment selects its pods", selects(built.deployment["spec"]["selector"]["matchLabels"])
    for constraint in built.pod["topologySpreadConstraints"]:
        yield "spread selects its pods", selects(constraint["labelSelector"]["matchLabels"])
    for service in built.all("Service"):
        yield "a Service selects the pods", selects(service["spec"]["selector"])
        yield "a Service's port exists", all(p["targetPort"] in built.ports() for p in service["spec"]["ports"])
        yield "the probes' port is in no Service", all(p["targetPort"] != "probes" for p in service["spec"]["ports"])
    for policy in built.all("NetworkPolicy"):
        yield "a policy selects the pods", selects(policy["spec"]["podSelector"]["matchLabels"])
        inbound, outbound = (policy["spec"].get(way, []) for way in ("ingress", "egress"))
        yield "a policy allows something", inbound or outbound
        yield "a policy says which way it is", set(policy["spec"]["policyTypes"]) == {
            name for name, allowed in (("Ingress", inbound), ("Egress", outbound)) if allowed}
        yield "a policy's port exists", all(port["port"] in built.ports() for rule in inbound for port in rule["ports"])
        yield "inbound is from somewhere", all(rule.get("from") for rule in inbound)
        yield "outbound is to somewhere", all(rule.get("to") and rule["ports"] for rule in outbound)
    budget = built.one("PodDisruptionBudget")["spec"]
    yield "the budget selects the pods", selects(budget["selector"]["matchLabels"])
    yield "the budget lets a node be drained", 0 < budget["maxUnavailable"] < built.deployment["spec"]["replicas"]
    for monitor in built.all("ServiceMonitor"):
        wanted = monitor["spec"]["selector"]["matchLabels"]
        hit = [s for s in built.all("Service") if wanted.items() <= s["metadata"]["labels"].items()]
        yield "the ServiceMonitor selects one Service", [s["metadata"]["name"] for s in hit] == ["infra-health-metrics"]
        yield "its port exists", {e["port"] for e in monitor["spec"]["endpoints"]} == {
            p["name"] for s in hit for p in s["spec"]["ports"]}
    account = built.one("ServiceAccount")
    yield "the account exists", built.pod["serviceAccountName"] == account["metadata"]["name"]
    yield "no token is mounted", not account.get("automountServiceAccountToken", True) and not built.pod.get(
        "automountServiceAccountToken", True)
    yield "everything is named infra-health", all(
        d["metadata"].get("labels", name).items() >= name.items() for d in built.documents if d["kind"] != "Namespace")


def policy(built):
    spec = built.deployment["spec"]
    yield "two replicas", spec["replicas"] == 2
    yield "no autoscaler", not any("Autoscaler" in d["kind"] or d["kind"] == "ScaledObject" for d in built.documents)
    update = spec["strategy"]["rollingUpdate"]
    yield "a roll-out takes nothing away", (update["maxUnavailable"], update["maxSurge"]) == (0, 1)
    yield "no service links", built.pod.get("enableServiceLinks") is False
    resources = built.container["resources"]
    yield "requests of both, a memory limit", set(resources["requests"]) == {"cpu", "memory"} and "memory" in resources["limits"]
    yield "no CPU limit", "cpu" not in resources["limits"]
    ports = {(p["protocol"], p["port"]) for rule in built.one("NetworkPolicy")["spec"]["egress"] for p in rule["ports"]}
    yield "out: names and HTTPS", ports == {("UDP", 53), ("TCP", 53), ("TCP", 443)}
    out = [b["ipBlock"] for rule in built.one("NetworkPolicy")["spec"]["egress"] for b in rule["to"] if "ipBlock" in b]
    public = next(block for block in out if block["cidr"] == "0.0.0.0/0")
    yield "out: no metadata service", "169.254.0.0/16" in public["except"]


def secrets(built):
    mount = next(m for m in built.container["volumeMounts"] if m["name"] == "secrets")
    volume = next(v for v in built.pod["volumes"] if v["name"] == "secrets")["secret"]
    yield "no subPath, which never rotates", "subPath" not in mount and "subPathExpr" not in mount and "items" not in volume
    yield "a stable name: rotation restarts nothing", volume["secretName"] == "infra-health"
    yield "readable by owner and group alone", volume["defaultMode"] == 0o440 and built.pod["securityContext"]["fsGroup"] > 0
    yield "no secret in a variable", not any(
        name in built.env() for name in ("RUNPOD_API_KEY", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "API_KEYS",
                                         "JOB_WEBHOOK_SECRET", "RUNPOD_WEBHOOK_TOKEN", "JOBS_DATABASE_URL"))
    for name, path in built.env().items():
        if name.endswith("_FILE"):
            yield f"{name} lies in the mount", path.rsplit("/", 1)[0] == mount["mountPath"]


def jobs(built):
    """Webhooks reach any replica, so all keep jobs in one store, and reach that."""
    takes = {"JOB_WEBHOOK_SECRET_FILE", "RUNPOD_WEBHOOK_TOKEN_FILE"} & set(built.env())
    yield "webhooks have a store that replicas share", not takes or "JOBS_DATABASE_URL_FILE" in built.env()
    out = [rule for policy in built.all("NetworkPolicy") for rule in policy["spec"].get("egress", [])
           if {"protocol": "TCP", "port": 5432} in rule["ports"]]
    yield "out: to Postgres where there is a store", bool(out) == ("JOBS_DATABASE_URL_FILE" in built.env())
    # One entry: two would mean either.
    yield "out: Postgres is named by namespace and pod, or by address", all(
        set(peer) in ({"namespaceSelector", "podSelector"}, {"ipBlock"}) for rule in out for peer in rule.get("to", []))


ALL = (restricted, shutdown, probes, wiring, policy, secrets, jobs)


def faults(built):
    """The names of the rules that do not hold."""
    return [name for rule in ALL for name, holds in rule(built) if not holds]


def files(built):
    """The names of the Secret's keys that the container reads."""
    return {path.rsplit("/", 1)[1] for name, path in built.env().items() if name.endswith("_FILE")}


def mutations(documents):
    """Each a way to spoil the documents, and the rule that must see it."""
    def spoil(change):
        spoilt = Built(deepcopy(documents))
        change(spoilt)
        return spoilt

    def env(built, name, value):
        next(entry for entry in built.container["env"] if entry["name"] == name)["value"] = value

    table = [
        ("runAsNonRoot", lambda b: b.pod["securityContext"].pop("runAsNonRoot")),
        ("seccomp RuntimeDefault", lambda b: b.pod["securityContext"].pop("seccompProfile")),
        ("drops ALL capabilities", lambda b: b.container["securityContext"]["capabilities"].update(add=["NET_RAW"])),
        ("no privilege escalation", lambda b: b.container["securityContext"].pop("allowPrivilegeEscalation")),
        ("read-only root", lambda b: b.container["securityContext"].pop("readOnlyRootFilesystem")),
        ("volumes of the allowed kinds", lambda b: b.pod["volumes"].append({"name": "x", "hostPath": {"path": "/"}})),
        ("grace above SHUTDOWN_DELAY + SHUTDOWN_GRACE", lambda b: b.pod.update(terminationGracePeriodSeconds=17)),
        ("a liveness kill leaves room for SHUTDOWN_DELAY", lambda b: env(b, "SHUTDOWN_DELAY", "12s")),
        ("port probes is PROBE_ADDR's", lambda b: env(b, "PROBE_ADDR", "0.0.0.0:8082")),
        ("liveness asks /livez on probes", lambda b: b.container["livenessProbe"]["httpGet"].update(path="/health")),
        ("startup times out after 1 s, within its period", lambda b: b.container["startupProbe"].update(timeoutSeconds=2)),
        ("a Service selects the pods", lambda b: b.one("Service")["spec"]["selector"].update(tier="x")),
        ("a Service's port exists", lambda b: b.one("Service")["spec"]["ports"][0].update(targetPort="web")),
        ("a policy's port exists", lambda b: b.one("NetworkPolicy")["spec"]["ingress"][0]["ports"][0].update(port="web")),
        ("the budget lets a node be drained", lambda b: b.one("PodDisruptionBudget")["spec"].update(maxUnavailable=0)),
        ("its port exists", lambda b: b.one("ServiceMonitor")["spec"]["endpoints"][0].update(port="http")),
        ("no token is mounted", lambda b: b.one("ServiceAccount").pop("automountServiceAccountToken")),
        ("no autoscaler", lambda b: b.documents.append(
            {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "infra-health"}})),
        ("a roll-out takes nothing away", lambda b: b.deployment["spec"]["strategy"]["rollingUpdate"].update(maxUnavailable=1)),
        ("no service links", lambda b: b.pod.pop("enableServiceLinks")),
        ("no CPU limit", lambda b: b.container["resources"]["limits"].update(cpu="1")),
        ("no subPath, which never rotates", lambda b: b.container["volumeMounts"][0].update(subPath="api-keys")),
        ("a stable name: rotation restarts nothing", lambda b: b.pod["volumes"][0]["secret"].update(secretName="infra-health-x")),
        ("API_KEYS_FILE lies in the mount", lambda b: env(b, "API_KEYS_FILE", "/run/secrets/api-keys")),
        ("a policy says which way it is", lambda b: b.one("NetworkPolicy", "infra-health-jobs")["spec"].update(
            policyTypes=["Ingress", "Egress"])),
        ("outbound is to somewhere", lambda b: b.one("NetworkPolicy", "infra-health-jobs")["spec"]["egress"][0].pop("to")),
        ("webhooks have a store that replicas share", lambda b: b.container["env"].remove(
            next(entry for entry in b.container["env"] if entry["name"] == "JOBS_DATABASE_URL_FILE"))),
        ("out: to Postgres where there is a store", lambda b: b.documents.remove(b.one("NetworkPolicy", "infra-health-jobs"))),
        ("out: Postgres is named by namespace and pod, or by address", lambda b: b.one(
            "NetworkPolicy", "infra-health-jobs")["spec"]["egress"][0]["to"][0].pop("podSelector")),
        ("no secret in a variable", lambda b: b.container["env"].append({"name": "JOBS_DATABASE_URL", "value": "x" * 16})),
        ("no secret in a variable", lambda b: b.container["env"].append({"name": "API_KEYS", "value": "x" * 16})),
    ]
    return [(name, spoil(change)) for name, change in table]
