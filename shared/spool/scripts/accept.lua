-- ARGV: server, appends, then id, envelope, size, event of each message, whose content is already stored. Returns for each
-- 1, or 0 if the message already exists; an empty answer if this Redis is not `server`, or does not append to its file
-- although `appends` is '1'. (Scripts cannot use CONFIG.) If any content is missing, no message is accepted.
local function info_has(section, fact) return string.find(redis.call('INFO', section), fact, 1, true) end

if ARGV[1] ~= '' and not info_has('server', 'run_id:' .. ARGV[1]) then return {} end
if ARGV[2] == '1' and not (info_has('persistence', 'aof_enabled:1') and info_has('persistence', 'aof_last_write_status:ok')) then
  return {}
end
for i = 3, #ARGV, 4 do
  if redis.call('EXISTS', CONTENT .. ARGV[i]) == 0 then
    return redis.error_reply('ERR the content of ' .. ARGV[i] .. ' was not written')
  end
end
local now, accepted = seconds_now(), {}
for i = 3, #ARGV, 4 do
  accepted[#accepted + 1] = accept(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], now)
end
return accepted
