-- One exchange between a process and the window that all processes of its key share: the process
-- reports what it has in flight and what has ended, and asks for room.
--
-- What may be granted is what `polling::budget` grants within one process: a test has both decide
-- the same sequences. The numbers in `rules` come from there.
--
-- KEYS: the released calls and polls (sorted sets of their times), the processes. ARGV: the report,
-- the channel. Times are milliseconds of this server's clock.

local calls_key, polls_key, processes_key = KEYS[1], KEYS[2], KEYS[3]
local report = cjson.decode(ARGV[1])
local rules, per, requests = report.rules, report.per, report.requests
-- By how much the clock may be wrong, which other programs set.
local TOLERANCE = 1000
-- What belongs to all processes has this name among them: what 429s have left of the limit.
local COMMON = 'window'

local now = report.now
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A text that another program has stored counts as none.
local function decode(text)
  local is_json, value = pcall(cjson.decode, text)
  return is_json and type(value) == 'table' and value.at and value or nil
end

-- Part of the data may have been evicted, or the clock set back. All processes then report again all
-- that they have in the window.
local state = decode(redis.call('HGET', processes_key, COMMON) or '')
if state then
  local is_whole = redis.call('ZCARD', calls_key) == state.calls
    and redis.call('ZCARD', polls_key) == state.polls
    and now > state.at - TOLERANCE
  if is_whole then
    now = math.max(now, state.at)
  else
    redis.call('DEL', calls_key, polls_key, processes_key)
    state = nil
  end
end

-- The other processes. One that was not seen for a window has no request left in it. Processes may
-- have windows of different lengths.
local others = { direct = 0, poll = 0, waiting = 0, demand = 0, alive = 0 }
local own
local longest = per
local processes = redis.call('HGETALL', processes_key)
for i = 1, #processes, 2 do
  local name, process = processes[i], decode(processes[i + 1])
  if name == report.process then
    own = process
  elseif name ~= COMMON and (not process or process.counts_until <= now) then
    redis.call('HDEL', processes_key, name)
  elseif name ~= COMMON then
    longest = math.max(longest, process.per)
    others.direct = others.direct + process.direct
    others.poll = others.poll + process.poll
    if now < process.alive_until then
      others.waiting = others.waiting + process.waiting
      others.demand = others.demand + process.demand
      others.alive = others.alive + 1
    end
  end
end
-- A report that was delayed, for instance by a server that was frozen, is older than what is known.
-- Nothing waits for its answer any more.
if own and own.version >= report.version then
  return '{}'
end
-- This server was emptied, its clock was set, or it has taken over from one that knew more: the
-- process has to report all that it has in the window.
local is_continued = own
  and own.version == report.version - 1
  and now - own.at <= (report.since or math.huge) + TOLERANCE
if not is_continued and (report.since or not report.is_complete) then
  return cjson.encode({ version = report.version, is_lost = true })
end

for _, released in ipairs(report.released) do
  if released.age < longest then
    local key = released.is_poll and polls_key or calls_key
    redis.call('ZADD', key, now - released.age, report.process .. ':' .. released.number)
  end
end
for _, key in ipairs({ calls_key, polls_key }) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - longest)
end
-- Those in the window of this process.
local since = string.format('(%.0f', now - per)

local function throttle()
  return { share = 1, cut_at = 0, frozen_until = 0 }
end
state = state
  or { direct = throttle(), poll = throttle(), guaranteed_until = 0, calls_since_poll = 0 }

local function share(of)
  return math.min(1, of.share + rules.regained * math.max(0, now - of.cut_at) / per)
end
local function allowance(of)
  return math.max(1, math.floor(requests * share(of)))
end

for _, refusal in ipairs(report.refusals) do
  local of = refusal.is_poll and state.poll or state.direct
  of.frozen_until = math.max(of.frozen_until, now + refusal.pause)
  if not refusal.again and now - refusal.sent_ago >= of.cut_at then
    of.share, of.cut_at = share(of) / 2, of.frozen_until
  end
end

local function count(key)
  return redis.call('ZCOUNT', key, since, '+inf')
end
local direct = count(calls_key) + others.direct + report.in_flight.direct
local poll = count(polls_key) + others.poll + report.in_flight.poll
local waiting = others.waiting + report.waiting

-- When the request after the first `excess` leaves the window, of these sets.
local function leaves_at(excess, ...)
  local times = {}
  for _, key in ipairs({ ... }) do
    local first =
      redis.call('ZRANGEBYSCORE', key, since, '+inf', 'WITHSCORES', 'LIMIT', 0, excess + 1)
    for i = 2, #first, 2 do
      times[#times + 1] = tonumber(first[i])
    end
  end
  table.sort(times)
  return times[excess + 1] and times[excess + 1] + per
end
local function grows_at(of, by)
  local wanted = (allowance(of) + by) / requests
  if wanted > 1 then
    return nil
  end
  return math.max(now, of.cut_at + math.max(0, wanted - of.share) / rules.regained * per) + 1
end
-- Whether less than `cap` is used: if not, when there may be room, at the latest at `latest`.
local function room(used, cap, of, latest, ...)
  local excess = used - cap
  if excess < 0 then
    return true
  end
  local left, grown = leaves_at(excess, ...), grows_at(of, excess + 1)
  return false, math.min(left or latest, grown or latest, latest)
end

local function guaranteed(of_key)
  local is_due = state.calls_since_poll >= rules.calls_per_poll
  return math.max(math.floor(of_key * rules.guaranteed_to_polls), is_due and 1 or 0)
end

local function direct_room()
  local frozen = math.max(state.direct.frozen_until, state.poll.frozen_until)
  if now < frozen then
    return false, frozen
  end
  local has_room, at = room(direct, allowance(state.direct), state.direct, now + per, calls_key)
  if not has_room then
    return false, at
  end
  local of_key, kept, latest = allowance(state.poll), 0, now + per
  if now < state.guaranteed_until then
    kept = math.max(0, guaranteed(of_key) - poll)
    if kept > 0 then
      latest = math.min(latest, state.guaranteed_until)
    end
  end
  return room(direct + poll, of_key - kept, state.poll, latest, calls_key, polls_key)
end

local function poll_room()
  if now < state.poll.frozen_until then
    return false, state.poll.frozen_until
  end
  local of_key = allowance(state.poll)
  local left_to_calls = 0
  if poll >= guaranteed(of_key) and now >= state.direct.frozen_until then
    left_to_calls = math.min(waiting, math.max(0, allowance(state.direct) - direct))
  end
  local cap = math.max(0, of_key - left_to_calls)
  local has_room, at = room(direct + poll, cap, state.poll, math.huge, calls_key, polls_key)
  if has_room then
    local for_polls = math.max(1, of_key - math.ceil(of_key * rules.reserve))
    has_room, at = room(poll, for_polls, state.poll, math.huge, polls_key)
  end
  if not has_room then
    state.guaranteed_until = now + 2 * per
  end
  return has_room, at
end

local granted, denied = { direct = 0, poll = 0 }, {}
local function deny(class, at)
  -- Without a time, the process asks again when it sees fit.
  if at and at < math.huge then
    denied[class] = math.max(1, math.ceil(at - now))
  end
end
if requests > 0 then
  for _ = 1, report.wanted.direct do
    local has_room, at = direct_room()
    if not has_room then
      deny('direct', at)
      break
    end
    direct, granted.direct, waiting = direct + 1, granted.direct + 1, math.max(0, waiting - 1)
    state.calls_since_poll = math.min(state.calls_since_poll + 1, 2 * rules.calls_per_poll - 1)
  end
  for _ = 1, report.wanted.poll do
    local has_room, at = poll_room()
    if not has_room then
      deny('poll', at)
      break
    end
    poll, granted.poll = poll + 1, granted.poll + 1
    state.calls_since_poll = math.max(0, state.calls_since_poll - rules.calls_per_poll)
  end
end

redis.call('HSET', processes_key, report.process, cjson.encode({
  version = report.version,
  at = now,
  per = per,
  counts_until = now + math.max(longest, report.alive),
  alive_until = now + report.alive,
  direct = report.in_flight.direct + granted.direct,
  poll = report.in_flight.poll + granted.poll,
  waiting = math.max(0, report.waiting - granted.direct),
  demand = report.demand,
}))
state.at = now
state.calls, state.polls = redis.call('ZCARD', calls_key), redis.call('ZCARD', polls_key)
redis.call('HSET', processes_key, COMMON, cjson.encode(state))
-- After that a limit that was cut has grown back.
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, math.max(report.alive, math.ceil(longest / rules.regained) * 2))
end
if granted.direct + granted.poll > 0 then
  redis.call('PUBLISH', ARGV[2], report.process .. ' used ' .. direct .. ' ' .. poll)
end
if #report.refusals > 0 then
  redis.call('PUBLISH', ARGV[2], report.process .. ' refused')
end

local function throttled(of)
  return { share = share(of), frozen = math.max(0, math.ceil(of.frozen_until - now)) }
end
return cjson.encode({
  version = report.version,
  granted = granted,
  denied = denied,
  used = { direct = direct, poll = poll },
  demand = others.demand,
  others = others.alive,
  throttled = { direct = throttled(state.direct), poll = throttled(state.poll) },
})
