-- effect: the change of state that lands with the last entry of a batch. Needs fence, append and seats.
--
-- ARGV from `at`: slot <name> <version> <json> | slot_is <name> <version> | patch <password hash or ''> <field> <value> ...
--      | transfer <participant> | kick <participant> <ban ms> | profile <json> | end <ms until it is forgotten>
--
-- `weigh` answers a refusal's code or nothing; `apply` runs after the entry was appended.

local UNSEATED = 7

local function weigh(s, at, author)
  local kind = ARGV[at]
  if kind == 'slot' or kind == 'slot_is' then
    local now = redis.call('HGET', KEYS[1], 'slot:' .. ARGV[at + 1])
    local version = now and tonumber(string.match(now, '^%d+')) or 0
    if kind == 'slot' then version = version + 1 end
    if version ~= tonumber(ARGV[at + 2]) then return 6 end
  elseif kind == 'transfer' or kind == 'kick' then
    if redis.call('HEXISTS', KEYS[3], ARGV[at + 1]) == 0 then return UNSEATED end
  elseif kind == 'profile' then
    if not author or redis.call('HEXISTS', KEYS[3], author) == 0 then return UNSEATED end
  end
end

local function patch(s, at)
  if ARGV[at + 1] ~= '' then
    redis.call('SET', KEYS[8], ARGV[at + 1], 'PXAT', s.r + s.ttl)
  end
  for i = at + 2, #ARGV, 2 do put(s, ARGV[i], ARGV[i + 1]) end
  s.v = s.v + 1
  put(s, 'v', s.v)
end

local function apply(s, at, author)
  local kind = ARGV[at]
  if kind == 'slot' then
    put(s, 'slot:' .. ARGV[at + 1], ARGV[at + 2] .. ' ' .. ARGV[at + 3])
  elseif kind == 'patch' then
    patch(s, at)
  elseif kind == 'transfer' then
    s.claims = ''
    put(s, 'claims', '')
    crown(s, ARGV[at + 1])
  elseif kind == 'kick' then
    if redis.call('ZADD', KEYS[7], s.now + tonumber(ARGV[at + 2]), ARGV[at + 1]) > 0 then born(s, KEYS[7]) end
    unseat(s, ARGV[at + 1])
    replace_host(s)
  elseif kind == 'profile' then
    local seat = redis.call('HGET', KEYS[3], author)
    redis.call('HSET', KEYS[3], author, string.match(seat, '^%d+ %d+ %S+ ') .. ARGV[at + 1])
  elseif kind == 'end' then
    put(s, 'ended', s.now)
    s.over = tonumber(ARGV[at + 1])
  end
end

-- What is left of an ended session can be read for a while.
local function forget(s)
  for i = 1, 8 do redis.call('PEXPIRE', KEYS[i], s.over) end
end
