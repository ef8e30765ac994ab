-- ARGV: lease seconds, then queue, id, token of each lease. Returns the ids whose lease is lost.
exceed_memory()
local now, seconds, lost = seconds_now(), tonumber(ARGV[1]), {}

-- When workers are too busy to check for expired leases, their renewals show that there is no pause.
local function witness(queue)
  local last = tonumber(redis.call('HGET', TICK .. queue, 'last') or now)
  if now > last and now <= last + longest_gap(seconds) then redis.call('HSET', TICK .. queue, 'last', now) end
end

for i = 2, #ARGV, 3 do
  local queue, id, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local member = id .. ':' .. token
  if queue ~= ARGV[i - 3] then witness(queue) end
  if redis.call('HGET', record_key(queue, id), 'lease') == token
    and redis.call('ZSCORE', RQ_STARTED .. queue, member) then
    redis.call('ZADD', RQ_STARTED .. queue, 'XX', now + seconds, member)
  else
    lost[#lost + 1] = id
  end
end
return lost
