-- ARGV: id, history seconds. Removes a dead letter permanently. Returns 1, or 0 if the id is not a dead letter.
exceed_memory()
local id = ARGV[1]
if not redis.call('ZSCORE', DEAD, id) then return 0 end
local now = seconds_now()
redis.call('ZREM', DEAD, id)
if redis.call('EXISTS', MESSAGE .. id) == 1 then
  note_that('discarded', TRANSFORM, id, now)
  drop_job(TRANSFORM, id)
  redis.call('HSET', MESSAGE .. id, 'state', 'delivering')
  finish_message(id, tonumber(ARGV[2]))
else
  local record = redis.call('HMGET', DELIVERY .. id, 'message', 'queue')
  note_that('discarded', record[2], id, now)
  drop_job(record[2], id)
  redis.call('DEL', DELIVERY .. id)
  redis.call('HINCRBY', MESSAGE .. record[1], 'open', -1)
  finish_message(record[1], tonumber(ARGV[2]))
end
return 1
