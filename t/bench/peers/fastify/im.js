'use strict';

// The calls in Fastify and ioredis: one process, one connection, commands of
// all requests of a turn of the loop in one pipeline (enableAutoPipelining),
// scripts by EVALSHA, answers put together from ready fragments.  Profiles are
// cached for a second.  Usage: node im.js PORT REDIS-SOCKET SCHEMA-DIR

const { createHash } = require('node:crypto');
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');

const [port, sock, schema] = process.argv.slice(2);
const load = createRequire(`${process.env.BENCH_NODE_MODULES}/x.js`);
const app = load('fastify')({ logger: false, bodyLimit: 65536, keepAliveTimeout: 600000 });
const Redis = load('ioredis');

const redis = new Redis({ path: sock, enableAutoPipelining: true });

const script = (name, numberOfKeys) => redis.defineCommand(name, {
    numberOfKeys, lua: readFileSync(`${schema}/${name}.lua`, 'utf8'),
});

script('send', 2);
script('read', 1);
script('group', 3);


// requests and answers

const STATUS = {
    bad_json: 400, bad_request: 400, conv_mismatch: 400, not_member: 403,
    conv_not_found: 404, conv_exists: 409, not_group: 409, group_full: 409,
    idempotency_conflict: 409, msg_too_long: 413,
};

class Refusal extends Error {
    constructor(code, text) { super(text || code); this.code = code; }
}

app.setErrorHandler((err, req, reply) => {
    const code = err instanceof Refusal ? err.code : 'internal';
    if (code === 'internal') console.error(err);
    reply.code(STATUS[code] || 500).type('application/json')
        .send(JSON.stringify({ code, error: err.message }));
});

app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'string' }, (req, text, done) => {
    if (text === '') return done(null, {});
    let v;
    try { v = JSON.parse(text); } catch { /* refused below */ }
    if (v === null || typeof v !== 'object' || Array.isArray(v)) {
        return done(new Refusal('bad_json'));
    }
    done(null, v);
});

const ID = /^[A-Za-z0-9_\-.:@]{1,64}$/;

function idOf(v, name, optional) {
    const id = v[name];
    if (id === undefined && optional) return undefined;
    if (typeof id !== 'string' || !ID.test(id)) throw new Refusal('bad_request', name);
    return id;
}

function intOf(v, name, def, min, max) {
    const n = v[name];
    if (n === undefined) return def;
    if (!Number.isInteger(n) || n < min || n > max) throw new Refusal('bad_request', name);
    return n;
}

const pair = (a, b) => createHash('md5').update(a < b ? `${a} ${b}` : `${b} ${a}`)
    .digest('hex').slice(0, 24);

function post(path, handler) {
    app.post(path, async (req, reply) => {
        reply.header('content-type', 'application/json');
        return handler(req.body || {}, req, reply);
    });
}


// profiles, ready in the shapes in which they are answered

const cache = new Map();

function shape(id, text, at) {
    const { name, img } = text ? JSON.parse(text) : { name: '', img: '' };
    const m = /_([A-Z])_([^_]+)$/.exec(id);
    const n = JSON.stringify(name);
    cache.set(id, {
        at,
        name: n,
        member: `{"id":"${id}","name":${n},"alias":`,
        user: `{"id":"${m ? m[2] : id}","type":"${m ? m[1] : ''}",`
            + `"img":${JSON.stringify(img)},"name":${n}}`,
    });
}

// undefined if all of them are cached, else a promise

function profiles(ids) {
    const now = Date.now();
    let miss;
    for (const id of ids) {
        const p = cache.get(id);
        if (!p || p.at < now - 1000) (miss ||= []).push(id);
    }
    return miss && redis.mget(miss.map((id) => 'n:' + id)).then((r) => {
        miss.forEach((id, i) => shape(id, r[i], now));
    });
}


// the calls

async function page(conv, viewer, v) {
    const no = intOf(v, 'page_no', 1, 1, 1e9);
    const size = intOf(v, 'page_size', 10, 1, 200);
    const [rows, at] = await Promise.all([
        redis.lrange('m:' + conv, (no - 1) * size, no * size - 1),
        viewer && redis.hget('p:' + viewer, conv),
    ]);
    const n = rows.length;
    if (!n) return '[]';

    const from = rows.map((row) => row.slice(0, row.indexOf(' ')));
    const wait = profiles(from);
    if (wait) await wait;
    let out = '';
    for (let i = 0; i < n; i++) {
        out += (i ? '},' : '[') + rows[i].slice(from[i].length + 1)
            + cache.get(from[i]).user;
    }

    if (viewer && no === 1) {
        const seq = parseInt(rows[0].slice(from[0].length + 12), 10);
        if (Number(at || 0) < seq) await redis.read('p:' + viewer, conv, seq);
    }
    return out + '}]';
}

post('/im/from/to', (v) => {
    const from = idOf(v, 'from_id');
    return page(pair(from, idOf(v, 'to_id')), from, v);
});

post('/im/conv/:conv', async (v, req) => {
    const { conv } = req.params;
    const from = idOf(v, 'from_id', true);
    const head = await redis.getrange('h:' + conv, 0, 220);
    if (!head) throw new Refusal('conv_not_found');
    if (from) {
        const [, , kind, , a, b] = head.split(' ', 6);
        if (kind === '0' ? from !== a && from !== b
            : await redis.zscore('g:' + conv, from) === null)
        {
            throw new Refusal('not_member');
        }
    }
    return page(conv, from, v);
});

post('/im/conv/list', async (v) => {
    const user = idOf(v, 'from_id');
    const conv = await redis.zrevrange('i:' + user, 0, 499);
    if (!conv.length) return '[]';

    const [heads, at] = await Promise.all([
        redis.mget(conv.map((c) => 'h:' + c)),
        redis.hmget('p:' + user, conv),
    ]);
    const entry = heads.map((h) => {
        const w = h.split(' ', 6);
        let pos = 6;
        for (const x of w) pos += x.length;
        return { time: w[0], seq: w[1], group: w[2] === '1', from: w[3], text: h.slice(pos) };
    });
    const groups = conv.filter((c, i) => entry[i].group);
    const [users] = await Promise.all([
        groups.length ? redis.mget(groups.map((c) => 'u:' + c)) : [],
        profiles(entry.map((e) => e.from).filter((f) => f !== '-')),
    ]);
    let out = '';
    let g = 0;
    entry.forEach((e, i) => {
        out += i ? '},' : '[';
        if (e.group) {
            out += `{"conv_id":"${conv[i]}","conv_type":1,"conv_users":${users[g++]},`;
        }
        out += e.text + (e.from === '-' ? '""' : cache.get(e.from).name)
            + `,"last_time":${e.time},"unread_count":${e.seq - (at[i] || 0)}`;
    });
    return out + '}]';
});

post('/im/send/msg', async (v, req, reply) => {
    const from = idOf(v, 'from_id');
    let conv = v.conv_id === '' ? undefined : idOf(v, 'conv_id', true);
    let to = v.to_id === '' ? undefined : idOf(v, 'to_id', true);
    const type = intOf(v, 'msg_type', 0, 0, 4);
    const { msg, client_msg_id: cid } = v;
    if (typeof msg !== 'string' || msg === '') throw new Refusal('bad_request', 'msg');
    if (msg.length > 10922 && Buffer.byteLength(msg) > 32768) throw new Refusal('msg_too_long');
    if (cid !== undefined && (typeof cid !== 'string' || cid === '' || cid.length > 64)) {
        throw new Refusal('bad_request', 'client_msg_id');
    }
    if (to === from || !to && !conv) throw new Refusal('bad_request', 'to_id');
    if (conv) {
        const head = await redis.getrange('h:' + conv, 0, 220);
        if (to && head.split(' ', 3)[2] === '0' && pair(from, to) !== conv) {
            throw new Refusal('conv_mismatch');
        }
        to = '';
    } else {
        conv = pair(from, to);
    }
    const r = await redis.send('h:' + conv, 'm:' + conv, conv, from, to, type,
        JSON.stringify(msg), Math.floor(Math.random() * 2 ** 32).toString(16),
        cid || '', 86400000);
    if (typeof r === 'string') throw new Refusal(r);
    reply.header('x-im-conv-id', conv).header('x-im-msg-id', r[0]).header('x-im-msg-time', r[1]);
    return '{}';
});

post('/im/group/:conv/list', async (v, req) => {
    const { conv } = req.params;
    const [text, alias] = await Promise.all([
        redis.get('u:' + conv),
        redis.hgetall('a:' + conv),
    ]);
    if (!text) throw new Refusal('conv_not_found');
    const ids = JSON.parse(text);
    const wait = profiles(ids);
    if (wait) await wait;
    let out = '';
    for (let i = 0; i < ids.length; i++) {
        const a = alias[ids[i]];
        out += (i ? '},' : '[') + cache.get(ids[i]).member
            + (a === undefined ? '""' : JSON.stringify(a));
    }
    return out + '}]';
});

function idList(v, name) {
    const list = v[name] === undefined ? [] : v[name];
    if (!Array.isArray(list)) throw new Refusal('bad_request', name);
    list.forEach((x, i) => idOf(list, i));
    return list;
}

async function group(conv, what, members) {
    const r = await redis.group('h:' + conv, 'g:' + conv, 'u:' + conv, conv, what, 500, ...members);
    if (r !== 'ok') throw new Refusal(r);
    return '{}';
}

post('/im/creat/group', (v, req, reply) => {
    const owner = idOf(v, 'owner_id');
    const conv = idOf(v, 'conv_id', true) || 'g' + Math.random().toString(16).slice(2);
    if (typeof v.name !== 'string' || v.name === '') throw new Refusal('bad_request', 'name');
    reply.header('x-im-conv-id', conv);
    return group(conv, 'create', [owner, ...idList(v, 'member')]);
});

post('/im/add/group/merber', (v) => group(idOf(v, 'conv_id'), 'add', idList(v, 'member')));

post('/im/user/set', async (v) => {
    const set = [];
    for (const u of idList({ list: (v.users || []).map((x) => x.id) }, 'list').keys()) {
        const { id, name = '', img = '' } = v.users[u];
        set.push('n:' + id, JSON.stringify({ name, img }));
        cache.delete(id);
    }
    await redis.mset(set);
    return '{}';
});

app.listen({ port: Number(port), host: '127.0.0.1', backlog: 8192 });
