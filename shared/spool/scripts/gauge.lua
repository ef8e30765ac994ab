-- ARGV: queue. Returns {ready, leased, scheduled, dead, milliseconds that the oldest ready job waited, milliseconds since
-- the oldest message with a scheduled job was accepted}. Constant time: reads only the last thousand scheduled jobs.
local queue, now = ARGV[1], seconds_now()
local ready_since, accepted_at = now, now
local head = redis.call('LINDEX', RQ_QUEUE .. queue, 0)
if head then ready_since = tonumber(redis.call('HGET', record_key(queue, head), 'queued_at')) or now end
for _, id in ipairs(redis.call('ZREVRANGE', RQ_SCHEDULED .. queue, 0, 999)) do
  local milliseconds = tonumber(string.sub(id, 1, 12), 16) -- the first 12 digits of a message id (UUIDv7)
  if milliseconds then accepted_at = math.min(accepted_at, milliseconds / 1000) end
end

local function milliseconds_since(moment) return math.floor(math.max(0, now - moment) * 1000) end

return {redis.call('LLEN', RQ_QUEUE .. queue), redis.call('ZCARD', RQ_STARTED .. queue),
  redis.call('ZCARD', RQ_SCHEDULED .. queue), redis.call('ZCARD', RQ_FAILED .. queue),
  milliseconds_since(ready_since), milliseconds_since(accepted_at)}
