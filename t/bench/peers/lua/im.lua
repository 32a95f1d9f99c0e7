-- The calls in OpenResty's Lua: pooled connections on a unix socket, one
-- pipeline (or two) a request, scripts by EVALSHA, cjson for what comes in.
-- What goes out is put together from ready fragments with table.concat, which
-- keeps the documented order of the members and is faster than cjson.encode.
-- Profiles are cached per worker for a second.

local redis = require "nginx.redis"
local cjson = require "cjson"

local concat, find, sub, match = table.concat, string.find, string.sub, string.match
local gsub, format, floor = string.gsub, string.format, math.floor
local decode, encode = cjson.decode, cjson.encode
local new_tab = require "table.new"
local null, now, md5 = ngx.null, ngx.now, ngx.md5
local random = math.random

local sock, script = nil, {}
local M = {}


function M.init(dir, path)
    sock = "unix:" .. path
    for name, file in pairs { send = "schema/send", read = "schema/read",
        group = "schema/group", plain_send = "lua/plain_send" }
    do
        local f = assert(io.open(dir .. "/" .. file .. ".lua"))
        local text = f:read("*a")
        f:close()
        local sha = gsub(ngx.sha1_bin(text), ".", function (c)
            return format("%02x", c:byte())
        end)
        script[name] = { sha = sha, text = text }
    end
end


-- Redis

local function connect()
    local red = redis:new()
    red:set_timeout(2000)
    local ok, err = red:connect(sock)
    if not ok then error(err) end
    return red
end


local function release(red)
    red:set_keepalive(60000, 256)
end


local function commit(red)
    local r, err = red:commit_pipeline()
    if not r then error(err) end
    return r
end


local function run(red, name, n, ...)
    local s = script[name]
    local r, err = red:evalsha(s.sha, n, ...)
    if not r and err and find(err, "^NOSCRIPT") then
        r, err = red:eval(s.text, n, ...)
    end
    if not r then error(err) end
    return r
end


-- requests and answers

local function answer(text)
    ngx.header["Content-Length"] = #text
    ngx.print(text)
end


local STATUS = {
    bad_json = 400, bad_request = 400, conv_mismatch = 400, not_member = 403,
    conv_not_found = 404, conv_exists = 409, not_group = 409, group_full = 409,
    idempotency_conflict = 409, method_not_allowed = 405, msg_too_long = 413,
    internal = 500,
}


local function refuse(code, text)
    ngx.status = STATUS[code]
    answer('{"code":"' .. code .. '","error":' .. encode(text or code) .. "}")
    return ngx.exit(ngx.status)
end


local function body()
    if ngx.req.get_method() ~= "POST" then
        ngx.header.Allow = "POST"
        return refuse("method_not_allowed")
    end
    ngx.req.read_body()
    local text = ngx.req.get_body_data()
    if not text then return {} end
    local ok, v = pcall(decode, text)
    if not ok or type(v) ~= "table" or v[1] ~= nil then
        return refuse("bad_json")
    end
    return v
end


local function id_of(v, name, optional)
    local id = v[name]
    if id == nil and optional then return nil end
    if type(id) ~= "string" or #id > 64 or not find(id, "^[%w_%-%.:@]+$") then
        return refuse("bad_request", name)
    end
    return id
end


local function int_of(v, name, default, min, max)
    local n = v[name]
    if n == nil then return default end
    if type(n) ~= "number" or n ~= floor(n) or n < min or n > max then
        return refuse("bad_request", name)
    end
    return n
end


local function pair(a, b)
    if b < a then a, b = b, a end
    return sub(md5(a .. " " .. b), 1, 24)
end


-- profiles, ready in the two shapes in which they are answered

local cache = {}


local function shape(id, text, at)
    local name, img = "", ""
    if text ~= null then
        local p = decode(text)
        name, img = p.name, p.img
    end
    local typ, num = match(id, "_(%u)_([^_]+)$")
    name = encode(name)
    local p = {
        at = at,
        name = name,
        member = '{"id":"' .. id .. '","name":' .. name .. ',"alias":',
        user = '{"id":"' .. (num or id) .. '","type":"' .. (typ or "")
            .. '","img":' .. encode(img) .. ',"name":' .. name .. "}",
    }
    cache[id] = p
    return p
end


-- makes sure that all of ids are in the cache, with red if it has to ask
local function profiles(red, ids)
    local t, key, miss, n = now() - 1, nil, nil, 0
    for i = 1, #ids do
        local p = cache[ids[i]]
        if not p or p.at < t then
            if n == 0 then key, miss = {}, {} end
            n = n + 1
            miss[n] = ids[i]
            key[n] = "n:" .. ids[i]
        end
    end
    if n > 0 then
        local r, err = red:mget(unpack(key, 1, n))
        if not r then error(err) end
        for i = 1, n do shape(miss[i], r[i], t + 1) end
    end
end


-- the calls

local function page(red, conv, viewer, v)
    local no = int_of(v, "page_no", 1, 1, 1e9)
    local size = int_of(v, "page_size", 10, 1, 200)
    red:init_pipeline(2)
    red:lrange("m:" .. conv, (no - 1) * size, no * size - 1)
    if viewer then red:hget("p:" .. viewer, conv) end
    local r = commit(red)
    local rows = r[1]
    local n = #rows
    if n == 0 then return "[]" end

    local out, from, k = { "[" }, {}, 1
    for i = 1, n do
        from[i] = sub(rows[i], 1, find(rows[i], " ", 1, true) - 1)
    end
    profiles(red, from)
    for i = 1, n do
        out[k + 1] = sub(rows[i], #from[i] + 2)
        out[k + 2] = cache[from[i]].user
        out[k + 3] = i < n and "}," or "}]"
        k = k + 3
    end

    if viewer and no == 1 then
        local seq = match(rows[1], '^%S+ {"msg_id":"(%d+)')
        local at = r[2] ~= null and tonumber(r[2]) or 0
        if at < tonumber(seq) then
            run(red, "read", 1, "p:" .. viewer, conv, seq)
        end
    end
    return concat(out)
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
    local head = red:getrange("h:" .. conv, 0, 220)
    if head == "" then return refuse("conv_not_found") end
    if from then
        local a, b = match(head, "^%d+ %d+ 0 %S+ (%S+) (%S+) ")
        if a and from ~= a and from ~= b
            or not a and red:zscore("g:" .. conv, from) == null
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
    local conv, err = red:zrevrange("i:" .. user, 0, 499)
    if not conv then error(err) end
    local n = #conv
    if n == 0 then
        release(red)
        return answer("[]")
    end

    local key = {}
    for i = 1, n do key[i] = "h:" .. conv[i] end
    red:init_pipeline(2)
    red:mget(unpack(key, 1, n))
    red:hmget("p:" .. user, unpack(conv, 1, n))
    local r = commit(red)
    local heads, at = r[1], r[2]

    local time, seq, from, text, group, names, ng = {}, {}, {}, {}, {}, {}, 0
    for i = 1, n do
        local kind, pos
        time[i], seq[i], kind, from[i], pos = match(heads[i],
            "^(%d+) (%d+) (%d) (%S+) %S+ %S+ ()")
        text[i] = sub(heads[i], pos)
        if kind == "1" then
            ng = ng + 1
            group[ng] = "u:" .. conv[i]
            text[i] = { ng, text[i] }
        end
        if from[i] ~= "-" then names[#names + 1] = from[i] end
    end
    profiles(red, names)
    local users = ng > 0 and red:mget(unpack(group, 1, ng))
    release(red)

    local out, k = { "[" }, 1
    for i = 1, n do
        local x = text[i]
        if type(x) == "table" then
            x = '{"conv_id":"' .. conv[i] .. '","conv_type":1,"conv_users":'
                .. users[x[1]] .. "," .. x[2]
        end
        out[k + 1] = x
        out[k + 2] = from[i] == "-" and '""' or cache[from[i]].name
        out[k + 3] = ',"last_time":'
        out[k + 4] = time[i]
        out[k + 5] = ',"unread_count":'
        out[k + 6] = tonumber(seq[i]) - (at[i] ~= null and tonumber(at[i]) or 0)
        out[k + 7] = i < n and "}," or "}]"
        k = k + 7
    end
    answer(concat(out))
end


-- first_of(red, conv) is the first of a pair, nil for a group

local function send(first_of, name, head, rows)
    local v = body()
    local from = id_of(v, "from_id")
    local conv, to = v.conv_id, v.to_id
    if conv == "" then conv = nil end
    if to == "" then to = nil end
    local typ = int_of(v, "msg_type", 0, 0, 4)
    local msg, cid = v.msg, v.client_msg_id
    if type(msg) ~= "string" or msg == "" then
        return refuse("bad_request", "msg")
    end
    if #msg > 32768 then return refuse("msg_too_long") end
    if cid ~= nil and (type(cid) ~= "string" or cid == "" or #cid > 64) then
        return refuse("bad_request", "client_msg_id")
    end
    if to then
        id_of(v, "to_id")
        if to == from then return refuse("bad_request", "to_id") end
    elseif not conv then
        return refuse("bad_request", "to_id")
    end

    local red = connect()
    if conv then
        id_of(v, "conv_id")
        if first_of(red, conv) and to and pair(from, to) ~= conv then
            return refuse("conv_mismatch")
        end
        to = ""
    else
        conv = pair(from, to)
    end
    local r = run(red, name, 2, head .. conv, rows .. conv, conv, from, to,
        typ, encode(msg), format("%08x", random(0, 0x7fffffff)), cid or "",
        86400000)
    release(red)
    if type(r) == "string" then return refuse(r) end
    local h = ngx.header
    h["X-IM-Conv-Id"], h["X-IM-Msg-Id"], h["X-IM-Msg-Time"] = conv, r[1], r[2]
    answer("{}")
end


function M.send()
    send(function (red, conv)
        return match(red:getrange("h:" .. conv, 0, 220),
            "^%d+ %d+ 0 %S+ (%S+) ")
    end, "send", "h:", "m:")
end


-- a group's list is 200 members long: what is constant is put in once

function M.members(conv)
    body()
    local red = connect()
    red:init_pipeline(2)
    red:get("u:" .. conv)
    red:hgetall("a:" .. conv)
    local r = commit(red)
    if r[1] == null then return refuse("conv_not_found") end
    local ids, alias = decode(r[1]), r[2]
    profiles(red, ids)
    release(red)

    local given
    if #alias > 0 then
        given = {}
        for i = 1, #alias, 2 do given[alias[i]] = encode(alias[i + 1]) end
    end
    local out, n = new_tab(#ids * 2 + 1, 0), #ids
    out[1] = "["
    for i = 1, n do
        out[2 * i] = cache[ids[i]].member
        out[2 * i + 1] = (given and given[ids[i]] or '""') .. (i < n and "}," or "}]")
    end
    answer(concat(out))
end


local function strings(v, name)
    local list = v[name]
    if list == nil then return {} end
    if type(list) ~= "table" then return refuse("bad_request", name) end
    for i = 1, #list do id_of(list, i) end
    return list
end


local function group(conv, what, members)
    local red = connect()
    local r = run(red, "group", 3, "h:" .. conv, "g:" .. conv, "u:" .. conv,
        conv, what, 500, unpack(members))
    release(red)
    if r ~= "ok" then return refuse(r) end
    answer("{}")
end


function M.create()
    local v = body()
    local owner = id_of(v, "owner_id")
    local members = strings(v, "member")
    local conv = id_of(v, "conv_id", true)
        or format("g%08x%08x", random(0, 0x7fffffff), random(0, 0x7fffffff))
    if type(v.name) ~= "string" or v.name == "" then
        return refuse("bad_request", "name")
    end
    table.insert(members, 1, owner)
    ngx.header["X-IM-Conv-Id"] = conv
    group(conv, "create", members)
end


function M.add()
    local v = body()
    group(id_of(v, "conv_id"), "add", strings(v, "member"))
end


function M.user_set()
    local list = body().users
    if type(list) ~= "table" then return refuse("bad_request", "users") end
    local set = {}
    for i = 1, #list do
        local u = list[i]
        set[2 * i - 1] = "n:" .. id_of(u, "id")
        set[2 * i] = encode { name = u.name or "", img = u.img or "" }
    end
    local red = connect()
    local ok, err = red:mset(unpack(set))
    release(red)
    if not ok then error(err) end
    for i = 1, #list do cache[list[i].id] = nil end
    answer("{}")
end


M.lib = {
    connect = connect, release = release, commit = commit, run = run,
    refuse = refuse, body = body, id_of = id_of, int_of = int_of, pair = pair,
    answer = answer, send = send,
}

return M
