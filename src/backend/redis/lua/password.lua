-- password: the password hash, read apart from the record.
--
-- KEYS as in fence
-- Answers nothing when there is no session or it ended.

local f = redis.call('HMGET', KEYS[1], 'e', 'ended')
if not f[1] or f[2] then return false end
return redis.call('GET', KEYS[8])
