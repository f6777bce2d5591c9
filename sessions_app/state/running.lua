-- What runs. KEYS: the owner's running operations. ARGV: the lease in ms and operations that go on, if any.
-- Returns: those that count.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

for number = 2, #ARGV do
    redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', now + ARGV[1]), ARGV[number])
    redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now), '+inf')
