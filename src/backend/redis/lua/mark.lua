-- mark: writes something, so that the WAIT that follows waits for this place of the stream to replicas.
--
-- KEYS 1 this node's mark
-- ARGV 1 ms it lives
-- Answers nothing.

redis.call('SET', KEYS[1], '', 'PX', ARGV[1])
