-- ARGV: id, envelope, size, event of each message, whose content is there already. Returns for each 1, or 0 when the
-- message was here already. Without the content of one, none is accepted.
for i = 1, #ARGV, 4 do
  if redis.call('EXISTS', CONTENT .. ARGV[i]) == 0 then
    return redis.error_reply('ERR the content of ' .. ARGV[i] .. ' was not written')
  end
end
local now, accepted = seconds_now(), {}
for i = 1, #ARGV, 4 do
  accepted[#accepted + 1] = accept(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], now)
end
return accepted
