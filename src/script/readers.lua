-- Up to which message each member has read.
-- KEYS: head, timeline, and for a group its members and settings
-- ARGV: who asks, who must be a member, or ""; most members that are told
-- reply: user, first word of the row of the message or "", for each in the
--        order of the members; "=" and a head: not of the kind that KEYS are
--        for; or the code of a refusal
local call, sub = redis.call, string.sub
local who, members = ARGV[1], KEYS[3]
local head = call('GETRANGE', KEYS[1], 0, 199)
if head == '' then return 'conv_not_found' end
local kind, group = sub(head, 1, 1), members
if kind ~= '3' and not KEYS[2] then return {err = 'TRYAGAIN'} end
if kind == '3' or not group and kind ~= '0' then
    return '=' .. sub(head, 1, 131)
end
local ids, pos = {}, {}
if members then
    if who ~= '' and call('HEXISTS', members, who) == 0 then
        return 'not_member'
    end
    if call('HLEN', members) > tonumber(ARGV[2]) then
        return 'group_too_large'
    end
    local set = call('HMGET', KEYS[4], 'owner', 'users')
    for id in string.gmatch(set[2], '"([^"]+)"') do
        table.insert(ids, id == set[1] and 1 or #ids + 1, id)
    end
    if #ids > 0 then pos = call('HMGET', members, unpack(ids)) end
else
    local _, _, a, b = string.find(head, '^([^ ]+) ([^ ]+) ', 71)
    if who ~= '' and who ~= a and who ~= b then return 'not_member' end
    ids, pos = {a, b}, {sub(head, 38, 52), sub(head, 53, 67)}
    if tonumber(sub(head, 70, 70)) % 2 == 1 then
        ids, pos = {b, a}, {pos[2], pos[1]}
    end
end
local out, known = {}, {}
for i = 1, #ids do
    local seq, joined = string.match(pos[i] or '', '^0*(%d*)(j?)')
    local id = ''
    if seq ~= '' and joined == '' then
        id = known[seq]
        if not id then
            local row = call('ZRANGEBYSCORE', KEYS[2], seq, seq)[1]
            id = row and string.match(row, '^[^ ]+') or ''
            known[seq] = id
        end
    end
    out[2 * i - 1], out[2 * i] = ids[i], id
end
return out
