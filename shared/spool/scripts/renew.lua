-- ARGV: lease seconds, then queue, id, token of each lease. Returns the ids whose lease is lost.
exceed_memory()
local expires, lost = seconds_now() + tonumber(ARGV[1]), {}
for i = 2, #ARGV, 3 do
  local queue, id, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local member = id .. ':' .. token
  if redis.call('HGET', record_key(queue, id), 'lease') == token
    and redis.call('ZSCORE', RQ_STARTED .. queue, member) then
    redis.call('ZADD', RQ_STARTED .. queue, 'XX', expires, member)
  else
    lost[#lost + 1] = id
  end
end
return lost
