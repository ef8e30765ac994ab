-- ARGV: a JSON list of settlements, hosted ('1': a stock RQ worker keeps the job's own keys), max crashes, history
-- seconds, worker ('': a stock one), its state after this, its working seconds, then the binary values that the
-- settlements name by their place. Returns the ids that were stale.
exceed_memory()
local settlements, hosted = cjson.decode(ARGV[1]), ARGV[2] == '1'
local max_crashes, history_seconds = tonumber(ARGV[3]), tonumber(ARGV[4])
local now, stale = seconds_now(), {}

local worker, state, working_seconds = ARGV[5], ARGV[6], ARGV[7]
local runs = {successful = 0, failed = 0}

local function binary(place) return ARGV[7 + place] end

local function leave(queue, id, token)
  redis.call('SREM', LIVE .. queue, id)
  if hosted then return end
  redis.call('ZREM', RQ_STARTED .. queue, id .. ':' .. token)
  drop_job(queue, id)
end

local function park_settled(one, reason, detail)
  park(one.queue, one.id, reason, detail, now)
  if not hosted then
    redis.call('ZREM', RQ_STARTED .. one.queue, one.id .. ':' .. one.token)
    file_as_failed(one.queue, one.id, reason, detail)
  end
end

local function again_later(one, delay)
  redis.call('HSET', record_key(one.queue, one.id), 'lease', '')
  if hosted then return end
  redis.call('ZREM', RQ_STARTED .. one.queue, one.id .. ':' .. one.token)
  redis.call('ZREM', RQ_FAILED .. one.queue, one.id) -- RQ may have registered it as failed meanwhile
  put_job(one.queue, one.id, 'scheduled')
  redis.call('ZADD', RQ_SCHEDULED .. one.queue, now + delay, one.id)
end

local function free_delivery_id(id)
  local free, n = id, 1
  while redis.call('EXISTS', DELIVERY .. free) == 1 do
    n = n + 1
    free = id .. '-' .. n
  end
  return free
end

local settle = {} -- a function for each kind of settlement

local function is_outdated(memory)
  return tonumber(redis.call('HGET', MEMORY .. memory.key, 'version') or 0) ~= memory.version
end

function settle.transformed(one)
  for _, memory in ipairs(one.memories) do
    redis.call('HSET', MEMORY .. memory.key, 'version', memory.version + 1, 'value', binary(memory.value))
    redis.call('EXPIREAT', MEMORY .. memory.key, memory.expires_at)
  end
  leave(one.queue, one.id, one.token)
  redis.call('HSET', MESSAGE .. one.id, 'state', 'delivering', 'lease', '', 'crashes', 0)
  redis.call('HDEL', MESSAGE .. one.id, 'again')
  for _, new in ipairs(one.deliveries) do
    local id = free_delivery_id(new.id)
    redis.call('HSET', DELIVERY .. id, 'schema', 1, 'message', one.id, 'queue', new.queue, 'size', new.size,
      'delivery', binary(new.delivery), 'edits', binary(new.edits), 'state', 'waiting', 'crashes', 0)
    enqueue(new.queue, id, now)
    redis.call('HINCRBY', MESSAGE .. one.id, 'open', 1)
  end
  finish_message(one.id, history_seconds)
end

function settle.finished(one)
  local message_id = message_of(one.queue, one.id)
  leave(one.queue, one.id, one.token)
  redis.call('DEL', DELIVERY .. one.id)
  redis.call('HINCRBY', MESSAGE .. message_id, 'open', -1)
  finish_message(message_id, history_seconds)
end

-- Returns whether a host recovered during an attempt that found no usable host.
local function came_too_early(one)
  return one.unserved and tonumber(redis.call('GET', RETURNED .. one.queue) or 0) > now - one.unserved
end

function settle.retry(one)
  local key = record_key(one.queue, one.id)
  if came_too_early(one) then
    again_later(one, 0)
  elseif one.unserved then
    redis.call('HSET', key, 'unserved', 1) -- for flush_retries.lua
    again_later(one, one.delay)
  else
    redis.call('HDEL', key, 'unserved')
    again_later(one, one.delay)
  end
end

function settle.crashed(one)
  if count_crash(one.queue, one.id, max_crashes) then
    park_settled(one, 'crash', one.cause)
  else
    again_later(one, one.delay)
  end
end

function settle.parked(one) park_settled(one, one.reason, one.detail) end

local function has_outdated_memory(one)
  for _, memory in ipairs(one.memories or {}) do
    if is_outdated(memory) then return true end
  end
  return false
end

for _, one in ipairs(settlements) do
  local key = record_key(one.queue, one.id)
  if redis.call('HGET', key, 'lease') ~= one.token then
    stale[#stale + 1] = one.id
  elseif has_outdated_memory(one) then
    stale[#stale + 1] = one.id
    again_later(one, 0)
  else
    for _, event in ipairs(one.events) do note(message_of(one.queue, one.id), binary(event)) end
    if one.delivery then
      redis.call('HSET', key, 'delivery', binary(one.delivery), 'crashes', 0)
      redis.call('HDEL', key, 'reopen')
    end
    settle[one.kind](one)
    local counted = (one.kind == 'transformed' or one.kind == 'finished') and 'successful' or 'failed'
    runs[counted] = runs[counted] + 1
    for _, report in ipairs(one.reports) do
      redis.call('SET', CONTENT .. report.id, binary(report.content), 'NX')
      accept(report.id, binary(report.envelope), report.size, binary(report.event), now)
    end
  end
end
if worker ~= '' and redis.call('EXISTS', RQ_WORKER .. worker) == 1 then
  for counted, number in pairs(runs) do
    if number > 0 then redis.call('HINCRBY', RQ_WORKER .. worker, counted .. '_job_count', number) end
  end
  redis.call('HINCRBYFLOAT', RQ_WORKER .. worker, 'total_working_time', working_seconds)
  set_worker_state(worker, state)
end
return stale
