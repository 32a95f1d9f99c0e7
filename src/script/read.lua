-- Moves a reader's position forward, never back.
-- KEYS: head, timeline, and for a group its members
-- ARGV: reader, sequence or "" for all, msg_id to be checked or ""
-- reply: "ok", or the code of a refusal
local user, upto, msg, group = ARGV[1], ARGV[2], ARGV[3], KEYS[3]
local call, sub = redis.call, string.sub
local head = call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
if not KEYS[2] then return {err = 'TRYAGAIN'} end
local seq, at, joined, hidden = tonumber(sub(head, 2, 16)), nil, '', ''
if group then
    local pos = call('HGET', group, user)
    if not pos then return 'not_member' end
    at, joined, hidden = string.match(pos, '^(%d+)(j?)(.*)')
else
    local _, _, first, second = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    at = user == first and 37 or user == second and 52
    if not at then return 'not_member' end
end
if msg ~= '' then
    local row = call('ZRANGEBYSCORE', KEYS[2], upto, upto)[1]
    if not row or sub(row, 1, #msg + 1) ~= msg .. ' ' then
        return 'msg_not_found'
    end
end
if upto ~= '' and tonumber(upto) < seq then seq = tonumber(upto) end
if group then
    at = tonumber(at)
    if at < seq or joined ~= '' and at == seq then
        call('HSET', group, user, seq .. hidden)
    end
elseif tonumber(sub(head, at + 1, at + 15)) < seq then
    call('SETRANGE', KEYS[1], at, string.format('%015d', seq))
end
return 'ok'
