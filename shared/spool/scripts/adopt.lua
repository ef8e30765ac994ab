-- ARGV: queue, then ids that seem to have no job. Creates the missing jobs. Returns how many.
exceed_memory()
local queue, now, adopted = ARGV[1], seconds_now(), 0
for i = 2, #ARGV do
  local id = ARGV[i]
  local record = redis.call('HMGET', record_key(queue, id), 'state', 'lease')
  if not record[1] or record[1] ~= 'waiting' then
    redis.call('SREM', LIVE .. queue, id)
  elseif not is_leased(queue, id, record[2], now) and not redis.call('ZSCORE', RQ_SCHEDULED .. queue, id) then
    redis.call('ZREM', RQ_FAILED .. queue, id)
    enqueue(queue, id, now)
    adopted = adopted + 1
  end
end
return adopted
