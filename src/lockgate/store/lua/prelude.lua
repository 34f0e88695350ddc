-- Before each script. Budgets' amounts are decimal text and exact beyond 2^53, which Lua's numbers are not: they are
-- compared as two parts, whole thousands of millions and the rest, and added by HINCRBY, which counts in 64 bits.
local FULL = 8000000000

local function split(text)
  if not text then return 0, 0 end
  local length = #text
  if length <= 9 then return 0, tonumber(text) end
  return tonumber(string.sub(text, 1, length - 9)), tonumber(string.sub(text, length - 8))
end

local function plus(high, low, text)
  local more_high, more_low = split(text)
  local sum = low + more_low
  if sum >= 1000000000 then return high + more_high + 1, sum - 1000000000 end
  return high + more_high, sum
end

local function compare(high, low, other_high, other_low)
  if high ~= other_high then return high < other_high and -1 or 1 end
  if low ~= other_low then return low < other_low and -1 or 1 end
  return 0
end

-- Takes an amount from what a counter reserves; a counter that then counts nothing is gone.
local function unreserve(key, amount)
  if amount == '0' then return end
  redis.call('HINCRBY', key, 'r', '-' .. amount)
  local left = redis.call('HGET', key, 'r')
  if left == '0' or string.sub(left, 1, 1) == '-' then
    redis.call('HDEL', key, 'r')
  end
end

local function give_back(reservation)
  local held = redis.call('HGETALL', reservation)
  for i = 1, #held, 2 do unreserve(held[i], held[i + 1]) end
  redis.call('DEL', reservation)
  return #held > 0
end

-- Gives back what reservations hold whose lease is over.
local function sweep(leases, prefix, now)
  while true do
    local due = redis.call('ZRANGEBYSCORE', leases, '-inf', now, 'LIMIT', 0, 200)
    if #due == 0 then return end
    for _, id in ipairs(due) do give_back(prefix .. id) end
    redis.call('ZREM', leases, unpack(due))
  end
end

-- A gateway numbers its reservations. Which ones are over: all up to the member "w", and the members themselves.
local function is_over(over, number)
  local all = redis.call('ZSCORE', over, 'w')
  if all and tonumber(all) >= tonumber(number) then return true end
  return redis.call('ZSCORE', over, number) ~= false
end

local function set_over(over, number, all, keep_ms)
  local known = redis.call('ZSCORE', over, 'w')
  if all ~= '' and (not known or tonumber(known) < tonumber(all)) then
    redis.call('ZREMRANGEBYSCORE', over, '-inf', all)
    redis.call('ZADD', over, all, 'w')
  end
  redis.call('ZADD', over, number, number)
  redis.call('PEXPIRE', over, keep_ms)
end
