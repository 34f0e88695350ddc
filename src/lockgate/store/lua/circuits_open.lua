-- Tells which circuits are open. KEYS: all that are open. ARGV: how many to tell. Answers: a name and for how many ms, each.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local found = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')
for at = 2, #found, 2 do
  found[at] = found[at] - now
end
return found
