-- Sets counters to zero and arms their thresholds; reservations stay, and it is kept what was taken. KEYS: counters. Answers: 1 for each that counted.
local changed = {}
for at, counter in ipairs(KEYS) do
  local used = redis.call('HGET', counter, 'u')
  if used then redis.call('HINCRBY', counter, 'z', used) end
  changed[at] = redis.call('HDEL', counter, 'u', 't', 'c') > 0 and 1 or 0
end
return changed
