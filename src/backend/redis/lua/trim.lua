-- trim: forgets the oldest entries of a log. Needs fence.
--
-- ARGV 3 `<entries> <ms> <bytes>`: an entry is kept while it is one of the newest so many, and while it is younger than that, unless
--        the log takes more memory than that: then the newest so many are all that is kept.
--
-- Time stamps rise with the numbers, so the first young entry is found by halving: at most 20 looks of 4 microseconds. Only a log
-- with more young entries than the number is weighed, which takes 10 microseconds for each MiB.

-- The number and the time stamp of the first entry from a number on.
local function look(from)
  local entry = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', 1)[1]
  return tonumber(string.match(entry[1], '^%d+')), tonumber(string.match(entry[2][2], '^%d+'))
end

local function trim(s)
  local keep, age, bytes = string.match(ARGV[3], '^(%d+) (%d+) (%d+)$')
  local excess = redis.call('XLEN', KEYS[2]) - keep
  if excess <= 0 then return end
  local old, at = look('-')
  local young = old + excess
  local _, last = look(young - 1)
  local till = s.now - age
  if last <= till or redis.call('MEMORY', 'USAGE', KEYS[2], 'SAMPLES', 0) > tonumber(bytes) then
    redis.call('XTRIM', KEYS[2], 'MAXLEN', keep)
  elseif at <= till then
    while young - old > 1 do
      local middle = math.floor((old + young) / 2)
      _, at = look(middle)
      if at <= till then old = middle else young = middle end
    end
    redis.call('XTRIM', KEYS[2], 'MINID', young)
  end
end
