-- leave: gives a seat up, if it is still this generation's. Needs fence, append and seats.
--
-- ARGV 4 participant  5 generation
-- Answers 1 when it did.

local seat = redis.call('HGET', KEYS[3], ARGV[4])
if not seat or string.match(seat, '^%d+') ~= ARGV[5] then return 0 end
local s = open()
if not s then return 0 end
unseat(s, ARGV[4])
replace_host(s)
tell_left(s, ARGV[4], '"' .. ARGV[4] .. '"', 'left')
close(s)
return 1
