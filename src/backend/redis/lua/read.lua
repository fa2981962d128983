-- read: entries and what the log knows of itself, in one step; of an ended session too. Needs view.
--
-- ARGV 1 'after' or 'before'  2 number  3 limit
-- Answers nothing when there is no session, else epoch, head, oldest, lineage, entries (before: newest first).

local f = redis.call('HMGET', KEYS[1], 'e', 'q', 'l')
if not f[1] then return {} end
local head, entries = tonumber(f[2]), {}
if ARGV[3] == '0' then
  entries = {}
elseif ARGV[1] == 'after' then
  entries = redis.call('XRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '+', 'COUNT', ARGV[3])
elseif ARGV[2] ~= '0' then
  entries = redis.call('XREVRANGE', KEYS[2], '(' .. ARGV[2] .. '-0', '-', 'COUNT', ARGV[3])
end
return { f[1], head, oldest(head), f[3] or '', entries }
