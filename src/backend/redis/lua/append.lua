-- append: adds an entry to the stream and to the announcement. Needs fence.
--
-- The stream's ids are our numbers, given explicitly: `<seq>-0`. Redis refuses one that is not above its last; then the record
-- and the stream tell different pasts (somebody restored one of them), and the log goes on after the stream's last under a new epoch.

local function last_in_stream()
  local info = redis.call('XINFO', 'STREAM', KEYS[2])
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return tonumber(string.match(info[i + 1], '^(%d+)')) end
  end
end

local function append(s, text)
  local value = s.stamp .. text
  local made = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', (s.q + 1) .. '-0', 'r', value)
  if type(made) == 'table' and made.err then
    if not string.find(made.err, 'equal or smaller', 1, true) then error(made.err) end
    turn(s, last_in_stream())
    redis.call('XADD', KEYS[2], (s.q + 1) .. '-0', 'r', value)
  elseif not made then
    redis.call('XADD', KEYS[2], (s.q + 1) .. '-0', 'r', value)
    born(s, KEYS[2])
  end
  local seq, n, out = s.q + 1, s.n + 1, s.out
  s.q, s.n = seq, n
  if n == 1 then s.first = seq end
  out[n * 2 - 1] = #text .. ':'
  out[n * 2] = text
  return seq
end
