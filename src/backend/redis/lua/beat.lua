-- beat: renews one node's leases in a session, frees those that ran out, trims. Needs fence, append, trim and seats.
--
-- ARGV 4 lease ms  5 reclaim ms  6.. participant and generation of each seat
-- Answers nothing when there is no session, else the head and the index (from 1) of each seat that is not that generation's any more.
--
-- Renewing comes first: a node that was merely late keeps its participants.

local s = open()
if not s then return {} end
local lost, till = {}, s.now + tonumber(ARGV[4])
for i = 6, #ARGV, 2 do
  local seat = redis.call('HGET', KEYS[3], ARGV[i])
  if seat and string.match(seat, '^%d+') == ARGV[i + 1] then
    redis.call('ZADD', KEYS[4], 'XX', till, ARGV[i])
  else
    lost[#lost + 1] = (i - 4) / 2
  end
end
reap(s, tonumber(ARGV[5]), { s.host })
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', s.now)
trim(s)
close(s)
table.insert(lost, 1, s.q)
return lost
