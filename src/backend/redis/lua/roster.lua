-- roster: seated participants in join order after one who may have left. Needs view.
--
-- ARGV 1 participant or ''  2 limit
-- Answers the host, then participant, seat, participant, seat ...; nothing when there is no session or it ended.

local f = redis.call('HMGET', KEYS[1], 'host', 'ended')
if not f[1] or f[2] then return {} end
local after = 0
if ARGV[1] ~= '' then
  after = redis.call('ZSCORE', KEYS[5], ARGV[1]) or redis.call('HGET', KEYS[6], 'j:' .. ARGV[1]) or 0
end
local rows = seated(now_ms(), after, tonumber(ARGV[2]))
table.insert(rows, 1, f[1])
return rows
