-- Ends a gateway that has died: what it reserved is given back, and all its reservations are over.
-- KEYS: leases, over. ARGV: prefix of reservations, instance, how long to remember. Answers: how many there were.
local leases, over = KEYS[1], KEYS[2]
local ALL = '9007199254740991'
local mine = ARGV[2] .. '-'
local count = 0
for _, id in ipairs(redis.call('ZRANGE', leases, 0, -1)) do
  if string.sub(id, 1, #mine) == mine then
    give_back(ARGV[1] .. id)
    redis.call('ZREM', leases, id)
    count = count + 1
  end
end
set_over(over, ALL, ALL, ARGV[3])
return count
