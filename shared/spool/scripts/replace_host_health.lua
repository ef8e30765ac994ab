-- Compare and set, so that exactly one of several replicas succeeds. ARGV: key, host, before, after ('' for none).
local key, host, before, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
if (redis.call('HGET', key, host) or '') ~= before then return 0 end
if after == '' then redis.call('HDEL', key, host) else redis.call('HSET', key, host, after) end
return 1
