// im.js with a server and a browser of its own: calls, streams and delays are
// those of this file.  Delays of the client take a fiftieth of their time.

import { end, is, ok, pause, until } from './tap.mjs';

const realTimeout = globalThis.setTimeout;
globalThis.setTimeout = (fn, ms, ...more) => realTimeout(fn, (ms ?? 0) / 50, ...more);

// --- a server of one user

class Server {
    convs = new Map();                  // conv_id -> messages, oldest first
    read = new Map();                   // conv_id -> seq
    calls = [];                         // [ path, body ] of all
    stored = new Map();                 // client_msg_id -> answer
    refuse = () => undefined;           // (path, body) -> [ status, body, headers ]

    constructor(user) {
        this.user = user;
        globalThis.fetch = (path, options) => this.fetch(path, options);
    }

    add(conv_id, from_id, msg = 'text') {
        const all = this.convs.get(conv_id) ?? [];
        this.convs.set(conv_id, all);
        const seq = all.length + 1;
        const m = { msg_id: `${conv_id}-${seq}`, msg_type: 0, msg, conv_id, from_id,
            from_time: 1e12 + seq, user: { id: from_id, type: '', img: '', name: '' }, seq };
        all.push(m);
        return m;
    }

    async fetch(url, { body, signal } = {}) {
        await pause(1);
        const path = url.replace(/^\/im\//, ''), data = JSON.parse(body ?? '{}');
        this.calls.push([path, data]);
        const refused = this.refuse(path, data);
        if (refused === 'network') throw new TypeError('fetch failed');
        if (refused === 'lost') {       // done, but the answer does not come
            this.answer(path, data);
            throw new TypeError('fetch failed');
        }
        if (signal?.aborted) throw new TypeError('aborted');
        const [status, answer, headers = {}] = refused ?? [200, this.answer(path, data)];
        return new Response(JSON.stringify(answer), { status, headers });
    }

    answer(path, data) {
        if (path === 'conv/list') {
            return [...this.convs].map(([conv_id, all]) => ({ conv_id, conv_type: 1,
                conv_users: [this.user, 'b'], last_msg: all.at(-1).msg, last_msg_type: 0,
                last_user_name: '', last_time: all.at(-1).from_time, seq: all.length,
                unread_count: this.unread(conv_id) }))
                .filter((row) => row.last_time > (data.since ?? 0));
        }
        if (path === 'send/msg') {
            if (!this.stored.has(data.client_msg_id)) {
                const m = this.add(data.conv_id ?? 'pair', data.from_id, data.msg);
                this.stored.set(data.client_msg_id, { conv_id: m.conv_id, msg_id: m.msg_id,
                    msg_time: m.from_time, seq: m.seq });
            }
            return this.stored.get(data.client_msg_id);
        }
        const [, conv_id, what] = path.match(/^conv\/([^/]+)(?:\/(\w+))?$/);
        if (what === 'read') this.read.set(conv_id, Number(data.msg_id.split('-')[1]));
        if (what) return {};
        const all = this.convs.get(conv_id);
        const top = data.before ? all.findIndex((m) => m.msg_id === data.before) : all.length;
        return all.slice(Math.max(0, top - data.page_size), top).reverse();
    }

    unread(conv_id) {
        const all = this.convs.get(conv_id);
        const own = all.findLast?.((m) => m.from_id === this.user)?.seq ?? 0;
        return all.length - Math.max(own, this.read.get(conv_id) ?? 0);
    }

    sent() { return [...this.stored.values()].length; }
    times(path) { return this.calls.filter(([p]) => p === path).length; }
}

// --- the streams of a browser

class Stream extends EventTarget {
    static all = [];
    static get last() { return Stream.all.at(-1); }
    readyState = 0;

    constructor(url) {
        super();
        this.url = url;
        Stream.all.push(this);
    }

    say(type, data, id = '') {
        this.readyState = 1;
        const e = new Event(type);
        Object.assign(e, { data: JSON.stringify(data), lastEventId: id });
        this.dispatchEvent(e);
    }

    fail(readyState) {
        this.readyState = readyState;
        this.onerror();
    }

    close() { this.readyState = 2; }
}

globalThis.EventSource = Stream;

const { IM, ImError } = await import(process.argv[2]);

function client(server, options = {}) {
    const im = new IM({ user: server.user, ...options });
    im.got = [];                        // [ type, ... ] of what it emitted
    im.on('message', (m) => im.got.push(`${m.conv_id} ${m.seq}`));
    for (const type of ['gap', 'reset', 'recall', 'read', 'conv', 'typing', 'bye', 'error'])
        im.on(type, (data) => im.got.push(`${type} ${JSON.stringify(data)}`));
    return im;
}

async function live(server, options) {
    const im = client(server, options);
    im.start();
    Stream.last.say('ready', { total: 0, resumed: false }, 'e-1');
    await until(() => im.convs.size === server.convs.size, 'the list is there');
    return im;
}


// --- the stream

{
    const server = new Server('a');
    for (let n = 0; n < 3; n++) server.add('g', 'b');
    const im = await live(server);
    is(Stream.last.url, '/im/stream?user=a', 'the stream names the user');
    is(im.state, 'live', 'ready: live');
    is([im.unread, im.got], [3, []], 'the list emits no messages');

    const [four, five] = [server.add('g', 'b'), server.add('g', 'b')];
    for (const m of [four, four, five, four, five]) Stream.last.say('message', m, 'e-5');
    is(im.got, ['g 4', 'g 5'], 'what comes twice is emitted once');
    is([im.convs.get('g').seq, im.unread], [5, 5], 'and counted once');

    server.add('g', 'b');
    server.add('g', 'b');
    const eight = server.add('g', 'b'), nine = server.add('g', 'b');
    Stream.last.say('gap', { conv_id: 'g', after: 5, before: 8 });
    Stream.last.say('message', eight, 'e-8');
    Stream.last.say('message', nine, 'e-9');
    await until(() => im.got.length === 6, 'a hole is closed from pages');
    is(im.got.slice(2), ['g 6', 'g 7', 'g 8', 'g 9'], 'in order, what came meanwhile last');
    is(server.calls.at(-1)[1], { page_size: 100, before: 'g-8' },
        'with before, which marks nothing as read');

    await im.read(nine);
    is([im.unread, server.unread('g')], [0, 0], 'read');
    Stream.last.say('typing', { conv_id: 'g', id: 'b' });
    Stream.last.say('read', { conv_id: 'g', id: 'b', msg_id: 'g-9' });
    Stream.last.say('recall', { conv_id: 'g', msg_id: 'g-1' });
    Stream.last.say('conv', { conv_id: 'g', change: 'set' });
    Stream.last.say('bye', { reason: 'reload' });
    is(im.got.slice(6).map((s) => s.split(' ')[0]), ['typing', 'read', 'recall', 'conv', 'bye'],
        'other events are handed on');

    im.typing('g');
    im.typing('g');
    await until(() => server.times('conv/g/typing') === 1, 'typing is told once in 3 s');
    im.send({ to_id: 'c', msg: 'sent' });
    im.typing('g');
    await until(() => server.times('conv/g/typing') === 2, 'and again after a message');

    // the browser connects again by itself

    const lists = server.times('conv/list');
    Stream.last.fail(0);
    is(im.state, 'connecting', 'an error: connecting');
    Stream.last.say('message', server.add('g', 'b'), 'e-10');
    Stream.last.say('ready', { total: 1, resumed: true }, 'e-10');
    is([im.state, im.got.at(-1)], ['live', 'g 10'], 'resumed by the browser');
    await until(() => server.times('conv/list') > lists, 'the list is read again, later');

    // the browser gives up: another object, with the id

    const count = Stream.all.length;
    server.refuse = (path) => (path === 'conv/list' ? [503, {}, {}] : undefined);
    Stream.last.fail(2);
    await until(() => Stream.all.length > count, 'a new stream when the browser gives up');
    is(Stream.last.url, '/im/stream?user=a&last_event_id=e-10', 'which says where to go on');
    server.refuse = () => undefined;
    Stream.last.say('ready', { total: 1, resumed: true }, 'e-11');

    // a page that was away

    im.stop();
    is(im.state, 'stopped', 'stop');
    for (let n = 0; n < 5; n++) server.add('g', 'b');
    im.start();
    is(Stream.last.url, '/im/stream?user=a&last_event_id=e-11', 'start goes on');
    for (const m of server.convs.get('g').slice(9)) Stream.last.say('message', m, 'e-15');
    Stream.last.say('ready', { total: 6, resumed: true }, 'e-15');
    is(im.got.slice(-6), [10, 11, 12, 13, 14, 15].map((n) => `g ${n}`), 'nothing is lost');

    // reset

    server.convs.set('g', server.convs.get('g').slice(0, 4));
    Stream.last.say('reset', { reason: 'epoch' }, 'f-1');
    Stream.last.say('ready', { total: 0, resumed: false }, 'f-1');
    await until(() => im.got.at(-1).startsWith('reset'), 'reset is emitted');
    is(im.convs.get('g').seq, 4, 'when the list was read');
    Stream.last.say('message', server.add('g', 'b'), 'f-2');
    is(im.got.at(-1), 'g 5', 'and sequences start again');
    im.stop();
}

// --- more is missing than pages are read

{
    const server = new Server('a');
    server.add('g', 'b');
    const im = await live(server);
    for (let n = 0; n < 1499; n++) server.add('g', 'b');
    Stream.last.say('message', server.add('g', 'b'), 'e-2');
    await until(() => im.got.at(-1) === 'g 1501', 'a large hole');
    is(im.got[0], 'gap {"conv_id":"g","after":1,"before":501}', 'gap says what is missing');
    is([im.got[1], im.got.length], ['g 501', 1002], 'the newest 1000 follow');

    server.add('g', 'b');
    server.refuse = (path) => (path === 'conv/g' ? [403, { code: 'not_member' }] : undefined);
    Stream.last.say('message', server.add('g', 'b'), 'e-3');
    await until(() => im.got.at(-1) === 'g 1503', 'a hole that may not be read');
    is(im.got.at(-2), 'gap {"conv_id":"g","after":1501,"before":1503}', 'is a gap');

    let n = 0;
    server.refuse = (path) => (path === 'conv/g' && n++ < 3 ? [503, {}] : undefined);
    server.add('g', 'b');
    Stream.last.say('message', server.add('g', 'b'), 'e-4');
    await until(() => im.got.at(-1) === 'g 1505', 'pages are asked for again after 503');
    is(im.got.at(-2), 'g 1504', 'until they come');

    server.refuse = (path) => (path === 'conv/g' ? [503, {}] : undefined);
    server.add('g', 'b');
    Stream.last.say('message', server.add('g', 'b'), 'e-5');
    im.stop();                          // while a hole is being closed
    server.refuse = () => undefined;
    im.start();
    Stream.last.say('ready', { total: 0, resumed: true }, 'e-5');
    await until(() => im.got.at(-1) === 'g 1507', 'what was cut off by stop comes after start');
    is(im.got.at(-2), 'g 1506', 'in order');

    server.add('g', 'b');
    im.relist();
    await until(() => im.got.at(-1) === 'g 1508', 'the list is faster than the stream');
    is(im.unread, server.unread('g'), 'counted once');
    im.stop();
}

// --- no stream

{
    const server = new Server('a');
    server.add('g', 'b');
    const im = client(server, { poll: 500 });
    im.start();
    Stream.last.fail(2);
    await until(() => im.state === 'polling', 'without a stream the client polls');
    is(im.got, [], 'the first list emits nothing');
    server.add('g', 'b');
    server.add('g', 'b');
    server.add('h', 'b');
    await until(() => im.got.length === 3, 'polls find messages');
    is(im.got.sort(), ['g 2', 'g 3', 'h 1'], 'each once, of a new conversation too');
    const since = () => server.calls.map(([, body]) => body.since).find((time) => time);
    await until(since, 'with since');
    ok(since() < 1e12, 'a bit before the newest, as clocks differ');

    server.refuse = () => 'network';
    await until(() => im.state === 'offline', 'offline when nothing answers');
    server.refuse = () => undefined;
    server.add('g', 'b');
    await until(() => im.got.at(-1) === 'g 4', 'and back');
    server.refuse = () => [403, { code: 'forbidden', error: 'no' }];
    await until(() => im.state === 'stopped', 'forbidden: it stops');
    ok(im.got.at(-1).startsWith('error'), 'and says why');
}

{
    const server = new Server('a');
    const im = client(server, { stream: '', poll: 500 }), count = Stream.all.length;
    im.start();
    await until(() => im.state === 'polling', 'a client without a stream');
    is(Stream.all.length, count, 'opens none');
    im.stop();
}

// --- the outbox

class Storage {
    getItem(key) { return this[key] ?? null; }
    setItem(key, value) { this[key] = value; }
    removeItem(key) { delete this[key]; }
}

{
    const server = new Server('a'), storage = new Storage();
    server.add('g', 'b');
    const im = await live(server, { storage });
    const states = [];
    im.on('outbox', (out) => states.push(`${out.msg} ${out.state}`));

    const refusals = ['network', [503, {}, { 'Retry-After': '10' }], [504, { code: 'outcome_unknown' }],
        [429, {}, { 'Retry-After': '20' }], [502, 'a proxy'], 'lost'];
    const when = [];
    server.refuse = (path) => {
        if (path !== 'send/msg') return undefined;
        when.push(Date.now());
        return refusals.shift();
    };
    for (const n of [1, 2, 3]) im.send({ conv_id: 'g', msg: `m${n}` });
    is(Object.keys(storage).length, 3, 'the outbox is in the storage');
    await until(() => im.outbox.size === 0, 'sent after refusals, lost answers, 503, 504, 429');
    is(server.convs.get('g').slice(1).map((m) => m.msg), ['m1', 'm2', 'm3'], 'once, in order');
    const ids = server.calls.filter(([p]) => p === 'send/msg').map(([, b]) => b.client_msg_id);
    is([new Set(ids).size, ids.length], [3, 9], 'with the same id over all attempts');
    ok(when[2] - when[1] >= 190 && when[4] - when[3] >= 390, 'after Retry-After', when.join());
    is(states.filter((s) => /sent/.test(s)), ['m1 sent', 'm2 sent', 'm3 sent'], 'told');
    is(Object.keys(storage).length, 0, 'the storage is empty');
    await until(() => im.got.includes('g 4'), 'without the stream the list shows them');

    const bad = [413, { code: 'msg_too_long', error: 'msg is too long' }];
    server.refuse = (path) => (path === 'send/msg' ? bad : undefined);
    const out = im.send({ conv_id: 'g', msg: 'long' });
    await until(() => out.state === 'failed', 'refused: failed');
    is([out.code, out.error], ['msg_too_long', 'msg is too long'], 'and why');
    server.refuse = () => undefined;
    im.resend(out);
    await until(() => out.state === 'sent', 'it may be sent again');

    // one conversation does not wait for another

    server.refuse = (path, b) => (b.conv_id === 'g' && path === 'send/msg' ? [503, {}] : undefined);
    im.send({ conv_id: 'g', msg: 'waits' });
    im.send({ to_id: 'c', msg: 'goes' });
    await until(() => server.convs.has('pair'), 'one conversation does not wait for another');
    server.refuse = () => undefined;
    await until(() => im.outbox.size === 0, 'all are sent');

    // offline, and another page

    im.stop();
    im.send({ conv_id: 'g', msg: 'kept 1' });
    im.send({ conv_id: 'g', msg: 'kept 2' });
    await pause(100);
    is(server.sent(), 6, 'nothing is sent while stopped');
    const next = client(server, { storage });
    is([...next.outbox.values()].map((o) => o.msg), ['kept 1', 'kept 2'], 'the next page has it');
    next.start();
    im.start();                         // two pages of one user, at the same time
    await until(() => !next.outbox.size && !im.outbox.size, 'both send it');
    is(server.convs.get('g').slice(-2).map((m) => m.msg), ['kept 1', 'kept 2'], 'it is there once');
    im.stop();
    next.stop();

    // a page that was closed while it was sending

    im.send({ conv_id: 'g', msg: 'cut' });
    const [key] = Object.keys(storage);
    storage.setItem(key, storage.getItem(key).replace('waiting', 'sending'));
    const again = client(server, { storage });
    again.start();
    await until(() => again.outbox.size === 0, 'what was being sent is sent');
    is(server.convs.get('g').at(-1).msg, 'cut', 'by the next page');
    again.stop();
    im.outbox.clear();

    // beyond the window it might be stored twice

    const old = { ...next.send({ conv_id: 'g', msg: 'old' }), tried: Date.now() - 24 * 3600e3 };
    storage.setItem(Object.keys(storage)[0], JSON.stringify(old));
    const late = client(server, { storage });
    late.start();
    const kept = [...late.outbox.values()][0];
    await until(() => kept.state === 'failed', 'after a day nothing is tried again');
    is(kept.code, 'too_late', 'by itself');
    late.discard(kept);
    is([late.outbox.size, Object.keys(storage).length], [0, 0], 'discarded');
    late.stop();
}

{
    is([0, 408, 429, 500, 503, 504].map((n) => new ImError(n, '', '').temporary),
        [true, true, true, true, true, true], 'temporary');
    is([400, 403, 404, 409, 413].map((n) => new ImError(n, '', '').temporary),
        [false, false, false, false, false], 'not temporary');
    is(new ImError(502, 'store_error', '').temporary, false, 'nor is store_error');
}

end();
