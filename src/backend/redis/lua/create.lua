-- create: writes a session's record and password hash, with their time to live, in one step.
--
-- KEYS as in fence
-- ARGV 1 epoch  2 ttl ms  3 password hash  4.. fields and values of the record
-- Answers 0 when the id is taken, else the time of creation.

if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ttl = tonumber(ARGV[2])
local branch = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
redis.call('HSET', KEYS[1], 'e', ARGV[1], 'b', branch, 'q', 0, 'v', 1, 'g', 0, 'l', '', 'r', now, 'ttl', ttl,
  'created', now, unpack(ARGV, 4))
redis.call('PEXPIREAT', KEYS[1], now + ttl)
redis.call('SET', KEYS[8], ARGV[3], 'PXAT', now + ttl)
return now
