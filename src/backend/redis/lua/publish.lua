-- publish: appends a batch to one session's log. Needs fence, append, trim and either effect or no_effect.
--
-- ARGV 4 number of authors  5 number of items  6.. the authors, then for each item:
--        author (index, 0 none)  generation ('' none)  repetition ('' none, 'n17' a number, 'k:<digest>' a key, the field of d that remembers it)
--        record version ('' any)  record text
--      then, when the last item has an effect: what effect.lua says
-- Answers nothing when there is no session, else the epoch and two numbers for each item: a code below and its value.
--
-- d holds for each author `<last n> <its seq> <how far before that the one before> ...`: the newest 32 places and up to 31 more, so
-- that the row is cut every 32nd time only. Distances are short, and the row is written, and appended to the file, with each call.

local ACCEPTED, DUPLICATE, STALE, GAP, CONFLICT, BANNED = 1, 2, 4, 5, 6, 8
local PLACES = 32
local N = string.byte('n')

local s = open()
if not s then return {} end

local items, first = tonumber(ARGV[5]), 6 + tonumber(ARGV[4])
local names, seats, rows = {}, {}, {}
if first > 6 then
  names = { unpack(ARGV, 6, first - 1) }
  seats = redis.call('HMGET', KEYS[3], unpack(names))
  rows = redis.call('HMGET', KEYS[6], unpack(names))
end

-- What is known of each author by their index in the call: generation, last number with its place, distances before that, and
-- the places they got in this batch. Rows are read once and written once, however many items are theirs.
local known = {}
local function meet(index)
  local i = tonumber(index)
  local author = { name = names[i], last = 0, seq = 0, distances = '', new = {} }
  author.generation = seats[i] and string.match(seats[i], '^%d+')
  if rows[i] then
    local last, seq, distances = string.match(rows[i], '^(%d+) (%d+)(.*)$')
    author.last, author.seq, author.distances = tonumber(last), tonumber(seq), distances
  end
  known[index] = author
  return author
end

-- Where the author's entry is that was `back` before their last; the oldest remembered if that is forgotten.
local function place(author, back)
  local new = author.new
  back = math.min(back, PLACES - 1)
  if back < #new then return new[#new - back] end
  local seq, at = author.seq, #new
  for distance in string.gmatch(author.distances, ' (%d+)') do
    if at == back then break end
    seq, at = seq - tonumber(distance), at + 1
  end
  return seq
end

-- The author's row after this batch.
local function row(author)
  local new, distances = author.new, author.distances
  -- Of the distances before this batch so many are still wanted.
  local wanted = PLACES + author.last % PLACES - #new - 1
  if wanted <= 0 then
    distances = ''
  elseif author.last % PLACES < #new then
    local cut = 0
    for _ = 0, wanted do
      cut = string.find(distances, ' ', cut + 1, true)
      if not cut then break end
    end
    if cut then distances = string.sub(distances, 1, cut - 1) end
  end
  local text = { author.last, new[#new] }
  for i = #new, math.max(2, #new - 2 * PLACES), -1 do text[#text + 1] = new[i] - new[i - 1] end
  if author.seq > 0 and wanted >= 0 then text[#text + 1] = new[1] - author.seq end
  return table.concat(text, ' ') .. distances
end

-- A code and a value when the item is not to be appended. `again` is its number, or the key that remembers it.
local function refused(author, generation, again, version)
  if generation ~= '' then
    if not author or author.generation ~= generation then return STALE, 0 end
  elseif author then
    local till = redis.call('ZSCORE', KEYS[7], author.name)
    if till and tonumber(till) > s.now then return BANNED, 0 end
  end
  if type(again) == 'number' then
    local last = author.last
    if again ~= last + 1 then
      if again < 1 or again > last then return GAP, last end
      return DUPLICATE, place(author, last - again)
    end
  elseif again then
    local seq = redis.call('HGET', KEYS[6], again)
    if seq then return DUPLICATE, tonumber(seq) end
  end
  if version ~= '' and tonumber(version) ~= s.v then return CONFLICT, 0 end
end

local function repetition(text)
  local how = string.byte(text)
  if not how then return nil end
  if how == N then return tonumber(string.sub(text, 2)) end
  return text
end

local answer, at, effects = { '' }, first, first + items * 5
for item = 1, items do
  local index, again = ARGV[at], repetition(ARGV[at + 2])
  local author = index ~= '0' and (known[index] or meet(index)) or nil
  local has_effect = item == items and ARGV[effects]
  local code, value = refused(author, ARGV[at + 1], again, ARGV[at + 3])
  if not code and has_effect then
    code = weigh(s, effects, author and author.name)
    value = 0
  end
  if not code then
    local seq = append(s, ARGV[at + 4])
    if type(again) == 'number' then
      author.last = again
      author.new[#author.new + 1] = seq
    elseif again then
      redis.call('HSET', KEYS[6], again, seq)
      born(s, KEYS[6])
    end
    if has_effect then apply(s, effects, author and author.name) end
    code, value = ACCEPTED, seq
  end
  answer[item * 2] = code
  answer[item * 2 + 1] = value
  at = at + 5
end

local changed = {}
for _, author in pairs(known) do
  if #author.new > 0 then
    changed[#changed + 1] = author.name
    changed[#changed + 1] = row(author)
  end
end
if #changed > 0 and redis.call('HSET', KEYS[6], unpack(changed)) > 0 then born(s, KEYS[6]) end

-- Every 64th entry: trimming costs more than appending.
if math.floor(s.q / 64) ~= math.floor(s.q0 / 64) then trim(s) end
close(s)
if s.over then forget(s) end
answer[1] = s.e
return answer
