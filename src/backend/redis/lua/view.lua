-- view: a session at one position, as join and snapshot answer it. Reads only.
--
-- KEYS as in fence.

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The number of the oldest entry, or the one after `head` when there is none.
local function oldest(head)
  local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  return entry and tonumber(string.match(entry[1], '^(%d+)')) or head + 1
end

-- At most `limit` seated participants in join order after an index: participant, seat, participant, seat ...
local function seated(now, after, limit)
  local found, at = {}, 0
  while #found < limit * 2 do
    local page = redis.call('ZRANGEBYSCORE', KEYS[5], '(' .. after, '+inf', 'LIMIT', at, 100)
    if #page == 0 then break end
    local leases = redis.call('ZMSCORE', KEYS[4], unpack(page))
    local rows = redis.call('HMGET', KEYS[3], unpack(page))
    for i, who in ipairs(page) do
      if #found < limit * 2 and rows[i] and tonumber(leases[i] or 0) > now then
        found[#found + 1] = who
        found[#found + 1] = rows[i]
      end
    end
    at = at + 100
  end
  return found
end

local function view(now, limit)
  local record = redis.call('HGETALL', KEYS[1])
  local head = tonumber(redis.call('HGET', KEYS[1], 'q'))
  return { record, oldest(head), redis.call('ZCOUNT', KEYS[4], '(' .. now, '+inf'), seated(now, 0, limit) }
end
