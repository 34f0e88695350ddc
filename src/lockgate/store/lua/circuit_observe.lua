-- Counts one answer of a target. The circuit's own end of life closes it, or begins its count anew.
-- KEYS: circuit, all that are open, all there are. ARGV: its name, failure (0 or 1), whether that opens it at once,
-- cooldown in ms, failures that open it (0: none), share of failures that opens it (0: none), answers that the share
-- needs, how many circuits are kept. Answers: failures, successes, open (0 or 1), what is left of its life in ms.
local kept = redis.call('HMGET', KEYS[1], 'f', 's', 'o')
local failures, successes, open = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
if open == 0 then
  local now = redis.call('TIME')
  now = now[1] * 1000 + math.floor(now[2] / 1000)
  if failures + successes == 0 then
    if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[8]) then
      redis.call('DEL', redis.call('ZPOPMIN', KEYS[3])[1])
    end
    redis.call('ZADD', KEYS[3], now, KEYS[1])
  end
  if ARGV[2] == '1' then
    failures = redis.call('HINCRBY', KEYS[1], 'f', 1)
  else
    successes = redis.call('HINCRBY', KEYS[1], 's', 1)
  end
  if ARGV[2] == '1' or failures + successes == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
  end
  local most, share, total = tonumber(ARGV[5]), tonumber(ARGV[6]), failures + successes
  local is_too_much = (most > 0 and failures >= most)
    or (share > 0 and total >= tonumber(ARGV[7]) and failures * 100 >= share * total)
  if ARGV[2] == '1' and (ARGV[3] == '1' or is_too_much) then
    open = 1
    redis.call('HSET', KEYS[1], 'o', 1)
    redis.call('ZADD', KEYS[2], now + ARGV[4], ARGV[1])
  end
end
return {failures, successes, open, redis.call('PTTL', KEYS[1])}
