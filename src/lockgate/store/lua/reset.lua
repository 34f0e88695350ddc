-- Sets counters to zero and arms their thresholds; reservations stay. KEYS: counters. Answers: 1 for each that counted.
local changed = {}
for at, counter in ipairs(KEYS) do
  changed[at] = redis.call('HDEL', counter, 'u', 't', 'c') > 0 and 1 or 0
end
return changed
