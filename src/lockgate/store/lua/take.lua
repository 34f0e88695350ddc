-- Reserve or adjust: all steps are admitted, or nothing changes.
-- KEYS: leases, reservation, over, then by step a counter, or for a rate its running, former and own window.
-- ARGV: id, prefix of reservations, number, now, until, "first" for a reservation, end of a lease that is no running
-- request's, then by step:
--   budget ("b"), concurrency ("c"): kind, mode, cap, amount, spent before, -, ttl
--   rate ("r"): kind, mode, cap, asked, window, elapsed, ttl
-- Mode: "s" strict, "o" open, "g" gliding, "f" fixed window, "-" may not refuse. Times are milliseconds.
-- Answers: {1}; {0, step, numbers of the counter that refused, of a budget then what lasting reservations hold there,
-- one by one}; {2} when the reservation is over.
local STEP, FIRST, MOST_LASTING = 7, 7, 100
local leases, reservation, over = KEYS[1], KEYS[2], KEYS[3]
sweep(leases, ARGV[2], ARGV[4])
if is_over(over, ARGV[3]) then return {2} end
-- sent again after a broken connection
if ARGV[6] == 'first' and redis.call('ZSCORE', leases, ARGV[1]) then return {1} end

local function budget_has_room(mode, cap, amount, before, used, reserved, taken)
  local used_high, used_low = plus(0, 0, used)
  local cap_high, cap_low = split(cap)
  local spent_high, spent_low = plus(used_high, used_low, before)
  if compare(spent_high, spent_low, cap_high, cap_low) >= 0 then return false end
  local limit_high, limit_low = plus(cap_high, cap_low, taken)
  if mode == 'o' then
    local high, low = plus(spent_high, spent_low, reserved)
    return compare(high, low, limit_high, limit_low) < 0
  end
  local high, low = plus(used_high, used_low, reserved)
  high, low = plus(high, low, amount)
  return compare(high, low, limit_high, limit_low) <= 0
end

local function add_lasting(answer, counter)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '(' .. ARGV[7], '+inf', 'LIMIT', 0, MOST_LASTING)) do
    local amount = redis.call('HGET', ARGV[2] .. id, counter)
    if amount then table.insert(answer, amount) end
  end
  return answer
end

local function rate_has_room(mode, cap, asked, window, elapsed, running, former)
  if cap == 0 then return false end
  if mode == 'f' then return running + math.min(math.max(former - cap, 0), cap) + asked <= cap end
  return (running + asked) * window + former * (window - elapsed) <= cap * window
end

local key = 4
for step = 0, (#ARGV - FIRST) / STEP - 1 do
  local at = FIRST + step * STEP
  local kind, mode, cap, amount = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  if kind == 'r' then
    if mode ~= '-' then
      local running = redis.call('GET', KEYS[key]) or '0'
      local former = redis.call('GET', KEYS[key + 1]) or '0'
      if not rate_has_room(mode, tonumber(cap), tonumber(amount), tonumber(ARGV[at + 5]), tonumber(ARGV[at + 6]),
          tonumber(running), tonumber(former)) then
        return {0, step, running, former}
      end
    end
    key = key + 3
  else
    local held = redis.call('HMGET', KEYS[key], 'u', 'r')
    local used, reserved = held[1] or '0', held[2] or '0'
    local taken = redis.call('HGET', reservation, KEYS[key]) or '0'
    local has_room = true
    if kind == 'c' then
      has_room = mode == '-' or tonumber(reserved) - tonumber(taken) < tonumber(cap)
    elseif mode ~= '-' then
      has_room = budget_has_room(mode, cap, amount, ARGV[at + 5], used, reserved, taken)
    end
    if not has_room or plus(0, 0, reserved) >= FULL then
      local answer = {0, step, used, reserved, taken}
      return kind == 'b' and add_lasting(answer, KEYS[key]) or answer
    end
    key = key + 1
  end
end

key = 4
for step = 0, (#ARGV - FIRST) / STEP - 1 do
  local at = FIRST + step * STEP
  local kind, amount, ttl = ARGV[at + 1], ARGV[at + 4], ARGV[at + 7]
  if kind == 'r' then
    if amount ~= '0' then
      local window = KEYS[key + 2]
      if redis.call('INCRBY', window, amount) < 0 then redis.call('SET', window, '0') end
      redis.call('PEXPIRE', window, ttl)
    end
    key = key + 3
  else
    local counter = KEYS[key]
    unreserve(counter, redis.call('HGET', reservation, counter) or '0')
    if amount == '0' then
      redis.call('HDEL', reservation, counter)
    else
      redis.call('HINCRBY', counter, 'r', amount)
      redis.call('HSET', reservation, counter, amount)
      if ttl ~= '' then redis.call('PEXPIRE', counter, ttl) end
    end
    key = key + 1
  end
end
redis.call('ZADD', leases, ARGV[5], ARGV[1])
return {1}
