-- relay: passes a frame to the session's listeners, if its receiver holds a seat. Nobody does in a session that ended, whose leases stay
-- for as long as its log can be read.
--
-- KEYS as in fence
-- ARGV 1 channel  2 receiver or ''  3 the message
-- Answers 1 when it was passed on.

if ARGV[2] ~= '' then
  if redis.call('HEXISTS', KEYS[1], 'ended') == 1 then return 0 end
  local time = redis.call('TIME')
  local lease = redis.call('ZSCORE', KEYS[4], ARGV[2])
  if not lease or tonumber(lease) <= time[1] * 1000 + math.floor(time[2] / 1000) then return 0 end
end
redis.call('SPUBLISH', ARGV[1], ARGV[3])
return 1
