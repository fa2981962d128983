-- publish: appends a batch to one session's log. Needs fence, append, trim and either effect or no_effect.
--
-- KEYS 9.. idempotency keys of items that have one
-- ARGV 4 number of authors  5 number of items  6.. the authors, then for each item:
--        author (index, 0 none)  generation ('' none)  repetition ('' none, 'n17' a number, 'k9' the key KEYS[9])
--        record version ('' any)  record text
--      then, when the last item has an effect: what effect.lua says
-- Answers nothing when there is no session, else the epoch and two numbers for each item: a code below and its value.
--
-- d holds for each author `<last n> <its seq> <seq before that> ...`: the newest 32 places and up to 31 more, so that the string
-- is cut every 32nd time only.

local ACCEPTED, DUPLICATE, STALE, GAP, CONFLICT, BANNED = 1, 2, 4, 5, 6, 8
local PLACES = 32

local s = open()
if not s then return {} end

local authors, items = tonumber(ARGV[4]), tonumber(ARGV[5])
local seats, counts, counted = {}, {}, {}
if authors > 0 then
  seats = redis.call('HMGET', KEYS[3], unpack(ARGV, 6, 5 + authors))
  counts = redis.call('HMGET', KEYS[6], unpack(ARGV, 6, 5 + authors))
end

-- Where the author's entry is that was `back` before their last; the oldest remembered if that is forgotten.
local function place(author, back)
  local seq, at = nil, 0
  for each in string.gmatch(counts[author], ' (%d+)') do
    seq = each
    if at == back or at == PLACES - 1 then break end
    at = at + 1
  end
  return tonumber(seq)
end

local function remember(author, n, seq)
  local places = counts[author] and string.match(counts[author], '( .*)$') or ''
  if n % PLACES == 0 then
    local cut = 0
    for _ = 1, PLACES do
      cut = string.find(places, ' ', cut + 1, true)
      if not cut then break end
    end
    if cut then places = string.sub(places, 1, cut - 1) end
  end
  counts[author] = n .. ' ' .. seq .. places
  counted[author] = true
end

-- A code and a value when the item is not to be appended.
local function refused(author, generation, again, version)
  if generation ~= '' then
    if not seats[author] or string.match(seats[author], '^%d+') ~= generation then return STALE, 0 end
  elseif author > 0 then
    local till = redis.call('ZSCORE', KEYS[7], ARGV[5 + author])
    if till and tonumber(till) > s.now then return BANNED, 0 end
  end
  local how = string.sub(again, 1, 1)
  if how == 'n' then
    local n = tonumber(string.sub(again, 2))
    local last = counts[author] and tonumber(string.match(counts[author], '^%d+')) or 0
    if n ~= last + 1 then
      if n < 1 or n > last then return GAP, last end
      return DUPLICATE, place(author, last - n)
    end
  elseif how == 'k' then
    local seq = redis.call('GET', KEYS[tonumber(string.sub(again, 2))])
    if seq then return DUPLICATE, tonumber(seq) end
  end
  if version ~= '' and tonumber(version) ~= s.v then return CONFLICT, 0 end
end

local answer, at, effects = {}, 6 + authors, 6 + authors + items * 5
for item = 1, items do
  local author, again = tonumber(ARGV[at]), ARGV[at + 2]
  local has_effect = item == items and ARGV[effects]
  local code, value = refused(author, ARGV[at + 1], again, ARGV[at + 3])
  if not code and has_effect then
    code = weigh(s, effects, author > 0 and ARGV[5 + author])
    value = 0
  end
  if not code then
    local seq = append(s, ARGV[at + 4])
    local how = string.sub(again, 1, 1)
    if how == 'n' then
      remember(author, tonumber(string.sub(again, 2)), seq)
    elseif how == 'k' then
      redis.call('SET', KEYS[tonumber(string.sub(again, 2))], seq, 'PX', s.ttl)
    end
    if has_effect then apply(s, effects, author > 0 and ARGV[5 + author]) end
    code, value = ACCEPTED, seq
  end
  answer[#answer + 1] = code
  answer[#answer + 1] = value
  at = at + 5
end

local numbers = {}
for author in pairs(counted) do
  numbers[#numbers + 1] = ARGV[5 + author]
  numbers[#numbers + 1] = counts[author]
end
if #numbers > 0 and redis.call('HSET', KEYS[6], unpack(numbers)) > 0 then born(s, KEYS[6]) end

-- Every 64th entry: trimming costs more than appending.
if math.floor(s.q / 64) ~= math.floor(s.q0 / 64) then trim(s) end
close(s)
if s.over then forget(s) end
table.insert(answer, 1, s.e)
return answer
