#!/bin/sh
# Anthropic Messages through Lockgate with curl and Portkey's headers: a plain call and a streamed one. Needs curl and jq.
#
#   LOCKGATE_API_KEY=... sh portkey_messages.sh
set -eu

key=${LOCKGATE_API_KEY:?Set LOCKGATE_API_KEY to a key of your gateway.}
url=${LOCKGATE_BASE_URL:-http://127.0.0.1:8787}/v1/messages
# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
model=${LOCKGATE_MODEL:-@anthropic/claude-sonnet-5-5}
command -v jq >/dev/null || { echo "This example needs jq." >&2; exit 1; }

# Sends the body given on standard input. An error status prints the answer's body and ends the script.
# The key goes through a config on a file descriptor, so that it does not show in the list of processes.
send() {
  curl --silent --show-error --fail-with-body --config /dev/fd/3 "$url" \
    --header "content-type: application/json" --header "x-portkey-provider: ${model%%/*}" --data-binary @- 3<<EOF
header = "x-portkey-api-key: $key"
EOF
}

fail() {
  echo "$1" >&2
  exit 1
}

# The provider is in a header here, so the body names the model alone.
request=$(jq -n --arg model "${model#*/}" '{
  model: $model, max_tokens: 1024,
  messages: [{role: "user", content: "What does an AI gateway do?"}]}')

# --- plain ---
reply=$(printf '%s' "$request" | send) || fail "The plain call failed: $reply"
text=$(printf '%s' "$reply" | jq -er '[.content[] | select(.type == "text").text] | join("") | select(length > 0)') \
  || fail "The plain answer is empty: $reply"
printf 'Plain: %s\n' "$text"

# --- streamed: the last event is message_stop ---
events=$(printf '%s' "$request" | jq '.stream = true' | send) || fail "The streamed call failed: $events"
printf '%s\n' "$events" | grep -q '^event: message_stop' || fail "The stream was not complete: $events"
text=$(printf '%s\n' "$events" | sed -n 's/^data: //p' | jq -rj 'select(.type == "content_block_delta").delta.text // ""')
[ -n "$text" ] || fail "The stream has no text: $events"
printf 'Streamed: %s\n' "$text"
