-- Settle or release: what was reserved is given back, what was used is counted, once.
-- KEYS: leases, reservation, over, then by charge: for a budget its counter, groups and periods; for a rate its window.
-- ARGV: id, mode, number, all numbers up to this are over, how long to remember that, then by charge:
--   budget ("b"): kind, amount, ttl, group, period, cap, thresholds (ascending, with the cap; none when replayed)
--   rate ("r"): kind, difference, ttl, -, -, -, -
-- Mode: "s" settle, "r" release, which changes rates only as long as the reservation holds.
-- Answers: the thresholds that were reached, as charge, threshold, used.
local CHARGE, FIRST = 7, 5
local leases, reservation, over = KEYS[1], KEYS[2], KEYS[3]
if is_over(over, ARGV[3]) then return {} end
local was_held = give_back(reservation)
was_held = redis.call('ZREM', leases, ARGV[1]) == 1 or was_held
set_over(over, ARGV[3], ARGV[4], ARGV[5])
if ARGV[2] == 'r' and not was_held then return {} end

local reached = {}

local function tell(charge, counter, at, used)
  local cap, thresholds = ARGV[at + 6], ARGV[at + 7]
  if cap == '' then return end
  local told = redis.call('HMGET', counter, 't', 'c')
  local cap_high, cap_low = split(cap)
  local old_high, old_low = split(told[2])
  local now_told = told[1] or '0'
  if compare(cap_high, cap_low, old_high, old_low) > 0 then now_told = '0' end
  local told_high, told_low = split(now_told)
  local used_high, used_low = split(used)
  for threshold in string.gmatch(thresholds, '%d+') do
    local high, low = split(threshold)
    if compare(high, low, told_high, told_low) > 0 and compare(high, low, used_high, used_low) <= 0 then
      reached[#reached + 1] = charge
      reached[#reached + 1] = threshold
      reached[#reached + 1] = used
      now_told = threshold
    end
  end
  redis.call('HSET', counter, 't', now_told, 'c', cap)
end

local key = 4
for charge = 0, (#ARGV - FIRST) / CHARGE - 1 do
  local at = FIRST + charge * CHARGE
  local kind, amount, ttl = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  if kind == 'r' then
    local window = KEYS[key]
    if amount ~= '0' and (string.sub(amount, 1, 1) ~= '-' or redis.call('EXISTS', window) == 1) then
      if redis.call('INCRBY', window, amount) < 0 then redis.call('SET', window, '0') end
      redis.call('PEXPIRE', window, ttl)
    end
    key = key + 1
  else
    local counter = KEYS[key]
    if amount ~= '0' and plus(0, 0, redis.call('HGET', counter, 'u')) < FULL then
      redis.call('HINCRBY', counter, 'u', amount)
      local used = redis.call('HGET', counter, 'u')
      if used == amount then
        redis.call('SADD', KEYS[key + 1], ARGV[at + 4])
        redis.call('ZADD', KEYS[key + 2], string.match(ARGV[at + 5], '^%d+'), ARGV[at + 5])
      end
      if ttl ~= '' then
        for more = 0, 2 do redis.call('PEXPIRE', KEYS[key + more], ttl) end
      end
      tell(charge, counter, at, used)
    end
    key = key + 3
  end
end
return reached
