-- Tries every command that scripts and calls use, on keys that cannot exist,
-- because an id is never empty.  Nothing is changed.
-- ARGV: key prefix, or nothing: then nothing is tried; the event channel, if
--       any, where readers skip a row that is empty
-- reply: the commands that are refused, the first reason, and "replica",
--        "cluster" or "": what else was found out; with a channel also why
--        nothing can be published there, or ""
-- A row: the command, the key (c: of a conversation, u: of a user), arguments
-- with which a missing key stays missing ("-": an empty one).  The ACL is
-- checked before them: an HSET with half a pair is refused after it.
local rows = [[
TIME
EXISTS c:h
GET c:h
GETRANGE c:h 0 0
MGET c:h
SET c:h x XX
SETRANGE c:h 0 -
ZADD c:m XX 0 x
ZRANGEBYSCORE c:m 0 0
ZREM c:m x
ZREVRANGE c:m 0 0
ZADD c:i XX 0 x
ZRANGE c:i 0 0
ZREM c:i x
ZSCORE c:i x
HDEL c:g x
HEXISTS c:g x
HGET c:g x
HLEN c:g
HMGET c:g x
HSET c:g x x x
HDEL c:x x
HGET c:x x
HGETALL c:x
HMGET c:x x
HSET c:x x x x
ZADD s:r XX 0 x
ZRANGEBYSCORE s:r 0 0
ZREM s:r x
EXISTS u:o
SET u:o x XX
ZADD u:i XX 0 x
ZREVRANGE u:i 0 0
ZREVRANGEBYSCORE u:i 0 0
ZADD u:g XX 0 x
ZCARD u:g
ZREM u:g x
ZRANGE u:g 0 0
ZSCORE u:g x
HMGET u:p x
HSET u:p x x x
]]
if not ARGV[1] then return {} end
local find = string.find
local prefix, refused, seen, why, state = ARGV[1], {}, {}, '', ''
local function run(name, argv)
    local r = redis.pcall(name, unpack(argv))
    local err = type(r) == 'table' and r.err
    if not err then return end
    if find(err, 'READONLY', 1, true) then state = 'replica' end
    if find(err, 'same slot', 1, true) or find(err, 'non local', 1, true) then
        state = 'cluster'
    end
    if not find(err, 'NOPERM', 1, true) and not find(err, 'ACL', 1, true)
        and not find(err, 'permission', 1, true)
        and not find(err, 'user executing the script', 1, true)
        and not find(err, 'nknown .*command')
    then
        return
    end
    if why == '' then why = err end
    if not seen[name] then
        seen[name] = true
        refused[#refused + 1] = argv[1] and name .. ' ' .. argv[1] or name
    end
end
-- since 7.0 an ACL can be asked; what it permits is not run then
local check = redis.acl_check_cmd
local function may(name, argv)
    if not check then return false end
    local known, permitted = pcall(check, name, unpack(argv))
    return known and permitted
end
local function try(name, argv)
    if not may(name, argv) then run(name, argv) end
end
for row in string.gmatch(rows, '[^\n]+') do
    local argv, name = {}, nil
    for word in string.gmatch(row, '%S+') do
        if not name then
            name = word
        elseif #argv == 0 then
            argv[1] = prefix .. '{' .. string.sub(word, 1, 2) .. '}'
                .. string.sub(word, 2)
        else
            argv[#argv + 1] = word == '-' and '' or word
        end
    end
    try(name, argv)
end
-- INFO tells the role; without it a write does
if check and not may('INFO', {}) then
    run('SETRANGE', { prefix .. '{c:}:h', 0, '' })
end
-- a send does not fail where this does
local mute = ARGV[2] and not may('PUBLISH', { ARGV[2], '' })
    and redis.pcall('PUBLISH', ARGV[2], '')
if ARGV[2] then
    return { table.concat(refused, ', '), why, state,
             type(mute) == 'table' and mute.err or '' }
end
return { table.concat(refused, ', '), why, state }
