-- For wrk: sends the requests of a file, each of the same length, one after another; then from the start again.
-- Prints what was measured as one line of JSON.
local file, length

function init(arguments)
  file, length = io.open(arguments[1], 'rb'), tonumber(arguments[2])
end

function request()
  local delivery = file:read(length)
  if not delivery then
    file:seek('set', 0)
    delivery = file:read(length)
  end
  return delivery
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format('{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p99_ms": %.3f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
