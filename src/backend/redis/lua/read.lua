-- read: entries and what the log knows of itself, in one step; of an ended session too. Needs view.
--
-- ARGV 1 'after' or 'before'  2 number  3 limit  4 bytes of records after which the page ends
-- Answers nothing when there is no session, else epoch, head, oldest, lineage, entries (before: newest first).

-- Entries asked from the stream at once, the first time and at most: a page of the largest messages ends after the first few.
local FEW, CHUNK = 4, 32

local function take(command, from, to)
  local limit, bytes, taken = tonumber(ARGV[3]), tonumber(ARGV[4]), {}
  local few = FEW
  while #taken < limit do
    local asked = math.min(few, limit - #taken)
    few = math.min(CHUNK, few * 2)
    local chunk = redis.call(command, KEYS[2], from, to, 'COUNT', asked)
    for _, entry in ipairs(chunk) do
      taken[#taken + 1] = entry
      -- The record follows the time stamp.
      local value = entry[2][2]
      bytes = bytes - #value + (string.find(value, ' ', 1, true) or 0)
      if bytes <= 0 then return taken end
    end
    if #chunk < asked then break end
    from = '(' .. chunk[#chunk][1]
  end
  return taken
end

local f = redis.call('HMGET', KEYS[1], 'e', 'q', 'l')
if not f[1] then return {} end
local head, entries = tonumber(f[2]), {}
if ARGV[1] == 'after' then
  entries = take('XRANGE', '(' .. ARGV[2] .. '-0', '+')
elseif ARGV[2] ~= '0' then
  entries = take('XREVRANGE', '(' .. ARGV[2] .. '-0', '-')
end
return { f[1], head, oldest(head), f[3] or '', entries }
