#!/bin/sh
# Chat Completions through Lockgate with curl: a plain call, a streamed call, a tool call. Needs curl and jq.
#
#   LOCKGATE_API_KEY=... sh chat.sh
set -eu

key=${LOCKGATE_API_KEY:?Set LOCKGATE_API_KEY to a key of your gateway.}
url=${LOCKGATE_BASE_URL:-http://127.0.0.1:8787}/v1/chat/completions
# "@slug/model": the slug names a provider that Lockgate knows, the rest is that provider's own model id.
model=${LOCKGATE_MODEL:-@anthropic/claude-sonnet-5-5}
command -v jq >/dev/null || { echo "This example needs jq." >&2; exit 1; }

# Sends the body given on standard input. An error status prints the answer's body and ends the script.
# The key goes through a config on a file descriptor, so that it does not show in the list of processes.
send() {
  curl --silent --show-error --fail-with-body --config /dev/fd/3 "$url" \
    --header "content-type: application/json" --data-binary @- 3<<EOF
header = "authorization: Bearer $key"
EOF
}

fail() {
  echo "$1" >&2
  exit 1
}

# --- plain ---
reply=$(jq -n --arg model "$model" '{
  model: $model, max_tokens: 250,
  messages: [
    {role: "system", content: "You answer in one sentence."},
    {role: "user", content: "What does an AI gateway do?"}
  ]}' | send) || fail "The plain call failed: $reply"
text=$(printf '%s' "$reply" | jq -er '.choices[0].message.content') || fail "The plain answer is empty: $reply"
printf 'Plain: %s\n' "$text"

# --- streamed: events are lines that begin with "data: "; the last one is "data: [DONE]" ---
events=$(jq -n --arg model "$model" '{
  model: $model, max_tokens: 500, stream: true,
  messages: [{role: "user", content: "Tell me a very short story."}]}' | send) || fail "The streamed call failed: $events"
printf '%s\n' "$events" | grep -q '^data: \[DONE\]' || fail "The stream was not complete: $events"
text=$(printf '%s\n' "$events" | sed -n -e '/\[DONE\]/d' -e 's/^data: //p' | jq -rj '.choices[]?.delta.content // ""')
[ -n "$text" ] || fail "The stream has no text: $events"
printf 'Streamed: %s\n' "$text"

# --- tool call ---
request=$(jq -n --arg model "$model" '{
  model: $model, max_tokens: 500,
  messages: [{role: "user", content: "What is the weather in Chennai? Use the tool."}],
  tools: [{type: "function", function: {
    name: "get_weather", description: "Return the current weather of a city.",
    parameters: {type: "object", properties: {city: {type: "string"}}, required: ["city"], additionalProperties: false}
  }}]}')
reply=$(printf '%s' "$request" | send) || fail "The tool call failed: $reply"
call=$(printf '%s' "$reply" | jq -ec '.choices[0].message.tool_calls[0]') || fail "The model called no tool: $reply"
result=$(printf '%s' "$call" | jq -c '.function.arguments | fromjson | {city, sky: "sunny", temperature_c: 31}')
printf 'Tool call: %s -> %s\n' "$(printf '%s' "$call" | jq -r '.function | "\(.name)(\(.arguments))"')" "$result"

# Every call of the assistant's turn needs its answer; the model then writes the final text.
reply=$(printf '%s' "$request" | jq --argjson reply "$reply" --arg result "$result" '
  ($reply.choices[0].message) as $said
  | .messages += [$said] + [$said.tool_calls[] | {role: "tool", tool_call_id: .id, content: $result}]' | send) \
  || fail "The call with the tool's result failed: $reply"
text=$(printf '%s' "$reply" | jq -er '.choices[0].message.content') || fail "There is no final answer: $reply"
printf 'Final answer: %s\n' "$text"
