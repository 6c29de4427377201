-- What wrk sends and prints. The requests are read from the file named on the command line, each ended by a zero byte,
-- and are sent in turn; a single one is prepared once, so that wrk stays out of Lua while it measures.
local requests, at = {}, 0

function init(args)
    local file = assert(io.open(args[1], "rb"))
    for one in file:read("*a"):gmatch("([^%z]+)%z") do requests[#requests + 1] = one end
    file:close()
    if #requests == 1 then
        wrk.format = function() return requests[1] end
        return
    end
    request = function()
        at = at % #requests + 1
        return requests[at]
    end
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "p999": %d, "max": %d, ' ..
        '"errors": {"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency:percentile(99.9),
        latency.max, e.connect, e.read, e.write, e.status, e.timeout))
end
