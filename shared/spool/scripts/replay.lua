-- ARGV: id, from ('start' or 'delivery'), dry run ('1'), again (a delivery's recipients that were not delivered, as JSON).
-- Returns what was done, or would be: 'convert', 'deliver', 'gone', 'busy'.
exceed_memory()
local id, start, dry = ARGV[1], ARGV[2], ARGV[3] == '1'
if not redis.call('ZSCORE', DEAD, id) then return 'gone' end
local now = seconds_now()
if redis.call('EXISTS', MESSAGE .. id) == 1 then
  if dry then return 'convert' end
  revive(TRANSFORM, id, now)
  enqueue(TRANSFORM, id, now)
  return 'convert'
end
local record = redis.call('HMGET', DELIVERY .. id, 'message', 'queue', 'state')
local message_id, queue = record[1], record[2]
if not message_id or record[3] ~= 'dead' then return 'gone' end
if start == 'delivery' then
  if dry then return 'deliver' end
  revive(queue, id, now)
  enqueue(queue, id, now)
  return 'deliver'
end
local message = redis.call('HMGET', MESSAGE .. message_id, 'state', 'lease', 'again')
-- An expired lease counts as held: until it is reclaimed, its holder may settle, without the recipients added here.
if message[1] == 'dead' or (message[2] and message[2] ~= '') then return 'busy' end
if dry then return 'convert' end
local again = cjson.decode(ARGV[4])
if message[1] == 'waiting' then
  if not message[3] then return 'busy' end
  for _, recipient in ipairs(cjson.decode(message[3])) do again[#again + 1] = recipient end
end
revive(queue, id, now, {start = 'start'})
redis.call('SREM', LIVE .. queue, id)
drop_job(queue, id)
redis.call('DEL', DELIVERY .. id)
redis.call('HINCRBY', MESSAGE .. message_id, 'open', -1)
redis.call('HSET', MESSAGE .. message_id, 'state', 'waiting', 'crashes', 0, 'again', cjson.encode(again))
if message[1] ~= 'waiting' then enqueue(TRANSFORM, message_id, now) end
return 'convert'
