-- Requests of one call, made before the clock starts, in the same order for
-- every system.  Arguments: call, and what it is to vary:
--   page [PAGE_NO]     /im/from/to, a random pair each
--   list               /im/conv/list, a random patient each
--   send               /im/send/msg, a random pair each, 60 bytes of text
--   members            /im/group/{id}/list, a random group each
--   deep CONV PAGE_NO  /im/conv/CONV, that page
--   lists USER         /im/conv/list of USER
--   group CONV FROM    /im/send/msg to a group
-- The last line of the output is for the driver.

local PATIENTS, DOCTORS, GROUPS, EACH, COUNT = 500, 500, 50, 20, 20000

local format, random = string.format, math.random
local reqs, at, count = {}, 0, 0

local function post(path, body)
    return format("POST %s HTTP/1.1\r\nHost: localhost\r\n"
        .. "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
        path, #body, body)
end

local function patient(n) return format("CKD_P_9030000000%05d", n) end
local function doctor(n) return format("CKD_D_9030000000%05d", n) end

-- LuaJIT's hash of a string looks at its ends and its middle alone: what varies
-- stands last in a body, or making the requests takes seconds

local function pair()
    local p, k = random(0, PATIENTS - 1), random(0, EACH - 1)
    local a, b = patient(p), doctor((p + k * (DOCTORS / EACH)) % DOCTORS)
    if random(2) == 1 then return b, a end
    return a, b
end

local words = { "今天", "请您", "按时", "复查", "血压", "饮食", "清淡", "用药",
    "好的", "谢谢", "医生", "明天", "门诊", "检查", "结果" }

local function text()
    local t = {}
    for i = 1, 10 do t[i] = words[random(#words)] end
    return table.concat(t)
end

local make = {
    page = function (no)
        local a, b = pair()
        return post("/im/from/to", format('{"page_no":%d,"page_size":10,'
            .. '"from_id":"%s","to_id":"%s"}', no or 1, a, b))
    end,
    list = function ()
        return post("/im/conv/list",
            format('{"from_id":"%s"}', patient(random(0, PATIENTS - 1))))
    end,
    send = function ()
        local a, b = pair()
        return post("/im/send/msg", format('{"msg":"%s","msg_type":0,'
            .. '"from_id":"%s","to_id":"%s"}', text(), a, b))
    end,
    members = function ()
        return post(format("/im/group/group%02d/list", random(0, GROUPS - 1)), "{}")
    end,
    deep = function (conv, no)
        return post("/im/conv/" .. conv,
            format('{"page_no":%d,"page_size":10}', no))
    end,
    lists = function (user)
        return post("/im/conv/list", format('{"from_id":"%s"}', user))
    end,
    group = function (conv, from)
        return post("/im/send/msg", format('{"msg":"%s","msg_type":0,'
            .. '"from_id":"%s","conv_id":"%s"}', text(), from, conv))
    end,
}

function init(args)
    math.randomseed(tonumber(os.getenv("BENCH_SEED") or 1))
    local call = args[1]
    count = (call == "deep" or call == "lists") and 1 or COUNT
    for i = 1, count do reqs[i] = make[call](args[2], args[3]) end
end

function request()
    at = at < count and at + 1 or 1
    return reqs[at]
end

function done(summary, latency)
    local e = summary.errors
    print(format("BENCH %d %d %d %d %d %d %d %d %d", summary.requests,
        summary.duration, latency:percentile(50), latency:percentile(99),
        e.connect, e.read, e.write, e.timeout, e.status))
end
