-- How far limits are used up. KEYS: a list a bucket (newest first). ARGV: µs a bucket.
-- Returns, for each: how many count, and µs until the oldest of them does not any more.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}

for number, key in ipairs(KEYS) do
    local window = tonumber(ARGV[number])
    local oldest = redis.call('LINDEX', key, -1)
    while oldest and oldest + window <= now do
        redis.call('RPOP', key)
        oldest = redis.call('LINDEX', key, -1)
    end
    table.insert(answer, redis.call('LLEN', key))
    table.insert(answer, string.format('%.0f', oldest and oldest + window - now or 0))
end
return answer
