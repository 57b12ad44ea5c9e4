-- Tells all processes of a key, and keeps it for those that begin later.
--
-- KEYS: the kept messages, a sorted set of their times. ARGV: the channel, the sender, how long and
-- how many messages are kept, and the messages. Times are milliseconds of this server's clock.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, max_age, max_count = KEYS[1], tonumber(ARGV[3]), tonumber(ARGV[4])
for i = 5, #ARGV do
  redis.call('ZADD', kept, now, ARGV[i])
  redis.call('PUBLISH', ARGV[1], ARGV[2] .. ' ' .. ARGV[i])
end
redis.call('ZREMRANGEBYSCORE', kept, '-inf', now - max_age)
redis.call('ZREMRANGEBYRANK', kept, 0, -max_count - 1)
redis.call('PEXPIRE', kept, max_age)
return now
