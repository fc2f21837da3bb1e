// Validates a ServiceMonitor (JSON on standard input) with prometheus-operator's published schema.
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { apiVersion, kind, ...rest } = JSON.parse(readFileSync(0, "utf8"));
const monitor = new ServiceMonitor(rest);
if (apiVersion !== monitor.apiVersion || kind !== monitor.kind) {
  throw new Error(`not a ${monitor.apiVersion} ${monitor.kind}`);
}
monitor.validate();

// The schema lets unknown fields pass, and the API server drops them in silence: a slip would go unseen.
const require = createRequire(import.meta.url);
const types = require.resolve("@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor")
  .replace(/\.m?js$/, "Spec.d.ts");
const known = readFileSync(types, "utf8");
for (const [place, object] of [["spec", rest.spec], ...rest.spec.endpoints.map((e, i) => [`endpoints/${i}`, e])]) {
  for (const name of Object.keys(object)) {
    if (!new RegExp(`"${name}"\\??:`).test(known)) throw new Error(`${place}: unknown field ${name}`);
  }
}
console.log("valid");
