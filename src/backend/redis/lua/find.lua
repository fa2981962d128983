-- find: the record and how many seats are taken. Needs view.
--
-- Answers nothing when there is no session or it ended, else the record's fields (not the slots) and the count.

local names = { 'name', 'host', 'cap', 'locked', 'control', 'created', 'r', 'ttl', 'v' }
local f = redis.call('HMGET', KEYS[1], 'ended', unpack(names))
if f[1] or not f[2] then return {} end
local record = {}
for i, name in ipairs(names) do
  record[#record + 1] = name
  record[#record + 1] = f[i + 1]
end
return { record, redis.call('ZCOUNT', KEYS[4], '(' .. now_ms(), '+inf') }
