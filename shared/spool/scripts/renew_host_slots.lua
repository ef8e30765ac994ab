-- ARGV: replica, lease seconds, then host and slot of each connection.
-- Returns {expired slots, hosts of which one slot should be released}. An expired slot is counted again: the connection
-- still exists.
exceed_memory()
local replica, seconds, now = ARGV[1], tonumber(ARGV[2]), seconds_now()
local lost, wishes, seen = {}, {}, {}
for i = 3, #ARGV, 2 do
  local host, slot = ARGV[i], ARGV[i + 1]
  local until_when = redis.call('ZSCORE', SLOTS .. host, slot)
  if not until_when or tonumber(until_when) <= now then lost[#lost + 1] = slot end
  redis.call('ZADD', SLOTS .. host, now + seconds, slot)
  redis.call('EXPIRE', SLOTS .. host, math.ceil(seconds * 2))
  seen[host] = true
end
for host in pairs(seen) do
  redis.call('ZREMRANGEBYSCORE', WANTED .. host, '-inf', now)
  local held = slots_by_replica(SLOTS .. host)
  for _, other in ipairs(redis.call('ZRANGE', WANTED .. host, 0, -1)) do
    if other ~= replica and (held[other] or 0) + 1 < held[replica] then
      wishes[#wishes + 1] = host
      break
    end
  end
end
return {lost, wishes}
