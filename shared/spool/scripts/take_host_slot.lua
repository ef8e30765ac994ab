-- ARGV: host, replica, slot, max connections, lease seconds, seconds that a request is remembered.
-- Returns 1 if the caller now holds the slot; else 0, and its request is remembered.
-- A waiting replica with fewer slots has priority over a replica with more.
exceed_memory()
local slots, wanted, replica = SLOTS .. ARGV[1], WANTED .. ARGV[1], ARGV[2]
local now, seconds = seconds_now(), tonumber(ARGV[5])
bound_scores(slots, now, seconds)
bound_scores(wanted, now, tonumber(ARGV[6]))

local held = slots_by_replica(slots)
local mine, free = held[replica] or 0, redis.call('ZCARD', slots) < tonumber(ARGV[4])
for _, other in ipairs(redis.call('ZRANGE', wanted, 0, -1)) do
  if other ~= replica and (held[other] or 0) < mine then free = false end
end
if free then
  redis.call('ZADD', slots, now + seconds, ARGV[3])
  redis.call('EXPIRE', slots, math.ceil(seconds * 2))
  redis.call('ZREM', wanted, replica)
  return 1
end
redis.call('ZADD', wanted, now + tonumber(ARGV[6]), replica)
redis.call('EXPIRE', wanted, math.ceil(tonumber(ARGV[6]) * 2))
return 0
