-- standing: what the session thinks of one participant. Needs view.
--
-- ARGV 1 participant
-- Answers nothing when there is no session or it ended, else version, host, lease or 0, ban or 0, now.

local f = redis.call('HMGET', KEYS[1], 'v', 'host', 'ended')
if not f[1] or f[3] then return {} end
local lease = redis.call('ZSCORE', KEYS[4], ARGV[1]) or '0'
local ban = redis.call('ZSCORE', KEYS[7], ARGV[1]) or '0'
return { tonumber(f[1]), f[2], tonumber(lease), tonumber(ban), now_ms() }
