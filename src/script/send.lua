-- Stores a message.
-- KEYS: head, timeline, idempotency index, and for a group its members;
--       the head alone if none of them can exist (a slot that is moved)
-- ARGV: from, type, escaped text, random part of the id,
--       client_msg_id or "", window in ms,
--       for a 1:1 whose users are known "A B " in the order of bytes, or "",
--       "0" or "1": which of them is the sender; the event channel, if any
-- reply: "msg_id time", for a 1:1 that was named by its id also " " and the
--        other user, for an imported one always, and " " and the id it is
--        shown under; "=" and a head: not of the kind that KEYS are for; or
--        the code of a refusal
local call, pcall, sub = redis.call, redis.pcall, string.sub
local from, typ, text, cid, ids = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[7]
local group, who, peer = KEYS[4], ARGV[8], ''
local timeline = KEYS[2] or sub(KEYS[1], 1, -2) .. 'm'
local index = KEYS[3] or sub(KEYS[1], 1, -2) .. 'i'
local head = call('GETRANGE', KEYS[1], 0, 329)
local kind = sub(head, 1, 1)
local t = call('TIME')
local now = t[1] .. sub('000000' .. t[2], -6, -4)
local seq, keep, other, rev, pos, known
local as = ''
local check = cid ~= ''
if head == '' then
    if group or ids == '' then return 'conv_not_found' end
    seq, keep, other, rev = '1', who .. ids, '000000000000000', '000000'
    check = true
elseif kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
else
    if not KEYS[2] then return {err = 'TRYAGAIN'} end
    local last = sub(head, 17, 29)
    if now < last then now = last end
    if now - last >= 1000 then check = true end
    seq, rev = (sub(head, 2, 16) + 1) .. '', sub(head, 30, 35)
    if group then
        pos = call('HGET', group, from)
        if not pos then return 'not_member' end
    else
        if ids == '' then
            local _, _, a, b = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
            if from ~= a and from ~= b then return 'not_member' end
            who, peer, ids = '0', ' ' .. b, a .. ' ' .. b .. ' '
            if from == b then who, peer = '1', ' ' .. a end
        end
        keep = sub(head, 70, 70 + #ids)
        if keep ~= '0' .. ids and keep ~= '1' .. ids then
            if keep ~= '2' .. ids and keep ~= '3' .. ids then
                return 'not_member'
            end
            local shown = string.match(head, '^[^ ]+', 71 + #ids)
            local a, b = string.match(ids, '^([^ ]+) ([^ ]+)')
            peer = ' ' .. (who == '0' and b or a) .. ' ' .. shown
            keep, as = keep .. shown .. ' ', '=' .. shown
        end
        other = who == '0' and sub(head, 53, 67) or sub(head, 38, 52)
    end
end
local body = typ .. ' ' .. from .. ' ' .. text
if cid ~= '' then
    known = call('ZSCORE', index, from .. ' ' .. cid)
    local row = known and tonumber(known) < tonumber(seq)
        and call('ZRANGEBYSCORE', timeline, known, known)[1]
    if row then
        local sp = string.find(row, ' ', 1, true)
        if now - sub(row, sp + 1, sp + 13) < tonumber(ARGV[6]) then
            -- of a recalled message nothing is left to compare
            local same = sub(row, sp + 15) == body
                or sub(row, sp + 16, sp + 16) == 'r'
            return same and sub(row, 1, sp + 13) .. peer
                or 'idempotency_conflict'
        end
    end
end
if kind == '2' or kind == '5' then return 'dismissed' end
-- A row of this sequence, which the head does not know, is of a write that
-- was cut off.  In a busy conversation only a client_msg_id looks for it.  If
-- there are later ones, it is the head that is wrong.
if check then
    local rows = call('ZRANGEBYSCORE', timeline, seq, '+inf', 'LIMIT', 0, 9)
    for i = 1, #rows do
        if sub(rows[i], 1, #seq + 1) ~= seq .. '-' then
            return 'store_error'
        end
    end
    for i = 1, #rows do call('ZREM', timeline, rows[i]) end
end
local pad = sub('00000000000000' .. seq, -15)
local id = seq .. '-' .. ARGV[4] .. ' ' .. now
local row, value = id .. ' ' .. body, nil
if group then
    value = kind .. pad .. now .. rev .. typ .. from .. ' ' .. text
elseif who == '0' then
    value = '0' .. pad .. now .. rev .. '00' .. pad .. other .. typ .. '0'
        .. keep .. text
else
    value = '0' .. pad .. now .. rev .. '00' .. other .. pad .. typ .. '1'
        .. keep .. text
end
-- the head comes last, and what precedes it is taken back if it is refused
local function failed(r) return type(r) == 'table' and r.err end
local r = pcall('ZADD', timeline, seq, row)
if head == '' and not failed(r) then r = pcall('ZADD', index, '0', '') end
if cid ~= '' and not failed(r) then
    r = pcall('ZADD', index, seq, from .. ' ' .. cid)
end
if group and not failed(r) then r = pcall('HSET', group, from, seq) end
if not failed(r) then r = pcall('SET', KEYS[1], value) end
if failed(r) then
    pcall('ZREM', timeline, row)
    if head == '' then pcall('ZREM', index, '') end
    if known then
        pcall('ZADD', index, known, from .. ' ' .. cid)
    elseif cid ~= '' then
        pcall('ZREM', index, from .. ' ' .. cid)
    end
    if group then pcall('HSET', group, from, pos) end
    return r
end
-- every second time: forget what is older than the window, a few at a time
if cid ~= '' and string.find(ARGV[4], '[02468ace]$') then
    local old = call('ZRANGE', index, 1, 8, 'WITHSCORES')
    for i = 1, #old, 2 do
        local row = call('ZRANGEBYSCORE', timeline, old[i + 1], old[i + 1])[1]
        local sp = row and string.find(row, ' ', 1, true)
        if sp and now - sub(row, sp + 1, sp + 13) < tonumber(ARGV[6]) then
            break
        end
        call('ZREM', index, old[i])
    end
end
if ARGV[9] then
    pcall('PUBLISH', ARGV[9], (group and 'M ' or 'm ') .. t[1]
        .. sub('000000' .. t[2], -6, -4)
        .. string.match(KEYS[1], '{c(:.*)}:h$') .. as .. ' '
        .. (group and '' or ids) .. row)
end
return id .. peer
