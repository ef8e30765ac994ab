-- ARGV: queue, limit. Moves due retries to the queue. Returns how many.
exceed_memory()
local queue, now = ARGV[1], seconds_now()
local due = redis.call('ZRANGEBYSCORE', RQ_SCHEDULED .. queue, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZREM', RQ_SCHEDULED .. queue, id)
  if redis.call('HGET', record_key(queue, id), 'state') == 'waiting' then enqueue(queue, id, now) end
end
return #due
