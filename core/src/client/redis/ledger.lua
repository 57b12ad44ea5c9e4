-- Writes the ledger of a key, if it is still the one that the new one was made from.
--
-- KEYS: the ledger. ARGV: the revision that it must have, empty if there must be none; the new ledger;
-- for how many milliseconds it is kept; the channel; the sender.

local start = redis.call('GETRANGE', KEYS[1], 0, 199)
local revision = string.match(start, '^{"format":1,"revision":"([%w%-]+)"') or ''
if revision ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('PUBLISH', ARGV[4], ARGV[5] .. ' spent')
return 1
