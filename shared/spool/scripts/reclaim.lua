-- ARGV: queue, limit, max crashes, lease seconds. Returns the events of the jobs whose lease expired:
-- message id and event, alternating.
-- A lease expires only while workers check or renew: after a pause (Redis was unavailable, or its clock was stepped) every
-- holder first has the time of a full lease to renew.
exceed_memory()
local MOST_SHIFTED = 100000 -- a tenth of a second of Redis' time; any further jobs also wait for the clock to catch up
local queue, lease_seconds, now = ARGV[1], tonumber(ARGV[4]), seconds_now()
local tick = redis.call('HMGET', TICK .. queue, 'last', 'since')
local last, since = tonumber(tick[1] or 0), tonumber(tick[2] or now)
if now < last - 1 then -- the clock was set back: leases and retries would last too long
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', RQ_STARTED .. queue, now + lease_seconds, '+inf')) do
    redis.call('ZADD', RQ_STARTED .. queue, 'XX', now + lease_seconds, member)
  end
  for _, id in ipairs(redis.call('ZRANGE', RQ_SCHEDULED .. queue, 0, MOST_SHIFTED - 1)) do
    redis.call('ZINCRBY', RQ_SCHEDULED .. queue, now - last, id)
  end
end
if now < last - 1 or now > last + longest_gap(lease_seconds) then since = now end
redis.call('HSET', TICK .. queue, 'last', now, 'since', since)
if now - since < lease_seconds then return {} end

local POISON = 'its worker died or hung each time it was worked on'
local events = {}
local expired = redis.call('ZRANGEBYSCORE', RQ_STARTED .. queue, '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(expired) do
  redis.call('ZREM', RQ_STARTED .. queue, member)
  local id, token = string.match(member, '^([^:]+):?(.*)$')
  local record = redis.call('HMGET', record_key(queue, id), 'state', 'lease')
  if record[1] == 'waiting' and record[2] == token then
    events[#events + 1], events[#events + 2] = note_that('interrupted', queue, id, now)
    if count_crash(queue, id, tonumber(ARGV[3])) then
      local parked = {reason = 'poison', detail = POISON}
      events[#events + 1], events[#events + 2] = note_that('parked', queue, id, now, parked)
      park(queue, id, 'poison', POISON, now)
      file_as_failed(queue, id, 'poison', POISON)
    else
      enqueue(queue, id, now)
    end
  end
end
return events
