-- Stores messages of another system with their ids and times, all or none.
-- KEYS: head, timeline, idempotency index, ids of imported messages, and for a
--       group its members and settings
-- ARGV: "1": the conversation may be made, or shown under another id, or "";
--       time of its creation in ms, or "": now;
--       "1": the messages count as unread, or "";
--       of a 1:1 "A B ", its users in the order of bytes, the id that it is
--       shown under, "0" or "1": which of them comes first, and "";
--       of a group its members in the shape of an answer, its owner, info
--       fragment, and a digest of its members;
--       how many ids of members follow, ids; then for each message
--       id, sender, "time type sender ", escaped text
-- reply: "ok ", how many were stored, " ", how many were not, " ", and the
--        score for inboxes; or the code of a refusal, conv_not_found: nothing
--        is refused, but ARGV[1] must be "1"
local call, pcall = redis.call, redis.pcall
local sub, match = string.sub, string.match
if not KEYS[2] then return {err = 'TRYAGAIN'} end
local may, created, unread = ARGV[1] == '1', ARGV[2], ARGV[3] == '1'
local ids, shown, first, digest = ARGV[4], ARGV[5], 0, ARGV[7]
local group, n = KEYS[5], tonumber(ARGV[8])
local base = 8 + n
local count = (#ARGV - base) / 4
local head = call('GETRANGE', KEYS[1], 0, 329)
local kind, seq = sub(head, 1, 1), tonumber(sub(head, 2, 16)) or 0
local function number(x) return string.format('%.0f', x) end

-- are the members those of the first batch, or those of now?
local function same()
    if call('HGET', KEYS[6], 'imported') == digest then return true end
    if call('HLEN', group) ~= n then return false end
    for i = 9, base, 500 do
        local pos = call('HMGET', group,
                         unpack(ARGV, i, math.min(i + 499, base)))
        for k = 1, #pos do if not pos[k] then return false end end
    end
    return true
end

local takes = head == ''
if head ~= '' and group then
    if kind == '0' or kind == '3' or not same() then
        return 'import_conflict'
    end
elseif head ~= '' then
    if kind ~= '0' or sub(head, 71, 70 + #ids) ~= ids then
        return 'import_conflict'
    end
    first = tonumber(sub(head, 70, 70))
    takes = first < 2
    if not takes and match(head, '^[^ ]+', 71 + #ids) ~= shown then
        return 'import_conflict'
    end
end
if head == '' and not group then first = tonumber(ARGV[6]) end

-- was it sent here, and came back with what was exported?
local function sent(id)
    local s = match(id, '^(%d+)%-%x+$')
    if not s or #s > 15 or tonumber(s) > seq then return false end
    local row = call('ZRANGEBYSCORE', KEYS[2], s, s)[1]
    return row and sub(row, 1, #id + 1) == id .. ' '
end

-- the messages that are not stored yet, by the index of their first argument
local new, seen = {}, {}
for i = 1, count, 500 do
    local some, pos = {}, {}
    for k = i, math.min(i + 499, count) do
        some[#some + 1] = ARGV[base + 4 * k - 3]
    end
    if seq > 0 then pos = call('HMGET', KEYS[4], unpack(some)) end
    for k = 1, #some do
        local id = some[k]
        local at = tonumber(pos[k] or '')
        if not seen[id] and not (at and at <= seq)
           and not (seq > 0 and sent(id))
        then
            new[#new + 1] = base + 4 * (i + k) - 7
        end
        seen[id] = true
    end
end

if #new > 0 and seq > 0 and sub(ARGV[new[1] + 2], 1, 13) < sub(head, 17, 29)
then
    return 'import_conflict'
end
if #new > 0 and (kind == '2' or kind == '5') then return 'dismissed' end
if takes and not may then return 'conv_not_found' end

local function answer(time)
    if seq + #new == 0 then time = number(time - 1) .. '.5' end
    return 'ok ' .. #new .. ' ' .. number(count - #new) .. ' ' .. time
end
if #new == 0 and not takes then return answer(sub(head, 17, 29)) end

-- rows that the head does not know are of a write that was cut off
local left = call('ZRANGEBYSCORE', KEYS[2], number(seq + 1), '+inf')
for i = 1, #left do call('ZREM', KEYS[2], left[i]) end

local rows, index, own = {}, { '', '0' }, {}
for k = 1, #new do
    local i, s = new[k], number(seq + k)
    rows[2 * k - 1] = s
    rows[2 * k] = s .. '=' .. ARGV[i] .. ' ' .. ARGV[i + 2] .. ARGV[i + 3]
    index[2 * k + 1], index[2 * k + 2] = ARGV[i], s
    own[ARGV[i + 1]] = k
end
local function each(name, key, list)
    for i = 1, #list, 1000 do
        call(name, key, unpack(list, i, math.min(i + 999, #list)))
    end
end

-- where a member has read to, who has read up to at before
local function position(user, at)
    local k, quiet = own[user], not unread
    if k then return seq + k + (quiet and #new - k or 0) end
    return at + (quiet and #new or 0)
end

local time, rev = sub(head, 17, 29), sub(head, 30, 35)
if head == '' then
    local t = call('TIME')
    time, rev = created, '000000'
    if time == '' then time = t[1] .. sub('000000' .. t[2], -6, -4) end
end
local typ, from, text = '0', '', ''
if #new > 0 then
    local i = new[#new]
    time, typ = sub(ARGV[i + 2], 1, 13), sub(ARGV[i + 2], 15, 15)
    from, text = ARGV[i + 1], ARGV[i + 3]
end
local pad = sub('00000000000000' .. number(seq + #new), -15)
local value, put = nil, {}
if group then
    value = '4' .. pad .. time .. rev .. typ .. from .. ' ' .. text
    local all = {}
    if head == '' then
        for i = 1, n do all[2 * i - 1], all[2 * i] = ARGV[8 + i], '0j' end
    else
        all = call('HGETALL', group)
    end
    for i = 1, #all, 2 do
        local at = tonumber(match(all[i + 1], '^%d+'))
        local to = position(all[i], at)
        if to > at then
            put[#put + 1], put[#put + 2] = all[i], number(to)
        elseif head == '' then
            put[#put + 1], put[#put + 2] = all[i], all[i + 1]
        end
    end
else
    local names = (first % 2 + 2) .. ids .. shown .. ' '
    if #new == 0 and head ~= '' then
        local whole = call('GET', KEYS[1])
        value = sub(whole, 1, 69) .. names .. sub(whole, 71 + #ids)
    else
        local a, b = match(ids, '^([^ ]+) ([^ ]+)')
        local one = position(a, tonumber(sub(head, 38, 52)) or 0)
        local two = position(b, tonumber(sub(head, 53, 67)) or 0)
        one = sub('00000000000000' .. number(one), -15)
        two = sub('00000000000000' .. number(two), -15)
        local who = from == a and '0' or from == b and '1' or '2'
        value = '0' .. pad .. time .. rev .. '00' .. one .. two .. typ .. who
                .. names .. (who == '2' and from .. ' ' or '') .. text
    end
end

each('HSET', KEYS[4], index)
if head == '' then call('ZADD', KEYS[3], 0, '') end
if head == '' and (group or #new == 0) then call('ZADD', KEYS[2], 0, '') end
if group then
    call('HSET', KEYS[6], 'imported', digest)
    if head == '' then
        call('HSET', KEYS[6], 'owner', shown, 'users', ids, 'info', ARGV[6],
             'created', created ~= '' and created or time)
    end
end
each('ZADD', KEYS[2], rows)
-- what precedes the head is taken back if it is refused
local r = pcall('SET', KEYS[1], value)
if type(r) == 'table' and r.err then
    for i = 2, #rows, 2 do pcall('ZREM', KEYS[2], rows[i]) end
    return r
end
if group then each('HSET', group, put) end
return answer(time)
