#!/bin/sh
# Claude's web search through Lockgate with curl and Portkey's headers: an answer and its citations. Needs curl and jq.
#
#   LOCKGATE_API_KEY=... sh portkey_web_search.sh
set -eu

key=${LOCKGATE_API_KEY:?Set LOCKGATE_API_KEY to a key of your gateway.}
url=${LOCKGATE_BASE_URL:-http://127.0.0.1:8787}/v1/chat/completions
# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
model=${LOCKGATE_MODEL:-@anthropic/claude-haiku-4-5}
command -v jq >/dev/null || { echo "This example needs jq." >&2; exit 1; }

# Sends the body given on standard input. An error status prints the answer's body and ends the script.
# The key goes through a config on a file descriptor, so that it does not show in the list of processes.
# Without strict compliance the answer has content blocks, which hold the citations.
send() {
  curl --silent --show-error --fail-with-body --config /dev/fd/3 "$url" \
    --header "content-type: application/json" --header "x-portkey-strict-open-ai-compliance: false" \
    --data-binary @- 3<<EOF
header = "x-portkey-api-key: $key"
EOF
}

fail() {
  echo "$1" >&2
  exit 1
}

reply=$(jq -n --arg model "$model" '{
  model: $model, max_tokens: 1024,
  messages: [{role: "user", content: "What is the latest news on Poland?"}],
  tools: [{type: "web_search", web_search: {name: "web_search_20250305", max_uses: 2}}]}' | send) \
  || fail "The call failed: $reply"
text=$(printf '%s' "$reply" | jq -er '.choices[0].message.content') || fail "The answer is empty: $reply"
printf 'Answer: %s\n' "$text"
sources=$(printf '%s' "$reply" | jq -r '[.choices[0].message.content_blocks[].citations[]?.url] | unique | join(", ")')
[ -n "$sources" ] || fail "The answer cites nothing: $reply"
printf 'Sources: %s\n' "$sources"
