#!/bin/sh
# Token counts through Lockgate with curl: the question, then with system prompt and tool. Needs curl and jq.
#
#   LOCKGATE_API_KEY=... sh count_tokens.sh
set -eu

key=${LOCKGATE_API_KEY:?Set LOCKGATE_API_KEY to a key of your gateway.}
url=${LOCKGATE_BASE_URL:-http://127.0.0.1:8787}/v1/messages/count_tokens
# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
model=${LOCKGATE_MODEL:-@anthropic/claude-sonnet-5-5}
command -v jq >/dev/null || { echo "This example needs jq." >&2; exit 1; }

# Sends the body given on standard input. An error status prints the answer's body and ends the script.
# The key goes through a config on a file descriptor, so that it does not show in the list of processes.
send() {
  curl --silent --show-error --fail-with-body --config /dev/fd/3 "$url" \
    --header "content-type: application/json" --header "anthropic-version: 2023-06-01" --data-binary @- 3<<EOF
header = "x-api-key: $key"
EOF
}

fail() {
  echo "$1" >&2
  exit 1
}

request=$(jq -n --arg model "$model" '{
  model: $model, messages: [{role: "user", content: "What is the weather in Chennai?"}]}')
reply=$(printf '%s' "$request" | send) || fail "The count failed: $reply"
bare=$(printf '%s' "$reply" | jq -er '.input_tokens') || fail "There is no count: $reply"
printf 'Question: %s tokens\n' "$bare"

reply=$(printf '%s' "$request" | jq '. + {
  system: "You answer in one sentence.",
  tools: [{
    name: "get_weather", description: "Return the current weather of a city.",
    input_schema: {type: "object", properties: {city: {type: "string"}}, required: ["city"]}
  }]}' | send) || fail "The second count failed: $reply"
full=$(printf '%s' "$reply" | jq -er '.input_tokens') || fail "There is no second count: $reply"
[ "$bare" -lt "$full" ] || fail "The counts make no sense: $bare and $full."
printf 'With system prompt and tool: %s tokens\n' "$full"
