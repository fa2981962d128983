-- beat: renews one node's leases in a session, frees those that ran out, trims. Needs fence, append, trim and seats.
--
-- ARGV 4 lease ms  5 reclaim ms  6.. participant and generation of each seat
-- Answers nothing when there is no session, else the head and the index (from 1) of each seat that is not that generation's any more.
--
-- Renewing comes first: a node that was merely late keeps its participants.

local s = open()
if not s then return {} end
local till, who, leases, lost = s.now + tonumber(ARGV[4]), {}, {}, {}
for i = 6, #ARGV, 2 do who[#who + 1] = ARGV[i] end
local seats = #who > 0 and redis.call('HMGET', KEYS[3], unpack(who))
for i, participant in ipairs(who) do
  if seats[i] and string.match(seats[i], '^%d+') == ARGV[i * 2 + 5] then
    leases[#leases + 1] = till
    leases[#leases + 1] = participant
  else
    lost[#lost + 1] = i
  end
end
if #leases > 0 then redis.call('ZADD', KEYS[4], 'XX', unpack(leases)) end
reap(s, tonumber(ARGV[5]), { s.host })
redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', s.now)
trim(s)
close(s)
table.insert(lost, 1, s.q)
return lost
