-- Let one request in, or refuse it and count nothing. Server time, so that clocks of processes do not matter.
-- KEYS: everybody's epoch, the owner's epoch, the owner's running operations, one list a bucket (newest first).
-- ARGV: a new epoch, the operation ('' for none), the most at once, the lease in ms, then most and µs a bucket.
-- Returns: everybody's epoch, the owner's epoch, what refused (0 nothing, -1 the crowd, n the n-th bucket), µs to wait.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function epoch(key)
    local value = redis.call('GET', key)
    if not value then
        value = ARGV[1]
        redis.call('SET', key, value, 'EX', 86400)
    end
    return value
end

local all, own = epoch(KEYS[1]), epoch(KEYS[2])

if ARGV[2] ~= '' then
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', now / 1000))
    if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then
        return {all, own, -1, 1000000}
    end
end

for number = 1, #KEYS - 3 do
    local key = KEYS[number + 3]
    local most, window = tonumber(ARGV[3 + number * 2]), tonumber(ARGV[4 + number * 2])
    local oldest = redis.call('LINDEX', key, -1)
    while oldest and oldest + window <= now do
        redis.call('RPOP', key)
        oldest = redis.call('LINDEX', key, -1)
    end
    if redis.call('LLEN', key) >= most then
        return {all, own, number, string.format('%.0f', redis.call('LINDEX', key, most - 1) + window - now)}
    end
end

for number = 1, #KEYS - 3 do
    redis.call('LPUSH', KEYS[number + 3], string.format('%.0f', now))
    redis.call('PEXPIRE', KEYS[number + 3], math.ceil(ARGV[4 + number * 2] / 1000))
end
if ARGV[2] ~= '' then
    redis.call('ZADD', KEYS[3], string.format('%.0f', now / 1000 + ARGV[4]), ARGV[2])
    redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return {all, own, 0, 0}
