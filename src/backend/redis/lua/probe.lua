-- probe: sends a marker the way announcements go, and reads the clock.
--
-- KEYS 1 this node's own channel (no key is touched; it names the slot)
-- ARGV 1 marker
-- Answers seconds and microseconds of this Redis, and the branch it writes.

redis.call('SPUBLISH', KEYS[1], 'w1 m ' .. ARGV[1])
local time = redis.call('TIME')
return { time[1], time[2], string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') }
