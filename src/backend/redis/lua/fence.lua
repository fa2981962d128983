-- fence: shared by every script that writes a session's log.
--
-- KEYS 1 s (record)  2 x (entries)  3 p (seats)  4 z (leases)  5 o (join order)  6 d (numbers)  7 k (bans)  8 a (password)
-- ARGV 1 a random epoch, used if the log needs a new one  2 the session's channel  3 what to keep (`trim`)
--
-- `open` reads the record and compares the branch it was last written on with this Redis' own (`master_replid`): a Redis that
-- restarted or was promoted has another one, and may have lost the log's tail. Then the old epoch goes on the lineage with
-- the head that survived, and the log goes on under the new epoch. `close` writes back what changed, in one HSET.

local LINEAGE = 8
-- Generations that one millisecond has room for: more than joins that a Redis runs in it.
local GENERATIONS = 16

local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The branch this Redis writes. Every call asks: finding a plain text costs it a microsecond less than matching a pattern.
local function branch()
  local told = redis.call('INFO', 'replication')
  local _, before = string.find(told, 'master_replid:', 1, true)
  return string.sub(told, before + 1, before + 40)
end

-- Notes a field of the record to write.
local function put(s, field, value)
  local dirty = s.dirty
  dirty[#dirty + 1] = field
  dirty[#dirty + 1] = value
end

-- Gives a key that may be new the time to live of the record.
local function born(s, key)
  redis.call('PEXPIREAT', key, s.r + s.ttl)
end

-- Tells every node what was appended, as one message.
local function announce(s)
  if s.n == 0 then return end
  local head = 'w1 e ' .. s.e .. ' ' .. s.first .. ' ' .. s.stamp .. s.n .. ' '
  redis.call('SPUBLISH', ARGV[2], head .. table.concat(s.out))
  s.out, s.n = {}, 0
end

-- Goes on after `head` under a new epoch, and says so by an announcement without entries.
local function turn(s, head)
  announce(s)
  if not s.turned then
    local lineage = {}
    local before = redis.call('HGET', KEYS[1], 'l') or ''
    for mark in string.gmatch(before .. ' ' .. s.e .. '=' .. s.q, '%S+') do lineage[#lineage + 1] = mark end
    while #lineage > LINEAGE do table.remove(lineage, 1) end
    put(s, 'l', table.concat(lineage, ' '))
    s.e, s.turned = ARGV[1], true
    put(s, 'e', s.e)
    -- Seats may have been taken that were lost with the tail, and their connections may be there still: theirs are not given again.
    local beyond = s.now * GENERATIONS
    if tonumber(redis.call('HGET', KEYS[1], 'g')) < beyond then redis.call('HSET', KEYS[1], 'g', beyond) end
  end
  s.q = head
  redis.call('SPUBLISH', ARGV[2], 'w1 e ' .. s.e .. ' ' .. (s.q + 1) .. ' ' .. s.stamp .. '0 ')
end

-- The session, or nil when there is none or it ended.
local function open()
  local f = redis.call('HMGET', KEYS[1], 'e', 'b', 'q', 'v', 'r', 'ttl', 'host', 'ended')
  if not f[1] or f[8] then return nil end
  local s = {
    e = f[1], q = tonumber(f[3]), v = tonumber(f[4]), r = tonumber(f[5]), ttl = tonumber(f[6]), host = f[7],
    now = clock(), dirty = {}, out = {}, n = 0,
  }
  -- Lua writes a number as text through printf, which costs as much as a small command: the time is written once.
  s.q0, s.stamp = s.q, s.now .. ' '
  local now = branch()
  if now ~= f[2] then
    put(s, 'b', now)
    turn(s, s.q)
  end
  return s
end

-- Writes the record back, starts its time to live again when a tenth of it is gone, and announces.
local function close(s)
  if s.q ~= s.q0 or s.turned then put(s, 'q', s.q) end
  local due = s.now - s.r >= s.ttl / 10
  if due then put(s, 'r', s.now) end
  if #s.dirty > 0 then redis.call('HSET', KEYS[1], unpack(s.dirty)) end
  if due then
    for i = 1, 8 do redis.call('PEXPIREAT', KEYS[i], s.now + s.ttl) end
  end
  announce(s)
end
