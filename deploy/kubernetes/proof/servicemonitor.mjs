// Validates a ServiceMonitor (JSON on standard input) with prometheus-operator's published schema.
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const { apiVersion, kind, ...rest } = JSON.parse(readFileSync(0, "utf8"));
const monitor = new ServiceMonitor(rest);
if (apiVersion !== monitor.apiVersion || kind !== monitor.kind) {
  throw new Error(`not a ${monitor.apiVersion} ${monitor.kind}`);
}
monitor.validate();

// The schema lets unknown fields pass, and the API server drops them in silence: a slip would go unseen.
const schema = import.meta.resolve("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor");
const fields = (type) => readFileSync(fileURLToPath(new URL(`${type}.d.ts`, schema)), "utf8");
const [spec, endpoint] = ["ServiceMonitorSpec", "Endpoint"].map(fields);
for (const [place, known, object] of [["spec", spec, rest.spec], ...rest.spec.endpoints.map((e) => ["endpoint", endpoint, e])]) {
  for (const name of Object.keys(object)) {
    if (!new RegExp(`"${name}"\\??:`).test(known)) throw new Error(`${place}: unknown field ${name}`);
  }
}
console.log("valid");
