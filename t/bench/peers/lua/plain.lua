-- The same calls as they are usually written: Redis's own structures (a hash
-- for a user and for a conversation), one pipeline a step, names asked for when
-- they are needed, cjson both ways.  Here for comparison; the peer is im.lua.

local cjson = require "cjson"
local im = require "im"

local lib = im.lib
local connect, release, commit, run = lib.connect, lib.release, lib.commit, lib.run
local refuse, body, id_of, int_of = lib.refuse, lib.body, lib.id_of, lib.int_of
local answer, pair = lib.answer, lib.pair
local decode, encode, null = cjson.decode, cjson.encode, ngx.null
local match, tonumber = string.match, tonumber

local M = {}


local function text(v) return v ~= null and v or "" end


-- { id = { name, img } } of those in a list, each asked for once

local function users(red, ids)
    local seen, n = {}, 0
    for i = 1, #ids do
        if ids[i] ~= "" and not seen[ids[i]] then
            n = n + 1
            seen[ids[i]] = n
        end
    end
    if n == 0 then return seen end
    local order = {}
    for id, i in pairs(seen) do order[i] = id end
    red:init_pipeline(n)
    for i = 1, n do red:hmget("user:" .. order[i], "name", "img") end
    local r = commit(red)
    for i = 1, n do seen[order[i]] = { text(r[i][1]), text(r[i][2]) } end
    return seen
end


local function page(red, conv, viewer, v)
    local no = int_of(v, "page_no", 1, 1, 1e9)
    local size = int_of(v, "page_size", 10, 1, 200)
    red:init_pipeline(2)
    red:lrange("msg:" .. conv, (no - 1) * size, no * size - 1)
    if viewer then red:hget("pos:" .. viewer, conv) end
    local r = commit(red)
    local rows, ids = r[1], {}
    for i = 1, #rows do
        rows[i] = decode(rows[i])
        ids[i] = rows[i].from_id
    end
    local who = users(red, ids)
    for i = 1, #rows do
        local row, u = rows[i], who[ids[i]]
        local typ, num = match(ids[i], "_(%u)_([^_]+)$")
        row.conv_id = conv
        row.user = { id = num or ids[i], type = typ or "", img = u[2], name = u[1] }
    end
    if viewer and no == 1 and #rows > 0 then
        local seq = tonumber(match(rows[1].msg_id, "^%d+"))
        if (tonumber(r[2]) or 0) < seq then
            run(red, "read", 1, "pos:" .. viewer, conv, seq)
        end
    end
    return #rows > 0 and encode(rows) or "[]"
end


function M.from_to()
    local v = body()
    local from, to = id_of(v, "from_id"), id_of(v, "to_id")
    local red = connect()
    local out = page(red, pair(from, to), from, v)
    release(red)
    answer(out)
end


function M.conv(conv)
    local v = body()
    local from = id_of(v, "from_id", true)
    local red = connect()
    local h = red:hmget("conv:" .. conv, "type", "first", "second")
    if h[1] == null then return refuse("conv_not_found") end
    if from then
        if h[1] == "0" and from ~= h[2] and from ~= h[3]
            or h[1] == "1" and red:zscore("member:" .. conv, from) == null
        then
            return refuse("not_member")
        end
    end
    local out = page(red, conv, from, v)
    release(red)
    answer(out)
end


function M.list()
    local user = id_of(body(), "from_id")
    local red = connect()
    local conv = red:zrevrange("inbox:" .. user, 0, 499)
    local n = #conv
    if n == 0 then
        release(red)
        return answer("[]")
    end

    red:init_pipeline(n + 1)
    for i = 1, n do
        red:hmget("conv:" .. conv[i], "type", "first", "second", "msg",
            "msg_type", "from", "time", "seq")
    end
    red:hmget("pos:" .. user, unpack(conv))
    local r = commit(red)

    local from, groups = {}, {}
    for i = 1, n do
        from[i] = text(r[i][6])
        if r[i][1] == "1" then groups[#groups + 1] = i end
    end
    local who = users(red, from)
    local members = {}
    if #groups > 0 then
        red:init_pipeline(#groups)
        for i = 1, #groups do red:zrange("member:" .. conv[groups[i]], 0, -1) end
        local m = commit(red)
        for i = 1, #groups do members[groups[i]] = m[i] end
    end
    release(red)

    local out = {}
    for i = 1, n do
        local h, group = r[i], members[i]
        out[i] = {
            conv_id = conv[i], conv_type = tonumber(h[1]),
            conv_users = group or { h[2], h[3] },
            users_type = not group and { match(h[2], "_(%u)_[^_]+$") or "",
                match(h[3], "_(%u)_[^_]+$") or "" } or nil,
            last_msg = h[4] ~= null and decode("[" .. h[4] .. "]")[1] or "",
            last_msg_type = tonumber(h[5]) or 0,
            last_user_name = from[i] ~= "" and who[from[i]][1] or "",
            last_time = tonumber(h[7]),
            unread_count = (tonumber(h[8]) or 0) - (tonumber(r[n + 1][i]) or 0),
        }
    end
    answer(encode(out))
end


function M.send()
    lib.send(function (red, conv)
        local h = red:hmget("conv:" .. conv, "type", "first")
        return h[1] == "0" and h[2] or nil
    end, "plain_send", "conv:", "msg:")
end


function M.members(conv)
    body()
    local red = connect()
    red:init_pipeline(2)
    red:zrange("member:" .. conv, 0, -1)
    red:hgetall("alias:" .. conv)
    local r = commit(red)
    local ids, alias = r[1], red:array_to_hash(r[2])
    if #ids == 0 then return refuse("conv_not_found") end
    local who = users(red, ids)
    release(red)
    local out = {}
    for i = 1, #ids do
        out[i] = { id = ids[i], name = who[ids[i]][1], alias = alias[ids[i]] or "" }
    end
    answer(encode(out))
end


-- what seeding needs: not measured

function M.create()
    local v = body()
    local red = connect()
    local t = red:time()
    red:init_pipeline()
    red:hset("conv:" .. v.conv_id, "type", 1)
    red:hset("conv:" .. v.conv_id, "time", t[1] * 1000 + math.floor(t[2] / 1000))
    for i, id in ipairs { v.owner_id, unpack(v.member) } do
        red:zadd("member:" .. v.conv_id, i, id)
        red:zadd("inbox:" .. id, t[1] * 1000, v.conv_id)
        red:hset("pos:" .. id, v.conv_id, 0)
    end
    commit(red)
    release(red)
    answer("{}")
end


function M.user_set()
    local red = connect()
    red:init_pipeline()
    for _, u in ipairs(body().users) do
        red:hmset("user:" .. u.id, "name", u.name, "img", u.img)
    end
    commit(red)
    release(red)
    answer("{}")
end


return M
