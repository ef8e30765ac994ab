-- ARGV: queue, limit, how many of the latest to skip, how many were flushed so far, how many per second, unserved
-- ('1': a host is usable again; only deliveries that found no usable host). Brings retries forward, the latest first, and
-- delays none. Returns {unchanged, flushed}.
exceed_memory()
local queue, limit, passed, before = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local per_second, unserved = tonumber(ARGV[5]), ARGV[6] == '1'
local now, left, flushed = seconds_now(), 0, 0
if unserved and passed + before == 0 then redis.call('SET', RETURNED .. queue, now, 'EX', 3600) end

local page = redis.call('ZREVRANGE', RQ_SCHEDULED .. queue, passed, passed + limit - 1, 'WITHSCORES')
for i = 1, #page, 2 do
  local id, due = page[i], now + (before + flushed) / per_second
  if due < tonumber(page[i + 1]) and (not unserved or redis.call('HDEL', record_key(queue, id), 'unserved') == 1) then
    redis.call('ZADD', RQ_SCHEDULED .. queue, 'XX', due, id)
    flushed = flushed + 1
  else
    left = left + 1
  end
end
return {left, flushed}
