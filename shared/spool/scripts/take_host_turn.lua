-- ARGV: host, seconds between two messages, how many may go at once.
-- Returns 0 where a message may go now, else the microseconds until one may.
-- The generic cell rate algorithm (ITU-T I.371): the one value kept is when the next message would be due if all were
-- evenly spread; one may come early by what the burst allows.
exceed_memory()
local key, between, burst = TURN .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local now = seconds_now()
local due = math.max(tonumber(redis.call('GET', key) or now), now)
due = math.min(due, now + burst * between) -- the clock may have gone back
local early = due - (burst - 1) * between - now
if early > 0.0000005 then return math.ceil(early * 1000000) end
redis.call('SET', key, string.format('%.6f', due + between), 'PX', math.ceil((due + between - now) * 1000))
return 0
