-- ARGV: queue, token, max jobs, max bytes, lease seconds, worker.
-- Returns {id, crashes, size, envelope or delivery, again or edits, reopen} for each job, taken from the queue's head.
exceed_memory()
local queue, token, max_jobs, max_bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local leased, bytes = {}, 0
if redis.call('EXISTS', RQ_SUSPENDED) == 1 then return leased end
local now = seconds_now()
local body, extra = 'delivery', 'edits'
if queue == TRANSFORM then body, extra = 'envelope', 'again' end

for _ = 1, max_jobs * 10 do -- bounded, though stale jobs are skipped
  if #leased >= max_jobs then break end
  local id = redis.call('LINDEX', RQ_QUEUE .. queue, 0)
  if not id then break end
  local record = redis.call('HMGET', record_key(queue, id), 'state', 'lease', 'crashes', 'size', body, extra,
    'reopen')
  local state, crashes, size = record[1], tonumber(record[3] or 0), tonumber(record[4] or 0)
  if state == 'dead' then crashes = 0 end
  if #leased > 0 and (crashes > 0 or bytes + size > max_bytes) then break end
  redis.call('LPOP', RQ_QUEUE .. queue)
  if not state or state == 'delivering' then
    drop_job(queue, id) -- the record decides: nothing is left to do
  elseif not is_leased(queue, id, record[2], now) then
    if state == 'dead' then revive(queue, id, now) end -- requeued with RQ's own tools
    redis.call('HSET', record_key(queue, id), 'lease', token)
    redis.call('ZADD', RQ_STARTED .. queue, now + tonumber(ARGV[5]), id .. ':' .. token)
    put_job(queue, id, 'started')
    leased[#leased + 1] = {id, crashes, size, record[5], record[6] or '', record[7] or (state == 'dead' and '1') or ''}
    bytes = bytes + size
    if crashes > 0 then break end -- it may have killed its worker: lease it alone
  end
end
if #leased > 0 then set_worker_state(ARGV[6], 'busy') end
if redis.call('LLEN', RQ_QUEUE .. queue) > 0 then wake(queue) end
return leased
