-- Functions for every script. Times are from Redis' clock, in seconds, so that the clocks of hosts do not matter.

local FOREVER = 253402300799 -- the end of the year 9999: RQ removes failed jobs that are older than their score

local function seconds_now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- A time in the form that RQ reads, for 1970 to 2099, in which every fourth year is a leap year.
local function rq_time(now)
  local days, seconds = math.floor(now / 86400), now % 86400
  local years, month = math.floor((4 * days + 2) / 1461), 1
  days = days - 365 * years - math.floor((years + 1) / 4)
  local year = 1970 + years
  for _, length in ipairs({31, year % 4 == 0 and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}) do
    if days < length then break end
    days, month = days - length, month + 1
  end
  local whole = math.floor(seconds)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, days + 1, math.floor(whole / 3600),
    math.floor(whole / 60) % 60, whole % 60)
end

-- What drains the spool must work in a full Redis too: after one write of a kind that needs no memory, Redis lets the
-- rest of a script pass. Only `accept` is refused there.
local function exceed_memory()
  redis.call('DEL', WAKE)
end

local function record_key(queue, id)
  if queue == TRANSFORM then return MESSAGE .. id end
  return DELIVERY .. id
end

-- An existing RQ job only changes its status; an incomplete hash is written again: RQ's worker and tools write single
-- fields without checking whether the job was deleted meanwhile.
local function put_job(queue, id, status)
  local data = EGRESS_JOB
  if queue == TRANSFORM then data = TRANSFORM_JOB end
  if redis.call('HSETNX', RQ_JOB .. id, 'data', data) == 1 then
    redis.call('HSET', RQ_JOB .. id, 'origin', queue, 'timeout', 3600, 'result_ttl', 0, 'failure_ttl', -1,
      'created_at', rq_time(seconds_now()))
  end
  redis.call('HSET', RQ_JOB .. id, 'status', status)
end

-- What RQ's views show of a worker. Not of one that RQ forgot: nothing would ever remove what is written then.
local function set_worker_state(worker, state)
  if redis.call('EXISTS', RQ_WORKER .. worker) == 1 then redis.call('HSET', RQ_WORKER .. worker, 'state', state) end
end

local function wake(queue)
  if redis.call('LLEN', WAKE .. queue) == 0 then redis.call('RPUSH', WAKE .. queue, 1) end
end

local function enqueue(queue, id, now, side)
  put_job(queue, id, 'queued')
  redis.call('HSET', record_key(queue, id), 'lease', '', 'queued_at', now)
  redis.call(side or 'RPUSH', RQ_QUEUE .. queue, id)
  redis.call('SADD', RQ_QUEUES, RQ_QUEUE .. queue)
  redis.call('SADD', LIVE .. queue, id)
  wake(queue)
end

-- Events are JSON, as `to_note` of shared/history writes them.
local function note(message_id, event)
  redis.call('RPUSH', HISTORY .. message_id, event)
end

local function message_of(queue, id)
  if queue == TRANSFORM then return id end
  return redis.call('HGET', DELIVERY .. id, 'message')
end

-- Appends an event to a record's history: `verb` in the past tense, with extra fields if any. Returns message id and event.
local function note_that(verb, queue, id, now, fields)
  local event, message_id = fields or {}, message_of(queue, id)
  event.event = (queue == TRANSFORM and 'message.' or 'delivery.') .. verb
  event.at = math.floor(now * 1000) / 1000
  if string.sub(id, 1, #message_id) ~= message_id then
    event.id = id
  elseif id ~= message_id then
    event.id = string.sub(id, #message_id + 1)
  end
  local text = cjson.encode(event)
  note(message_id, text)
  return message_id, text
end

-- Stores a new message with its job. Its content is already stored, and no longer expires.
local function accept(id, envelope, size, event, now)
  if redis.call('EXISTS', MESSAGE .. id) == 1 then return 0 end
  redis.call('HSET', MESSAGE .. id, 'schema', 1, 'envelope', envelope, 'size', size, 'state', 'waiting',
    'crashes', 0, 'open', 0)
  redis.call('PERSIST', CONTENT .. id)
  note(id, event)
  enqueue(TRANSFORM, id, now)
  return 1
end

-- Removes all of RQ's data of a job, including its entry in the failed registry.
local function drop_job(queue, id)
  redis.call('ZREM', RQ_FAILED .. queue, id)
  redis.call('DEL', RQ_JOB .. id, RQ_RESULTS .. id)
end

-- Deletes the message when nothing is left to do: no conversion, no delivery, no dead letter.
local function finish_message(id, history_seconds)
  local record = redis.call('HMGET', MESSAGE .. id, 'state', 'open')
  if record[1] == 'delivering' and tonumber(record[2]) <= 0 then
    redis.call('DEL', MESSAGE .. id, CONTENT .. id)
    redis.call('EXPIRE', HISTORY .. id, history_seconds)
  end
end

local function park(queue, id, reason, detail, now)
  redis.call('HSET', record_key(queue, id), 'state', 'dead', 'lease', '', 'reason', reason, 'detail', detail,
    'parked_at', now)
  redis.call('SREM', LIVE .. queue, id)
  redis.call('ZADD', DEAD, now, id)
end

local function file_as_failed(queue, id, reason, detail)
  put_job(queue, id, 'failed')
  redis.call('HSET', RQ_JOB .. id, 'description', reason .. ': ' .. detail)
  redis.call('ZADD', RQ_FAILED .. queue, FOREVER, id)
end

-- Requeues a dead letter. `reopen`: the next lease resets its attempts, but keeps the recipients that were delivered.
-- fields: of the event, if any.
local function revive(queue, id, now, fields)
  redis.call('HSET', record_key(queue, id), 'state', 'waiting', 'lease', '', 'crashes', 0, 'reopen', 1)
  redis.call('HDEL', record_key(queue, id), 'reason', 'detail', 'parked_at')
  redis.call('DEL', RQ_JOB .. id)
  redis.call('ZREM', DEAD, id)
  redis.call('ZREM', RQ_FAILED .. queue, id)
  redis.call('SADD', LIVE .. queue, id)
  note_that('replayed', queue, id, now, fields)
end

-- Returns whether a lease is held: its token is in the record and in RQ's started registry.
local function is_leased(queue, id, token, now)
  if not token or token == '' then return false end
  local expires = redis.call('ZSCORE', RQ_STARTED .. queue, id .. ':' .. token)
  return expires and tonumber(expires) > now
end

-- The interval without a check for expired leases that counts as a pause. Longer than the time between two renewals,
-- shorter than the remaining time of a lease that is renewed on schedule.
local function longest_gap(lease_seconds) return math.max(10, 0.4 * lease_seconds) end

-- Counts a crash. Returns true when the limit is exceeded.
local function count_crash(queue, id, max_crashes)
  return redis.call('HINCRBY', record_key(queue, id), 'crashes', 1) >= max_crashes
end

-- Removes expired entries, and limits the others to the longest allowed time from now: the clock may have been set back.
local function bound_scores(key, now, seconds)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, now + seconds + 1, '+inf')) do
    redis.call('ZADD', key, 'XX', now + seconds, member)
  end
end

-- Returns how many connections to a host each replica has.
local function slots_by_replica(slots)
  local held = {}
  for _, slot in ipairs(redis.call('ZRANGE', slots, 0, -1)) do
    local replica = string.match(slot, '^(.*)/')
    held[replica] = (held[replica] or 0) + 1
  end
  return held
end
