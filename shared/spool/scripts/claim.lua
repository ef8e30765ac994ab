-- Leases a job that a stock RQ worker has already dequeued. ARGV: queue, id, token (RQ's execution id).
-- Returns one row as lease.lua does, or false if there is nothing to do or another worker holds the lease.
exceed_memory()
local queue, id, token = ARGV[1], ARGV[2], ARGV[3]
local body, extra = 'delivery', 'edits'
if queue == TRANSFORM then body, extra = 'envelope', 'again' end
local now = seconds_now()
local record = redis.call('HMGET', record_key(queue, id), 'state', 'lease', 'crashes', 'size', body, extra,
  'reopen')
if not record[1] or record[1] == 'delivering' or is_leased(queue, id, record[2], now) then return false end
local crashes = record[3]
if record[1] == 'dead' then
  revive(queue, id, now)
  put_job(queue, id, 'started')
  crashes = 0
end
redis.call('HSET', record_key(queue, id), 'lease', token)
return {id, crashes, record[4], record[5], record[6] or '', record[7] or (record[1] == 'dead' and '1') or ''}
