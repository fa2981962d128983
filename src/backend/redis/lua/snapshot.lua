-- snapshot: the session at its newest position. Needs view.
--
-- ARGV 1 seats to list at most
-- Answers nothing when there is no session or it ended, else the view.

local f = redis.call('HMGET', KEYS[1], 'e', 'ended')
if not f[1] or f[2] then return {} end
return view(now_ms(), tonumber(ARGV[1]))
