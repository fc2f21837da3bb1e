#!/bin/sh
# Sends one signed job event to infra-health and prints the answer. openssl and curl, nothing else.
#
#   JOB_WEBHOOK_SECRET=… sh send.sh http://localhost:8080/webhooks/jobs [file with the body]
#
# DELIVERY_ID is the delivery's id; without it a new one. Exit codes: 0 taken, 1 not to be sent again as it is,
# 75 to be sent again later, with the same id. By hand only: who is on this machine can see the arguments of
# openssl, and with them the secret.
set -eu
if [ $# -lt 1 ] || [ -z "${JOB_WEBHOOK_SECRET:-}" ]; then
  echo 'usage: JOB_WEBHOOK_SECRET=… sh send.sh URL [FILE]' >&2
  exit 2
fi

id=$(openssl rand -hex 16)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
body=${2:-$folder/body}
[ $# -ge 2 ] || printf '{"event":"job.completed","job_id":"job_%s","model":"matting-hd"}' "$id" >"$body"

timestamp=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# What is signed is what is sent: the body's very bytes, never made a second time.
signature=$({ printf '%s.' "$timestamp"; cat "$body"; } | openssl dgst -sha256 -hmac "$JOB_WEBHOOK_SECRET" | sed 's/.* //')

status=$(curl --silent --show-error --max-time 15 --output "$folder/answer" --write-out '%{http_code}' \
  -H 'Content-Type: application/json' \
  -H "X-Webhook-Delivery-Id: ${DELIVERY_ID:-$id}" \
  -H "X-Webhook-Timestamp: $timestamp" \
  -H "X-Webhook-Signature: sha256=$signature" \
  --data-binary "@$body" "$1") || exit 75
case $status in
  2??) echo "$status $(cat "$folder/answer")" ;;
  408 | 429 | 5??) echo "$status $(cat "$folder/answer")" >&2; exit 75 ;;
  *) echo "$status $(cat "$folder/answer")" >&2; exit 1 ;;
esac
