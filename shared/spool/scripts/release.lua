-- ARGV: queue, id, token of each lease. Returns the jobs to the head of their queues, as if they had not been leased.
exceed_memory()
local now = seconds_now()
for i = #ARGV - 2, 1, -3 do
  local queue, id, token = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if redis.call('HGET', record_key(queue, id), 'lease') == token then
    redis.call('ZREM', RQ_STARTED .. queue, id .. ':' .. token)
    redis.call('ZREM', RQ_FAILED .. queue, id) -- RQ may have registered it as failed meanwhile
    enqueue(queue, id, now, 'LPUSH')
  end
end
