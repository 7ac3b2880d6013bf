-- wrk's script: requests that differ in one value, by turns, and the result as one line of JSON.
--
--   wrk … URL -- plain
--   wrk … URL -- cookie FILE     each line is `name=value`
--   wrk … URL -- bearer FILE     each line is an access token
--   wrk … URL -- grant FILE      each line goes into {"grant": …}, with $STREAMLIT_SECRET

local prepared, turn = {}, 0

local function with(line, kind)
  local headers = {}
  for name, value in pairs(wrk.headers) do headers[name] = value end
  if kind == "cookie" then
    headers["Cookie"] = line
    return wrk.format("GET", nil, headers)
  elseif kind == "bearer" then
    headers["Authorization"] = "Bearer " .. line
    return wrk.format("GET", nil, headers)
  end
  headers["Authorization"] = "Bearer " .. os.getenv("STREAMLIT_SECRET")
  headers["Content-Type"] = "application/json"
  return wrk.format("POST", nil, headers, '{"grant":"' .. line .. '"}')
end

function init(args)
  local kind, file = args[1], args[2]
  if kind == "plain" then
    prepared[1] = wrk.format()
    return
  end
  for line in io.lines(file) do
    if line ~= "" then prepared[#prepared + 1] = with(line, kind) end
  end
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50":%d,"p90":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(90), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
