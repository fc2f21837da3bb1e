#!/usr/bin/env node
// Sends one signed job event to infra-health and prints the answer. Node.js 20 or newer, nothing else.
//
//   JOB_WEBHOOK_SECRET=… node send.mjs http://localhost:8080/webhooks/jobs [file with the body]
//
// DELIVERY_ID is the delivery's id; without it a new one. Exit codes: 0 taken, 1 not to be sent again as it is,
// 75 to be sent again later, with the same id.
import { createHmac, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

const [url, file] = process.argv.slice(2);
const secret = process.env.JOB_WEBHOOK_SECRET;
if (!url || !secret) {
  console.error("usage: JOB_WEBHOOK_SECRET=… node send.mjs URL [FILE]");
  process.exit(2);
}

const event = {
  event: "job.completed",
  job_id: `job_${randomUUID()}`,
  model: "matting-hd",
  output_format: "webm",
  request_id: `req_${randomUUID()}`,
};
const body = file ? readFileSync(file) : JSON.stringify(event);
const timestamp = new Date().toISOString();
// What is signed is what is sent: the body's very bytes, never made a second time.
const signature = createHmac("sha256", secret).update(`${timestamp}.`).update(body).digest("hex");

let response;
try {
  response = await fetch(url, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      "X-Webhook-Delivery-Id": process.env.DELIVERY_ID ?? randomUUID(),
      "X-Webhook-Timestamp": timestamp,
      "X-Webhook-Signature": `sha256=${signature}`,
    },
    body,
    signal: AbortSignal.timeout(15_000),
  });
} catch (error) {
  console.error(`no answer: ${error.cause?.message ?? error.message}`);
  process.exit(75);
}

// A proxy's own answer need not be JSON.
const answer = await response.json().catch(() => ({}));
if (response.ok) {
  console.log(response.status, JSON.stringify(answer));
} else {
  const { code, message, request_id } = answer.error ?? {};
  console.error(`${response.status} ${code}: ${message} (${request_id})`);
  process.exitCode = [408, 429].includes(response.status) || response.status >= 500 ? 75 : 1;
}
