-- ARGV: host, seconds between two messages, burst (how many may be sent at once).
-- Returns 0 if a message may be sent now, else the microseconds to wait.
-- The generic cell rate algorithm (ITU-T I.371): the only stored value is the time when the next message is due if all
-- are evenly spread; a message may be early by the time that the burst allows.
exceed_memory()
local key, between, burst = TURN .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = seconds_now()
local due = math.max(tonumber(redis.call('GET', key) or now), now)
due = math.min(due, now + burst * between) -- the clock may have been set back
local early = due - (burst - 1) * between - now
if early > 0.0000005 then return math.ceil(early * 1000000) end
redis.call('SET', key, string.format('%.6f', due + between), 'PX', math.ceil((due + between - now) * 1000))
return 0
