// Signatures as Node's usual snippet makes them: of each {secret, timestamp, body} of the JSON list on standard
// input, a line each.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

for (const { secret, timestamp, body } of JSON.parse(readFileSync(0, "utf8"))) {
  console.log(createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex"));
}
