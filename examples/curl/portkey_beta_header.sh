#!/bin/sh
# Anthropic's beta features through Lockgate with curl and Portkey's headers. Needs curl and jq.
#
#   LOCKGATE_API_KEY=... sh portkey_beta_header.sh
set -eu

key=${LOCKGATE_API_KEY:?Set LOCKGATE_API_KEY to a key of your gateway.}
url=${LOCKGATE_BASE_URL:-http://127.0.0.1:8787}/v1/chat/completions
# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
model=${LOCKGATE_MODEL:-@anthropic/claude-sonnet-5-5}
command -v jq >/dev/null || { echo "This example needs jq." >&2; exit 1; }

# Sends the body given on standard input, with beta flags. An error status prints the answer's body and ends the script.
# The key goes through a config on a file descriptor, so that it does not show in the list of processes.
send() {
  curl --silent --show-error --fail-with-body --config /dev/fd/3 "$url" \
    --header "content-type: application/json" --header "x-portkey-anthropic-beta: $1" --data-binary @- 3<<EOF
header = "x-portkey-api-key: $key"
EOF
}

fail() {
  echo "$1" >&2
  exit 1
}

ask() {
  reply=$(jq -n --arg model "$model" '{
    model: $model, max_tokens: 250,
    messages: [{role: "user", content: "What does an AI gateway do?"}]}' | send "$1") || fail "The call failed: $reply"
  printf '%s' "$reply" | jq -er '.choices[0].message.content' || fail "The answer is empty: $reply"
}

text=$(ask "token-efficient-tools-2025-02-19")
printf 'One flag: %s\n' "$text"
text=$(ask "token-efficient-tools-2025-02-19,context-1m-2025-08-07")
printf 'Two flags: %s\n' "$text"
