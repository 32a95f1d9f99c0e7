/**
 * im.js: a client of the API and of its push channel for browsers, without dependencies.
 *
 *     import { IM } from './im.js';
 *     const im = new IM({ user: 'CKD_P_1', base: '/im/' });
 *     im.on('message', (m) => console.log(m.conv_id, m.seq, m.msg));
 *     im.start();
 *     im.send({ to_id: 'CKD_D_2', msg: 'hello' });
 *
 * The location needs `im_reply full;`, since the client works with `seq`, and should have
 * `im_read_on_fetch off;`: the client says what was read. README.md lists all events. 'message'
 * is emitted once for each message, in order within a conversation; where that is not possible,
 * 'gap' or 'reset' says so, and pages have the rest. While there is no stream (no im_stream, a
 * proxy that buffers, an outage) the client polls the list instead.
 * @typedef {{msg_id: string, msg_type: number, msg: string, conv_id: string, from_id: string,
 *     from_time: number, user: {id: string, type: string, img: string, name: string},
 *     seq: number, recalled?: boolean}} Message  as in a page
 * @typedef {{conv_id: string, conv_type: 0|1, conv_users: string[], last_msg: string,
 *     last_msg_type: number, last_user_name: string, last_time: number, unread_count: number,
 *     seq: number, recalled?: boolean, name?: string, img?: string, description?: string,
 *     last_id?: string}} Conv  as in the list; last_id: msg_id of the last message, if known
 * @typedef {{client_msg_id: string, from_id: string, conv_id?: string, to_id?: string, msg: string,
 *     msg_type: number, time: number, state: 'waiting'|'sending'|'sent'|'failed', tried?: number,
 *     msg_id?: string, seq?: number, code?: string, error?: string}} Out  a message to be sent;
 *     msg_id and seq: when it is stored; code and error: why it was refused
 */

const EVENTS = ['ready', 'message', 'recall', 'read', 'conv', 'typing', 'reset', 'bye'];
const SIGNS = ['online', 'offline', 'pageshow', 'visibilitychange'];    // of the browser
const PAGE = 100, PAGES = 10;   // what closes a hole, at most; beyond it 'gap' is emitted
const WAITING = 1000;           // messages kept while a hole is closed
const WINDOW = 23 * 3600e3;     // no attempt after it, ms; below im_idempotency_window

/** A call that was refused, or that got no answer (status 0). */
export class ImError extends Error {
    status; code; after; temporary;     // the same call may succeed after so many seconds
    constructor(status, code, text, after = 0) {
        super(text);
        Object.assign(this, { status, code, after });
        this.temporary = /^(0|408|429|5..)$/.test(status) && code !== 'store_error';
    }
}

export class IM {
    /** @type {Map<string, Conv>} the list, by conv_id */ convs = new Map();
    /** @type {Map<string, Out>} by client_msg_id */ outbox = new Map();
    /** @type {'connecting'|'live'|'polling'|'offline'|'stopped'} */ state = 'stopped';

    #o; #es; #running = false; #lastId = ''; #failures = 0; #hidden = Date.now(); #typed = 0;
    #run = 0;                   // start, stop, reset: answers of an earlier run do not count
    #handlers = new Map();      // type -> functions
    #timers = new Map();        // name -> timer
    #sleepers = [];             // functions that end a pause
    #last = new Map();          // conv_id -> seq of the last message emitted
    #filling = new Map();       // conv_id -> messages that wait for those before them
    #sending = new Set();       // conversations, or users, whose outbox is at work
    #listed = false; #loading = false; #polls = 0; #since = 0; #reset;

    /**
     * base: prefix of the calls; stream: location of im_stream, '' if there is none; poll: ms
     * between polls then; timeout: of a call, ms; storage: localStorage keeps the outbox.
     * @param {{user: string, base?: string, stream?: string, poll?: number, timeout?: number,
     *     storage?: Storage}} options
     */
    constructor(options) {
        const { user, base = '/im/' } = options;
        this.user = user;
        this.#o = { base, stream: base + 'stream', poll: 4000, timeout: 15000, ...options };
        this.#restore();
    }

    /**
     * Calls fn with the data of every event of this type; returns a function that ends it.
     * @param {string} type  @param {(data: any) => void} fn
     */
    on(type, fn) {
        this.#handlers.set(type, (this.#handlers.get(type) ?? new Set()).add(fn));
        return () => { this.#handlers.get(type).delete(fn); };
    }

    /** Connects, or goes on where stop() left off. */
    start() {
        if (this.#running) return;
        this.#running = true;
        this.#run++;
        this.#polls = 0;        // the first one reads the whole list
        for (const type of SIGNS) globalThis.addEventListener?.(type, this);
        this.#open();
        this.#flush();
    }

    /** Disconnects. What is sent from now on waits in the outbox. */
    stop() {
        this.#running = false;
        this.#run++;
        for (const type of SIGNS) globalThis.removeEventListener?.(type, this);
        this.#es?.close();
        for (const name of this.#timers.keys()) this.#cancel(name);
        this.#filling.clear();  // the next list shows again what is missing
        this.#wake();
        this.#set('stopped');
    }

    /** The sum of the unread counts of the list. */
    get unread() { return [...this.convs.values()].reduce((n, row) => n + row.unread_count, 0); }

    /**
     * Makes a call once; rejects with an ImError. path: as in docs/api.md, without the prefix.
     * @param {string} path  @param {object} [body]  @returns {Promise<any>}
     */
    async call(path, body = {}) {
        let res, text, data = {};
        try {
            res = await fetch(this.#o.base + path, { method: 'POST',
                headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
                signal: AbortSignal.timeout(this.#o.timeout) });
            text = await res.text();
        } catch (err) { throw new ImError(0, 'network', String(err)); }
        try { data = JSON.parse(text); } catch { /* a proxy has answered */ }
        if (res.ok) return data;
        throw new ImError(res.status, data.code ?? '', data.error ?? text,
            Number(res.headers.get('Retry-After')) || 0);
    }

    /**
     * Puts a message into the outbox, from where it is sent as soon as possible, in order and
     * once: every attempt has the same client_msg_id.
     * @param {{conv_id?: string, to_id?: string, msg: string, msg_type?: number}} message
     */
    send({ conv_id, to_id, msg, msg_type = 0 }) {
        const id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (n) => n.toString(36));
        const out = /** @type {Out} */ ({ client_msg_id: id.join('-'), from_id: this.user, conv_id,
            to_id, msg, msg_type, time: Date.now(), state: 'waiting' });
        this.resend(out);
        return out;
    }

    /** Sends one that failed again. @param {Out} out */
    resend(out) {
        this.#typed = 0;
        delete out.tried;
        this.outbox.delete(out.client_msg_id);
        this.outbox.set(out.client_msg_id, out);
        this.#save(out, 'waiting');
        this.#flush();
    }

    /** Forgets one that failed. @param {Out} out */
    discard(out) {
        this.outbox.delete(out.client_msg_id);
        this.#o.storage?.removeItem(this.#key(out));
    }

    /** Marks a conversation as read up to a message. @param {Message} message */
    async read({ conv_id, msg_id, seq }) {
        const row = this.convs.get(conv_id);
        if (row?.seq === seq) row.unread_count = 0;
        this.#emit('list', this.convs);
        await this.call(`conv/${conv_id}/read`, { from_id: this.user, msg_id });
        if (row?.unread_count) this.relist(0);
    }

    /** Tells the others that the user is writing; to be called at every key. */
    typing(conv_id) {
        if (this.state !== 'live' || Date.now() - this.#typed < 3000) return;
        this.#typed = Date.now();
        this.call(`conv/${conv_id}/typing`, { from_id: this.user }).catch(() => {});
    }

    // --- the stream
    #open() {
        const { stream } = this.#o, query = new URLSearchParams({ user: this.user });
        this.#es?.close();
        this.#cancel('open');
        this.#set('connecting');
        this.#poll(stream ? 3000 : 0);
        if (!stream) return;
        if (this.#lastId) query.set('last_event_id', this.#lastId);     // else: Last-Event-ID
        const es = this.#es = new EventSource(`${stream}?${query}`);
        for (const type of EVENTS) es.addEventListener(type, (e) => {
            if (es !== this.#es) return;
            if (e.lastEventId) this.#lastId = e.lastEventId;
            this.#event(type, JSON.parse(e.data));
        });
        es.onerror = () => {
            if (es !== this.#es) return;
            if (this.state === 'live') this.#set('connecting');
            if (es.readyState !== 2) return this.#poll(10000 + Math.random() * 5000);
            this.#poll(0);      // the browser has given up: not found, a proxy, not allowed
            this.#later('open', 4 * this.#delay(this.#failures++), () => this.#open());
        };
    }

    #event(type, data) {
        const row = this.convs.get(data.conv_id);
        if (type === 'message') return this.#message(data);
        if (type === 'ready') {
            this.#failures = 0;
            this.#cancel('poll');
            this.#set('live');
            this.#wake();
            // members and positions are not replayed; after a reload not all clients ask at once
            const same = this.#listed && data.resumed && data.total === this.unread;
            this.relist(same ? Math.random() * 15000 : 0);
        } else if (type === 'reset') {
            this.#run++;
            this.#last.clear();
            this.#filling.clear();
            this.#listed = false;
            this.#reset = data;         // emitted as soon as the list is there
            return this.relist(0);
        } else if (type === 'conv'
            || (type === 'read' && data.id === this.user && row?.unread_count)
            || (type === 'recall' && [data.msg_id, undefined].includes(row?.last_id))) {
            this.relist(Math.random() * 500);
        }
        this.#emit(type, data);
    }

    // --- messages: each once, in order, without holes
    #message(m) {
        const { conv_id, seq } = m, last = this.#last.get(conv_id), row = this.convs.get(conv_id);
        const waiting = this.#filling.get(conv_id);
        if (waiting) return waiting.length < WAITING && waiting.push(m);
        if (seq <= last) return;
        if (seq > last + 1) return this.#fill(conv_id, m);
        this.#last.set(conv_id, seq);
        if (!row) this.relist(0);
        else if (seq >= row.seq) {
            if (m.from_id === this.user) row.unread_count = 0;
            else if (seq > row.seq) row.unread_count++;
            Object.assign(row, { seq, last_msg: m.msg, last_msg_type: m.msg_type, last_id: m.msg_id,
                last_time: m.from_time, last_user_name: m.user.name, recalled: m.recalled });
            this.#emit('list', this.convs);
        }
        this.#emit('message', m);
    }

    // reads what is between the last message and one above it, or else what is new
    async #fill(conv_id, top) {
        const run = this.#run, last = this.#last.get(conv_id), found = [], waiting = [];
        this.#filling.set(conv_id, waiting);
        try {
            for (let n = 0, low = top; n === 0 || (n < PAGES && low?.seq > last + 1); n++) {
                const page = await this.#retry(`conv/${conv_id}`,
                    { page_size: PAGE, before: low?.msg_id }, () => run === this.#run);
                found.push(...page.filter((m) => m.seq > last));
                low = page.at(-1);
            }
        } catch { /* not allowed any more, or stopped */ }
        if (run !== this.#run) return;
        this.#filling.delete(conv_id);
        const first = found.at(-1) ?? top;
        if (first?.seq > last + 1) {
            this.#last.set(conv_id, first.seq - 1);
            this.#emit('gap', { conv_id, after: last, before: first.seq });
        }
        for (const m of [...found.reverse(), ...(top ? [top] : []), ...waiting]) this.#message(m);
    }

    // --- the list, which is also the poll
    /** Reads the list again. */
    relist(delay = 0) { this.#later('list', delay, () => this.#sync(true)); }
    #poll(delay) { this.#later('poll', delay, () => this.#sync(false)); }

    async #sync(full) {
        if (this.#loading) return full ? this.relist(200) : this.#poll(200);
        this.#loading = true;
        try {
            await this.#load(full || !this.#listed || this.#polls++ % 15 === 0);
            if (this.#running && this.state !== 'live') this.#set('polling');
            this.#wake();
        } catch (err) {
            if (err.status === 401 || err.status === 403) this.stop();
            if (!err.temporary) this.#emit('error', err);
            else if (full) this.relist(this.#delay(3));
            if (this.#running && this.state !== 'live' && err.status === 0) this.#set('offline');
        }
        this.#loading = false;
        if (this.state !== 'live') this.#poll(this.#o.poll);
    }

    async #load(full) {
        const run = this.#run, known = this.convs;
        const rows = await this.call('conv/list',
            { from_id: this.user, since: full ? undefined : Math.max(this.#since - 5000, 0) });
        if (run !== this.#run) return;
        if (rows.some((row) => !('seq' in row))) throw new Error('im.js needs "im_reply full"');
        if (full) this.convs = new Map();
        for (const row of rows) {
            const { conv_id, seq, unread_count } = row, old = known.get(conv_id);
            // of one that is new: all that is unread; before the first list: nothing
            const last = this.#last.get(conv_id) ?? seq - (this.#listed ? unread_count : 0);
            this.#last.set(conv_id, last);
            this.#since = Math.max(this.#since, row.last_time);
            if (old?.seq === seq) row.last_id = old.last_id;
            this.convs.set(conv_id, this.#listed && old?.seq > seq ? old : row);    // of an event
            if (seq > last && !this.#filling.has(conv_id)) this.#fill(conv_id);
        }
        this.#listed = true;
        this.#emit('list', this.convs);
        if (this.#reset) this.#emit('reset', this.#reset);
        this.#reset = undefined;
    }

    // --- the outbox: of a conversation, one message at a time
    #flush() { for (const out of this.outbox.values()) this.#lane(out.conv_id ?? out.to_id); }
    async #lane(to) {
        if (this.#sending.has(to)) return;
        this.#sending.add(to);
        for (const out of this.outbox.values())
            if (this.#running && out.state === 'waiting' && (out.conv_id ?? out.to_id) === to)
                await this.#push(out);
        this.#sending.delete(to);
    }

    async #push(out) {
        const { client_msg_id, from_id, conv_id, to_id, msg, msg_type } = out;
        out.tried ??= Date.now();
        this.#save(out, 'sending');
        try {
            Object.assign(out, await this.#retry('send/msg',
                { client_msg_id, from_id, conv_id, to_id, msg, msg_type },
                () => this.#running && Date.now() - out.tried < WINDOW));
        } catch (err) {
            Object.assign(out, { code: err.code, error: err.message });
            return this.#save(out, this.#running ? 'failed' : 'waiting');
        }
        this.discard(out);
        out.state = 'sent';
        this.#emit('outbox', out);
        // the message itself comes by the stream, as to everybody
        if (!(this.#last.get(out.conv_id) >= out.seq))
            this.relist(this.state === 'live' ? 5000 : 0);
    }

    #save(out, state) {
        out.state = state;
        try {
            this.#o.storage?.setItem(this.#key(out), JSON.stringify(out));
        } catch { /* full: it is kept in memory */ }
        this.#emit('outbox', out);
    }

    #restore() {
        const { storage } = this.#o, prefix = this.#key({ client_msg_id: '' });
        Object.keys(storage ?? {}).filter((key) => key.startsWith(prefix))
            .map((key) => JSON.parse(storage.getItem(key))).sort((a, b) => a.time - b.time)
            .forEach((out) => this.outbox.set(out.client_msg_id,
                { ...out, state: out.state === 'failed' ? 'failed' : 'waiting' }));
    }

    #key(out) { return `im ${this.#o.base} ${this.user} ${out.client_msg_id}`; }

    // --- repeating and waiting
    async #retry(path, body, go) {
        let last = new ImError(0, 'too_late', 'not sent in time');
        for (let n = 0; go(); n++) {
            try { return await this.call(path, body); } catch (err) { last = err; }
            if (!last.temporary) break;
            await new Promise((done) => {
                setTimeout(done, last.after * 1000 || this.#delay(n));
                if (!last.after) this.#sleepers.push(done);
            });
        }
        throw last;
    }

    #wake() { for (const end of this.#sleepers.splice(0)) end(); }
    #delay(n) { return Math.min(30000, 500 * 2 ** n) * (0.5 + Math.random() / 2); }

    // of two timers of a name the earlier one stays
    #later(name, delay, fn) {
        const at = Date.now() + delay;
        if (!this.#running || this.#timers.get(name)?.at <= at) return;
        this.#cancel(name);
        const id = setTimeout(() => { this.#timers.delete(name); fn(); }, delay);
        this.#timers.set(name, { at, id });
    }

    #cancel(name) {
        clearTimeout(this.#timers.get(name)?.id);
        this.#timers.delete(name);
    }

    // --- events of the browser (the stream of a page that has slept may be dead), and our own
    handleEvent(/** @type {any} */ { type, persisted }) {
        const now = Date.now(), slept = now - this.#hidden > 60000;
        if (type === 'visibilitychange') this.#hidden = now;
        if (type === 'offline') this.#set('offline');
        else if (type === 'online' || persisted || (slept && !document.hidden)) this.#open();
    }

    #set(state) { if (state !== this.state) this.#emit('state', this.state = state); }

    #emit(type, data) {
        for (const fn of this.#handlers.get(type) ?? [])
            try { fn(data); } catch (err) { console.error(err); }
    }
}
