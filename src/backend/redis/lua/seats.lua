-- seats: who sits, who is host. Needs fence and append.
--
-- A seat is `<generation> <joined at> <node> <profile>` in p, its lease in z, its join index in o. The index of a seat that is
-- gone stays in d as `j:<participant>`, so that a page of the roster can go on after someone who left.

-- How many seats one call frees at most: about 7 microseconds each, so a Redis is never held much longer than 7 ms.
local REAPED = 1000
-- How many former hosts are remembered, the latest ones.
local CLAIMS = 16

local function unseat(s, who)
  local index = redis.call('ZSCORE', KEYS[5], who) or '0'
  redis.call('HDEL', KEYS[3], who)
  redis.call('ZREM', KEYS[4], who)
  redis.call('ZREM', KEYS[5], who)
  if redis.call('HSET', KEYS[6], 'j:' .. who, index) > 0 then born(s, KEYS[6]) end
end

local function crown(s, who)
  s.host, s.v = who, s.v + 1
  put(s, 'host', who)
  put(s, 'v', s.v)
end

-- The longest seated, those whose lease runs before the others.
local function eldest(s)
  local first, at = nil, 0
  while true do
    local page = redis.call('ZRANGE', KEYS[5], at, at + 99)
    if #page == 0 then return first end
    first = first or page[1]
    local leases = redis.call('ZMSCORE', KEYS[4], unpack(page))
    for i, who in ipairs(page) do
      if tonumber(leases[i] or 0) > s.now then return who end
    end
    at = at + 100
  end
end

-- A host without a seat is followed by the longest seated; a session nobody sits in keeps its host.
local function replace_host(s)
  if redis.call('HEXISTS', KEYS[3], s.host) == 1 then return end
  local who = eldest(s)
  if who then crown(s, who) end
end

-- Former hosts who may be host again: `<participant>=<until>` each, without those given or run out.
local function claims_without(s, who)
  local kept = {}
  for mark in string.gmatch(s.claims or redis.call('HGET', KEYS[1], 'claims') or '', '%S+') do
    local name, till = string.match(mark, '^(.-)=(%d+)$')
    if name ~= who and tonumber(till) > s.now then kept[#kept + 1] = mark end
  end
  return kept
end

local function claim(s, who, reclaim)
  local kept = claims_without(s, who)
  kept[#kept + 1] = who .. '=' .. (s.now + reclaim)
  while #kept > CLAIMS do table.remove(kept, 1) end
  s.claims = table.concat(kept, ' ')
  put(s, 'claims', s.claims)
end

-- Until when they may be host again, as text; nil without a claim.
local function claimed_till(s, who)
  local all = s.claims or redis.call('HGET', KEYS[1], 'claims') or ''
  return string.match(' ' .. all, ' ' .. string.gsub(who, '%-', '%%-') .. '=(%d+)')
end

local function may_reclaim(s, who)
  local till = claimed_till(s, who)
  return till ~= nil and tonumber(till) > s.now
end

-- Whether they may be host again; asking uses the claim up.
local function reclaims(s, who)
  local till = claimed_till(s, who)
  if not till then return false end
  s.claims = table.concat(claims_without(s, who), ' ')
  put(s, 'claims', s.claims)
  return tonumber(till) > s.now
end

local function tell_left(s, who, from, reason)
  append(s, 'participant.left "from":' .. from .. ',"data":{"participant_id":"' .. who .. '","reason":"' .. reason
    .. '","host_id":"' .. s.host .. '"}}')
end

-- Frees the seats whose lease ran out, and those of `also` in any case if theirs did.
local function reap(s, reclaim, also)
  local lapsed = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', s.now, 'LIMIT', 0, REAPED)
  if #lapsed == REAPED then
    for _, who in ipairs(also) do
      local lease = redis.call('ZSCORE', KEYS[4], who)
      if lease and tonumber(lease) <= s.now then lapsed[#lapsed + 1] = who end
    end
  end
  for _, who in ipairs(lapsed) do
    -- One of `also` may be listed twice.
    if redis.call('HEXISTS', KEYS[3], who) == 1 then
      local before = s.host
      unseat(s, who)
      replace_host(s)
      if s.host ~= before then claim(s, before, reclaim) end
      tell_left(s, who, 'null', 'timeout')
    end
  end
end
