-- join: takes a seat, or takes one's own over. Needs fence, append, seats and view.
--
-- ARGV 4 participant  5 node  6 profile  7 lease ms  8 seats to list at most  9 reclaim ms
-- Answers {'none' | 'banned' | 'locked' | 'full'} or {'ok', generation, 1 if taken over, the author's d row or '', view ...}.

local s = open()
if not s then return { 'none' } end
local who, reclaim = ARGV[4], tonumber(ARGV[9])
reap(s, reclaim, { s.host, who })

local function admits(seat)
  local till = redis.call('ZSCORE', KEYS[7], who)
  if till and tonumber(till) > s.now then return 'banned' end
  if seat then return nil end
  local f = redis.call('HMGET', KEYS[1], 'cap', 'locked')
  -- The host may enter a locked session: an empty one would be shut for ever. So may one who was lost and can be host again: else
  -- whoever followed them could lock them out of what is theirs.
  if f[2] == '1' and who ~= s.host and not may_reclaim(s, who) then return 'locked' end
  if redis.call('ZCOUNT', KEYS[4], '(' .. s.now, '+inf') >= tonumber(f[1]) then return 'full' end
end

-- Who is host after a new seat was taken: a lost host who came back, or the first to enter where nobody sat.
local function settle_host()
  local reason
  local claimed = reclaims(s, who)
  if who == s.host then return end
  if claimed then
    reason = 'reclaimed'
  elseif redis.call('HEXISTS', KEYS[3], s.host) == 0 then
    claim(s, s.host, reclaim)
    reason = 'promoted'
  else
    return
  end
  crown(s, who)
  append(s, 'host.changed "from":null,"data":{"host_id":"' .. who .. '","reason":"' .. reason .. '"}}')
end

local function sit(generation)
  local seat = generation .. ' ' .. s.now .. ' ' .. ARGV[5] .. ' ' .. ARGV[6]
  redis.call('HSET', KEYS[3], who, seat)
  redis.call('ZADD', KEYS[4], s.now + tonumber(ARGV[7]), who)
  redis.call('ZADD', KEYS[5], generation, who)
  for i = 3, 5 do born(s, KEYS[i]) end
  local role = who == s.host and 'host' or 'member'
  append(s, 'participant.joined "from":"' .. who .. '","data":{"id":"' .. who .. '",' .. string.sub(ARGV[6], 2, -2)
    .. ',"role":"' .. role .. '","joined_at":' .. s.now .. '}}')
  settle_host()
end

local function take_over(generation, seat)
  local joined_at, profile = string.match(seat, '^%d+ (%d+) %S+ (.*)$')
  redis.call('HSET', KEYS[3], who, generation .. ' ' .. joined_at .. ' ' .. ARGV[5] .. ' ' .. profile)
  redis.call('ZADD', KEYS[4], s.now + tonumber(ARGV[7]), who)
  redis.call('SPUBLISH', ARGV[2], 'w1 t ' .. who .. ' ' .. generation)
end

local seat = redis.call('HGET', KEYS[3], who)
local refusal = admits(seat)
if refusal then
  close(s)
  return { refusal }
end
local generation = redis.call('HINCRBY', KEYS[1], 'g', 1)
if seat then take_over(generation, seat) else sit(generation) end
close(s)
return { 'ok', generation, seat and 1 or 0, redis.call('HGET', KEYS[6], who) or '', view(s.now, tonumber(ARGV[8])) }
