-- Writes the ledger of a key, if it is still the one that the new one was made from.
--
-- KEYS: the ledger. ARGV: how it must begin, empty if there must be none; the new ledger; the length of
-- a beginning; for how many milliseconds it is kept; the channel; the sender.

if redis.call('GETRANGE', KEYS[1], 0, ARGV[3] - 1) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' spent')
return 1
