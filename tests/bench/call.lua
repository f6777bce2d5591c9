-- One tools/call, again and again. Every answer is looked at: a refusal may well come with status 200.

local expected = '"text"%s*:%s*"' .. os.getenv("BENCH_TEXT") .. '"'
local threads = {}

wrk.method = "POST"
wrk.body = os.getenv("BENCH_BODY")
wrk.headers["Authorization"] = "Bearer " .. os.getenv("BENCH_TOKEN")
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
wrk.headers["MCP-Protocol-Version"] = "2026-07-28"
wrk.headers["Mcp-Method"] = "tools/call"
wrk.headers["Mcp-Name"] = os.getenv("BENCH_TOOL")

function setup(thread)
    table.insert(threads, thread)
end

function init(args)
    refused = 0
    wrong = 0
    sample = ""
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
