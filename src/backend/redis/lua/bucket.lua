-- bucket: takes tokens and answers, in one step.
--
-- KEYS 1 the bucket: the microsecond at which it will be full again
-- ARGV 1 microseconds for one token  2 burst  3 tokens
-- Answers 1 or 0, tokens left, ms until the tokens are there, ms until it is full.
--
-- One number is enough (the generic cell rate algorithm, ITU-T I.371): what is missing now is the time until full over the
-- time for one token. The key lives until then: a full bucket needs none.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local each, burst, tokens = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
-- A clock that was set back, or another rate, must not shut the bucket for longer than filling it takes.
full = math.min(full, now + each * burst)
local left = burst - (full - now) / each
-- The stored time is in whole microseconds: forgive one.
local slack = 1 / each
if tokens > left + slack then
  return { 0, math.floor(left + slack), math.ceil((tokens - left) * each / 1000), math.ceil((full - now) / 1000) }
end
if tokens > 0 then
  full = full + tokens * each
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.max(1, math.ceil((full - now) / 1000)))
end
return { 1, math.max(0, math.floor(left - tokens + slack)), 0, math.ceil((full - now) / 1000) }
