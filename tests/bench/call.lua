-- One tools/call, again and again, each with an id that no other call in flight has.
-- Every answer is looked at: a refusal may well come with status 200.

local expected = '"text"%s*:%s*"' .. os.getenv("BENCH_TEXT") .. '"'
local threads = {}

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
for name, value in os.getenv("BENCH_HEADERS"):gmatch("([^:\n]+): ([^\n]*)") do
    wrk.headers[name] = value
end

local MOST_IN_FLIGHT = 4096
local requests = {}
local last = 0

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    refused = 0
    wrong = 0
    sample = ""
    for id = 1, MOST_IN_FLIGHT do
        local body = wrk.body:gsub('"id": 1,', '"id": ' .. id .. ",", 1)
        requests[id] = wrk.format(nil, nil, nil, body)
    end
end

function request()
    last = last % MOST_IN_FLIGHT + 1
    return requests[last]
end

function response(status, headers, body)
    if status ~= 200 then
        refused = refused + 1
    elseif not body:find(expected) or body:find('"isError"%s*:%s*true') then
        wrong = wrong + 1
    else
        return
    end
    if sample == "" then
        sample = status .. " " .. body:sub(1, 300)
    end
end

function done(summary, latency, requests)
    local refused, wrong = 0, 0
    for _, thread in ipairs(threads) do
        refused = refused + thread:get("refused")
        wrong = wrong + thread:get("wrong")
        if thread:get("sample") ~= "" then
            io.write("sample " .. thread:get("sample"):gsub("%s+", " ") .. "\n")
        end
    end
    local lost = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    io.write(string.format(
        "figures %d %d %d %d %d %d %d\n",
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), refused, wrong, lost
    ))
end
