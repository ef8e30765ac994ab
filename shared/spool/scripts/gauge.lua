-- ARGV: queue. Returns {ready, leased, scheduled, dead, milliseconds that the oldest ready job waited}.
local queue, age = ARGV[1], 0
local head = redis.call('LINDEX', RQ_QUEUE .. queue, 0)
if head then
  local queued_at = redis.call('HGET', record_key(queue, head), 'queued_at')
  if queued_at then age = math.max(0, seconds_now() - tonumber(queued_at)) end
end
return {redis.call('LLEN', RQ_QUEUE .. queue), redis.call('ZCARD', RQ_STARTED .. queue),
  redis.call('ZCARD', RQ_SCHEDULED .. queue), redis.call('ZCARD', RQ_FAILED .. queue), math.floor(age * 1000)}
