// demo.js: the page around im.js.  Texts of users are set through textContent only.

import { IM } from './im.js';

const BASE = document.documentElement.dataset.base;
const PEOPLE = [['CKD_P_1', 'Ann'], ['CKD_D_2', 'Dr. Bob'], ['CKD_P_3', 'Carol'],
    ['CKD_D_4', 'Dr. Dan'], ['CKD_P_5', 'Eve']];
const PAGE = 40;
const TYPES = ['', 'Picture', 'Voice', 'Video', 'File'];
const STATES = { connecting: 'Connecting …', live: 'Online', polling: 'Online, polling',
    offline: 'Offline', stopped: 'Offline' };
const RECALL = 110e3;                   // a bit less than im_recall_window, ms

const $ = (id) => document.getElementById(id);
const narrow = matchMedia('(max-width: 720px)');
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });

/** @type {IM} */
let im;
let me = '', conv = '', peer = '';      // what is open: a conversation, or a user without one yet
let known = false;                      // the list was read
let there = '';                         // the conversation that is open, as it was in the list
let divider = 0;                        // seq of the first message that was unread
const names = new Map();                // user -> name
const cache = new Map();                // conv_id -> { messages: Map by seq, more, positions }
const typing = new Map();               // conv_id -> Map: user -> time
const online = new Set();
const dismissed = new Set();
const sent = new Map();                 // client_msg_id -> Out that is stored, until it is shown
const keys = new Map();                 // msg_id -> key of the bubble that became the message


// --- small things

function h(tag, props = {}, ...children) {
    const el = document.createElement(tag);
    for (const [name, value] of Object.entries(props)) {
        if (name in el) el[name] = value;
        else el.setAttribute(name, value);
    }
    el.append(...children);
    return el;
}

function text(el, value) { if (el.textContent !== value) el.textContent = value; }

function attr(el, name, value) {
    if (value === undefined) el.removeAttribute(name);
    else if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

// makes the children of a list those of items, and moves no element without need

function keyed(list, items, key, make, update) {
    const old = new Map([...list.children].map((el) => [el.dataset.key, el]));
    let next = list.firstElementChild;
    for (const item of items) {
        const k = key(item);
        const el = old.get(k) ?? make(item);
        el.dataset.key = k;
        old.delete(k);
        update(el, item);
        if (el === next) next = next.nextElementSibling;
        else list.insertBefore(el, next);
    }
    for (const el of old.values()) el.remove();
}

function name(id) { return names.get(id) || id; }

function initials(s) {
    const words = s.replace(/^Dr\. /, '').split(/[\s_]+/).filter(Boolean);
    return words.slice(0, 2).map((w) => [...w][0].toUpperCase()).join('');
}

function avatar(el, id, title) {
    let hash = 0;
    for (const c of id) hash = (hash * 31 + c.codePointAt(0)) % 65521;
    el.style.setProperty('--hue', String((hash * 137 + 200) % 360));
    text(el, initials(title));
}

function when(time) {
    const date = new Date(time);
    return date.toDateString() === new Date().toDateString() ? clock.format(date)
        : date.toLocaleDateString(undefined, { day: 'numeric', month: 'short' });
}

function dayOf(time) {
    const date = new Date(time), today = new Date();
    if (date.toDateString() === today.toDateString()) return 'Today';
    today.setDate(today.getDate() - 1);
    return date.toDateString() === today.toDateString() ? 'Yesterday' : day.format(date);
}

let toastTimer = 0;

function toast(message) {
    text($('toast'), message);
    $('toast').classList.add('show');
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => {
        $('toast').classList.remove('show');
        text($('toast'), '');
    }, 5000);
}

// a call by a button: what it is refused with is shown

async function act(path, body) {
    try {
        return await im.call(path, body);
    } catch (err) {
        toast(err.status === 0 ? 'Not reached. Try again when online.' : err.message);
        return undefined;
    }
}

async function learn(ids) {
    const unknown = [...new Set(ids)].filter((id) => !names.has(id)).slice(0, 500);
    if (!unknown.length) return;
    const users = await im.call('user/get', { ids: unknown }).catch(() => []);
    for (const user of users) names.set(user.id, user.name);
    draw();
}

// of several calls within a frame one is done

let frame = 0;

function draw() {
    if (frame || !me) return;
    // a page in the background has no frames
    frame = document.hidden ? setTimeout(render, 100) : requestAnimationFrame(render);
}

function render() {
    frame = 0;
    if (!me) return;
    drawSide();
    drawConv();
}


// --- who

async function login() {
    $('app').hidden = true;
    $('login').hidden = false;
    document.title = 'Messages';
    keyed($('people'), PEOPLE, ([id]) => id, ([id, title]) => {
        const face = h('span', { className: 'avatar', 'aria-hidden': 'true' });
        avatar(face, id, title);
        return h('li', {}, h('a', { href: '#' + new URLSearchParams({ u: id }) }, face,
            h('span', { textContent: title }), h('small', { textContent: id })));
    }, () => {});
}

async function enter(user) {
    me = user;
    im?.stop();
    known = false;
    for (const map of [cache, typing, online, dismissed, sent, keys]) map.clear();
    $('login').hidden = true;
    $('app').hidden = false;
    im = new IM({ user, base: BASE, storage: localStorage });
    im.on('state', changed);
    im.on('list', listed);
    im.on('message', arrived);
    im.on('recall', recalled);
    im.on('read', ({ conv_id, id, msg_id }) => {
        cache.get(conv_id)?.positions.set(id, msg_id);
        draw();
    });
    im.on('typing', ({ conv_id, id }) => writing(conv_id, id, true));
    im.on('conv', ({ conv_id, change }) => {
        if (change === 'dismissed') dismissed.add(conv_id);
        if ($('group').open && conv_id === conv) members();
        draw();
    });
    im.on('gap', ({ conv_id }) => reload(conv_id));
    im.on('reset', () => {
        cache.clear();
        if (conv) load();
    });
    im.on('outbox', stored);
    im.on('error', (err) => toast(err.message));
    $('offline').setAttribute('aria-pressed', 'false');
    im.start();
    await profiles();
    learn([me]);
}

// the five have names, unless somebody gave them others

async function profiles() {
    const users = await im.call('user/get', { ids: PEOPLE.map(([id]) => id) }).catch(() => []);
    const without = users.filter((user) => !user.name)
        .map(({ id }) => ({ id, name: PEOPLE.find(([known]) => known === id)[1] }));
    if (without.length) await im.call('user/set', { users: without }).catch(() => {});
    for (const user of [...users, ...without]) names.set(user.id, user.name);
    draw();
}

function changed(state) {
    text($('state'), STATES[state]);
    $('state').className = state;
    if (state === 'live') presence();
    draw();
}

let presenceTimer = 0;

async function presence() {
    clearTimeout(presenceTimer);
    const ids = [...new Set([...im.convs.values()].filter((row) => !row.conv_type)
        .map(other).concat(peer || []))].slice(0, 200);
    const user = me;
    try {
        if (ids.length && im.state === 'live' && !document.hidden) {
            const all = await im.call('user/online', { ids });
            if (user !== me) return;
            for (const { id, online: is } of all) online[is ? 'add' : 'delete'](id);
            draw();
        }
    } catch (err) {
        if (err.status === 404) return;
    }
    presenceTimer = setTimeout(presence, 15000);
}


// --- the list

function other(row) { return row.conv_users.find((id) => id !== me) ?? me; }

function pairOf(user) {
    return [...im.convs.values()].find((row) => !row.conv_type && other(row) === user)?.conv_id
        ?? '';
}

function title(row) { return row.conv_type ? row.name || row.conv_id : name(other(row)); }

function listed(convs) {
    const first = !known;
    known = true;
    learn([...convs.values()].filter((row) => !row.conv_type).map(other));
    const before = conv, row = convs.get(conv);
    if (peer && !conv) conv = pairOf(peer);
    if (row && !row.conv_type) peer = other(row);
    if (conv && (first || conv !== before)) load();
    if (row) {
        there = conv;
    } else if (conv && there === conv && !peer) {
        toast('You are not a member of this group any more.');
        go({});
    }
    if (im.state !== 'live' && conv) readers(conv);
    draw();
}

function drawSide() {
    const rows = [...im.convs.values()].sort((a, b) => b.last_time - a.last_time);
    const waiting = [...im.outbox.values()].filter((out) => out.state !== 'failed').length;
    const off = im.state === 'offline' || im.state === 'stopped';

    text($('me'), name(me));
    avatar($('me-avatar'), me, name(me));
    text($('state'), STATES[im.state] + (off && waiting ? `, ${waiting} waiting` : ''));
    document.title = (im.unread ? `(${im.unread}) ` : '') + name(me);
    $('nothing').hidden = rows.length > 0 || im.state === 'connecting';

    keyed($('list'), rows, (row) => row.conv_id, () => h('li', {}, h('a', {},
        h('span', { className: 'avatar', 'aria-hidden': 'true' }),
        h('span', { className: 'name' }), h('time'),
        h('span', { className: 'last' }), h('span', { className: 'count' }))), (li, row) => {
        const [link] = li.children, [face, who, time, last, count] = link.children;
        const now = writers(row.conv_id);
        link.href = '#' + new URLSearchParams({ u: me, c: row.conv_id });
        attr(link, 'aria-current', row.conv_id === conv ? 'true' : undefined);
        avatar(face, row.conv_type ? row.conv_id : other(row), title(row));
        face.classList.toggle('group', row.conv_type === 1);
        face.classList.toggle('on', !row.conv_type && online.has(other(row)));
        text(who, title(row));
        text(time, row.last_time ? when(row.last_time) : '');
        text(last, now || preview(row));
        last.classList.toggle('now', !!now);
        text(count, row.unread_count > 99 ? '99+' : row.unread_count ? `${row.unread_count}` : '');
        attr(count, 'aria-label', row.unread_count ? `${row.unread_count} unread` : undefined);
    });
}

function preview(row) {
    if (!row.seq) return 'No messages yet';
    if (row.recalled || (!row.last_msg && row.seq)) return 'Message recalled';
    const said = row.last_msg_type ? TYPES[row.last_msg_type] : row.last_msg;
    return row.conv_type && row.last_user_name ? `${row.last_user_name}: ${said}` : said;
}


// --- typing

function writing(conv_id, id, is) {
    if (id === me) return;
    if (!typing.has(conv_id)) typing.set(conv_id, new Map());
    const users = typing.get(conv_id);
    if (is) {
        users.set(id, Date.now());
        learn([id]);
        setTimeout(draw, 4600);
    } else {
        users.delete(id);
    }
    draw();
}

function writers(conv_id) {
    const users = [...typing.get(conv_id) ?? []].filter(([, t]) => Date.now() - t < 4500);
    if (!users.length) return '';
    if (users.length > 2) return 'Several are typing …';
    const verb = users.length > 1 ? 'are' : 'is';
    return `${users.map(([id]) => name(id)).join(' and ')} ${verb} typing …`;
}


// --- messages

function box(conv_id) {
    if (!cache.has(conv_id))
        cache.set(conv_id, { messages: new Map(), more: false, positions: new Map() });
    return cache.get(conv_id);
}

function arrived(m) {
    names.set(m.from_id, m.user.name || names.get(m.from_id));
    const at = cache.get(m.conv_id);
    if (at) {
        at.messages.set(m.seq, m);
        at.positions.set(m.from_id, m.msg_id);
    }
    writing(m.conv_id, m.from_id, false);
    draw();
}

function recalled({ conv_id, msg_id }) {
    for (const m of cache.get(conv_id)?.messages.values() ?? [])
        if (m.msg_id === msg_id) Object.assign(m, { msg: '', recalled: true });
    draw();
}

function stored(out) {
    if (out.state === 'sent') {
        sent.set(out.client_msg_id, out);
        keys.set(out.msg_id, out.client_msg_id);
        if (peer && peer === out.to_id && !conv) {
            conv = out.conv_id;
            load();
        }
    }
    if (out.code === 'dismissed') dismissed.add(out.conv_id);
    draw();
}

function messages() {
    return [...cache.get(conv)?.messages.values() ?? []].sort((a, b) => a.seq - b.seq);
}

// those of the outbox that belong here and are not among the messages yet

function pending(all) {
    const mine = (out) => (out.to_id ? out.to_id === peer : out.conv_id === conv);
    const there = new Set(all.map((m) => m.msg_id));
    for (const [id, out] of sent) if (there.has(out.msg_id)) sent.delete(id);
    return [...sent.values(), ...im.outbox.values()].filter(mine).filter((out) => {
        // the stream may be faster than the answer
        out.above ??= all.at(-1)?.seq ?? 0;
        return out.state !== 'sending' || !all.some((m) => m.from_id === me
            && m.msg === out.msg && m.seq > out.above);
    });
}

// After the list was read, since 'message' is emitted for what comes after that.

async function load() {
    if (!known) return;
    const id = conv, at = box(id), row = im.convs.get(id);
    try {
        const page = await im.call('conv/' + id, { from_id: me, page_size: PAGE });
        for (const m of page) {
            at.messages.set(m.seq, m);
            names.set(m.from_id, m.user.name || names.get(m.from_id));
        }
        at.more = page.length === PAGE;
        if (id === conv) divider = row?.unread_count ? row.seq - row.unread_count + 1 : 0;
        bottom = true;
        readers(id);
    } catch (err) {
        if (!err.temporary) toast(err.message);
        else setTimeout(() => { if (id === conv && !at.messages.size) load(); }, 2000);
    }
    draw();
}

function reload(conv_id) {
    cache.delete(conv_id);
    if (conv_id === conv) load();
}

async function older() {
    const at = box(conv), [first] = messages(), el = $('scroll');
    if (!at.more || at.loading || !first) return;
    at.loading = true;
    const page = await act('conv/' + conv, { from_id: me, page_size: PAGE, before: first.msg_id });
    at.loading = false;
    if (!page) return;
    for (const m of page) at.messages.set(m.seq, m);
    at.more = page.length === PAGE;
    const height = el.scrollHeight, top = el.scrollTop;
    render();
    el.scrollTop = top + el.scrollHeight - height;
}

let readersTimer = 0;

async function readers(id) {
    if (Date.now() - readersTimer < 1000) return;
    readersTimer = Date.now();
    const all = await im.call(`conv/${id}/readers`, { from_id: me }).catch((err) => {
        if (err.status === 403) im.relist();    // removed, which a poll does not tell
        return [];
    });
    const at = box(id);
    for (const { id: user, msg_id } of all) if (msg_id) at.positions.set(user, msg_id);
    learn(all.map((reader) => reader.id));
    draw();
}

// what is on the screen is read

function look(all) {
    const newest = all.at(-1), row = im.convs.get(conv);
    if (!newest || document.hidden || !atBottom() || !row?.unread_count) return;
    if (cache.get(conv).looked === newest.seq) return;
    cache.get(conv).looked = newest.seq;
    im.read(newest).catch(() => { box(newest.conv_id).looked = 0; });
}


// --- the conversation

let bottom = true;                      // stay at the end as messages come

function atBottom() {
    const el = $('scroll');
    return !(narrow.matches && !conv && !peer)
        && el.scrollHeight - el.scrollTop - el.clientHeight < 80;
}

function drawConv() {
    const row = im.convs.get(conv), is = !!(conv || peer), group = row?.conv_type === 1;
    const who = row ? title(row) : peer ? name(peer) : conv;
    const all = messages(), at = cache.get(conv);
    document.body.classList.toggle('open', is);
    for (const id of ['head', 'scroll', 'composer']) $(id).hidden = !is;
    $('empty').hidden = is;
    if (!is) return;
    $('readonly').hidden = !dismissed.has(conv);
    $('composer').hidden = dismissed.has(conv);
    $('members').hidden = !group;
    $('back').href = '#' + new URLSearchParams({ u: me });
    text($('title'), who);
    avatar($('avatar'), group ? conv : peer || conv, who);
    $('avatar').classList.toggle('group', group);
    $('avatar').classList.toggle('on', online.has(peer));
    text($('sub'), group ? row.conv_users.map(name).join(', ')
        : online.has(peer) ? 'Online' : peer);
    text($('typing'), writers(conv));

    const stay = bottom || atBottom();
    drawLog(all, at, group);
    $('older').hidden = !at?.more;
    if (stay) $('scroll').scrollTop = $('scroll').scrollHeight;
    bottom = false;
    const below = stay ? 0 : all.filter((m) => m.seq > (at?.looked ?? 0)
        && m.from_id !== me && im.convs.get(conv)?.unread_count).length;
    $('down').hidden = !below;
    text($('down'), `${Math.min(below, row?.unread_count ?? 0)} new ↓`);
    look(all);
}

function drawLog(all, at, group) {
    const items = [], last = new Map();
    const seqs = new Map(all.map((m) => [m.msg_id, m.seq]));
    for (const [user, msg_id] of at?.positions ?? [])
        if (user !== me && seqs.has(msg_id)) last.set(user, seqs.get(msg_id));
    const others = group ? im.convs.get(conv).conv_users.filter((id) => id !== me) : [peer];
    const min = Math.min(...others.map((id) => last.get(id) ?? 0));

    let before;
    for (const m of all) {
        const date = dayOf(m.from_time);
        if (!before || dayOf(before.from_time) !== date) {
            items.push({ key: 'day ' + new Date(m.from_time).toDateString(), sep: date });
            before = undefined;
        }
        if (divider && m.seq === divider) {
            items.push({ key: 'new', sep: 'New' });
            before = undefined;
        }
        items.push({ key: keys.get(m.msg_id) ?? m.msg_id, m, group, follows: before
            && before.from_id === m.from_id && m.from_time - before.from_time < 300e3,
        tick: m.from_id !== me ? '' : m.seq <= min ? 'read' : 'stored',
        seen: [...last].filter(([, seq]) => seq === m.seq).map(([user]) => user) });
        before = m;
    }
    for (const out of pending(all)) {
        items.push({ key: out.client_msg_id, out, group, seen: [], tick: out.state,
            m: { ...out, from_time: out.time }, follows: before?.from_id === me });
        before = { from_id: me, from_time: out.time };
    }
    keyed($('log'), items, (item) => item.key, makeItem, updateItem);
}

function makeItem(item) {
    if (item.sep) return h('li', { className: 'sep' });
    return h('li', {},
        h('span', { className: 'avatar', 'aria-hidden': 'true' }),
        h('div', { className: 'bubble' },
            h('span', { className: 'from' }), h('span', { className: 'kind' }),
            h('p'), h('span', { className: 'meta' }, h('time'), h('span', { className: 'tick' }))),
        h('div', { className: 'acts' }),
        h('div', { className: 'seen' }));
}

const TICKS = { stored: ['✓', 'Sent'], sent: ['✓', 'Sent'], read: ['✓✓', 'Read'],
    sending: ['◷', 'Sending'], waiting: ['◷', 'Waiting'], failed: ['!', 'Not sent'] };

function updateItem(li, item) {
    if (item.sep) return text(li, item.sep);
    const { m, out, tick } = item, [face, bubble, acts, seen] = li.children;
    const [from, kind, body, meta] = bubble.children, mine = m.from_id === me;
    const gone = !out && !m.msg;
    li.className = `msg ${mine ? 'mine' : 'theirs'}${item.follows ? ' follows' : ''}`
        + `${item.group && !mine ? ' in-group' : ''}${gone ? ' gone' : ''} ${tick}`;
    avatar(face, m.from_id, name(m.from_id));
    text(from, mine ? '' : name(m.from_id));
    text(kind, gone ? '' : TYPES[m.msg_type] ?? '');
    text(body, gone ? 'Message recalled' : m.msg);
    text(meta.children[0], clock.format(m.from_time));
    const [sign, label] = TICKS[tick] ?? ['', ''];
    text(meta.children[1], sign);
    attr(meta.children[1], 'aria-label', label || undefined);
    attr(meta.children[1], 'role', label ? 'img' : undefined);
    attr(meta.children[1], 'title', out?.error ?? (label || undefined));

    const buttons = [];
    if (tick === 'failed') buttons.push(['Try again', () => im.resend(out)],
        ['Discard', () => { im.discard(out); draw(); }]);
    else if (!gone && !out && mine && Date.now() - m.from_time < RECALL)
        buttons.push(['Recall', () => recall(m)]);
    keyed(acts, buttons, ([word]) => word, ([word, fn]) => h('button',
        { className: 'link', textContent: word, onclick: fn }), () => {});
    if (tick === 'failed') attr(acts, 'title', out.error);

    text(seen, '');
    attr(seen, 'aria-label', item.seen.length ? 'Read by ' + item.seen.map(name).join(', ')
        : undefined);
    attr(seen, 'role', item.seen.length ? 'img' : undefined);
    for (const id of item.seen.slice(0, 8)) {
        const dot = h('span', { className: 'avatar', 'aria-hidden': 'true', title: name(id) });
        avatar(dot, id, name(id));
        seen.append(dot);
    }
}

async function recall({ conv_id, msg_id }) {
    if (await act('msg/recall', { conv_id, msg_id, from_id: me })) recalled({ conv_id, msg_id });
    im.relist();
}

function route() {
    const where = new URLSearchParams(location.hash.slice(1));
    const user = where.get('u') ?? '';
    const c = where.get('c') ?? '', t = where.get('t') ?? '';
    if (!user) {
        im?.stop();
        me = '';
        return login();
    }
    if (user !== me) enter(user);
    const row = im.convs.get(c);
    conv = c;
    peer = t;
    if (t) {
        conv = pairOf(t);
    } else if (row && !row.conv_type) {
        peer = other(row);
    }
    if (peer) learn([peer]);
    bottom = true;
    divider = 0;
    if (conv) {
        readersTimer = 0;
        cache.delete(conv);
        load();
    }
    $('text').value = sessionStorage.getItem(draftKey()) ?? '';
    render();
    grow();
    if ((conv || peer) && !narrow.matches) $('text').focus();
    if (conv || peer) presence();
    return undefined;
}

function go(params) { location.hash = new URLSearchParams({ u: me, ...params }).toString(); }


// --- what is written

function draftKey() { return `draft ${me} ${conv || peer}`; }

function grow() {
    $('text').style.height = 'auto';
    $('text').style.height = `${$('text').scrollHeight + 2}px`;
}

function submit(e) {
    e.preventDefault();
    const msg = $('text').value.replace(/\s+$/, '');
    if (!msg.trim() || !(conv || peer)) return;
    im.send(peer ? { to_id: peer, msg } : { conv_id: conv, msg });
    $('text').value = '';
    sessionStorage.removeItem(draftKey());
    grow();
    bottom = true;
    divider = 0;
    draw();
    $('text').focus();
}

$('composer').addEventListener('submit', submit);
$('text').addEventListener('keydown', (e) => {
    // not the Enter that ends the input of a Chinese word
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) submit(e);
});
$('text').addEventListener('input', () => {
    grow();
    sessionStorage.setItem(draftKey(), $('text').value);
    if (conv && $('text').value) im.typing(conv);
});


// --- groups

function idsOf(value) { return String(value).split(/[\s,]+/).filter(Boolean); }

function person(tag, id, title, ...more) {
    const face = h('span', { className: 'avatar', 'aria-hidden': 'true' });
    avatar(face, id, title);
    return h('li', {}, h(tag, {}, face, h('span', { textContent: title }),
        h('small', { textContent: title === id ? '' : id }), ...more));
}

$('new').addEventListener('click', () => {
    const form = $('create').querySelector('form');
    form.reset();
    $('choose').replaceChildren(...PEOPLE.filter(([id]) => id !== me).map(([id]) =>
        person('label', id, name(id), h('input', { type: 'checkbox', name: 'with', value: id }))));
    $('create').showModal();
});

$('create').addEventListener('close', async () => {
    if ($('create').returnValue !== 'ok') return;
    const data = new FormData($('create').querySelector('form'));
    const ids = [...data.getAll('with'), ...idsOf(data.get('more'))];
    const title = String(data.get('name')).trim();
    if (!ids.length && !title) return;
    if (ids.length === 1 && !title) return go({ t: ids[0] });
    const answer = await act('creat/group', { owner_id: me, member: ids,
        name: title || ids.map(name).join(', ').slice(0, 40) });
    if (!answer) return;
    im.relist();
    go({ c: answer.conv_id });
});

async function members() {
    const id = conv, all = await act(`group/${id}/list`, {});
    if (!all || id !== conv) return;
    const owner = all[0]?.id === me, row = im.convs.get(id);
    for (const user of all) names.set(user.id, user.name);
    text($('group-title'), `${title(row)}: ${all.length} members`);
    $('member-list').replaceChildren(...all.map((user, n) => person('div', user.id,
        user.alias || name(user.id), n === 0 ? h('em', { textContent: 'owner' })
            : owner ? h('button', { type: 'button', className: 'link', textContent: 'Remove',
                'aria-label': 'Remove ' + name(user.id), onclick: async () => {
                    await act(`group/${id}/remove`, { from_id: me, member: [user.id] });
                    im.relist();
                    members();
                } }) : '')));
    $('rename').hidden = !owner;
    $('go').value = owner ? 'dismiss' : 'leave';
    text($('go'), owner ? 'Dismiss group' : 'Leave group');
    if (!$('group').open) {
        $('group').querySelector('form').reset();
        $('group').querySelector('[name=name]').value = row?.name ?? '';
        $('known').replaceChildren(...PEOPLE.map(([value]) =>
            h('option', { value, label: name(value) })));
        $('group').showModal();
    }
}

$('members').addEventListener('click', members);

$('group').addEventListener('close', async () => {
    const data = new FormData($('group').querySelector('form'));
    const what = $('group').returnValue, id = conv, from_id = me;
    $('group').returnValue = '';
    if (what === 'add') {
        const member = idsOf(data.get('add'));
        if (member.length) await act('add/group/merber', { conv_id: id, member });
    } else if (what === 'set') {
        await act(`group/${id}/set`, { from_id, name: String(data.get('name')).trim() });
    } else if (what === 'leave' || what === 'dismiss') {
        if (!await act(`group/${id}/${what}`, { from_id })) return;
        if (what === 'dismiss') dismissed.add(id);
        else go({});
    } else {
        return;
    }
    im.relist();
    draw();
});

for (const dialog of document.querySelectorAll('dialog'))
    for (const button of dialog.querySelectorAll('button[data-close]'))
        button.addEventListener('click', () => dialog.close(''));


// --- the rest

$('other').addEventListener('submit', (e) => {
    e.preventDefault();
    location.hash = new URLSearchParams({ u: $('other-id').value }).toString();
});

$('offline').addEventListener('click', () => {
    const off = $('offline').getAttribute('aria-pressed') !== 'true';
    $('offline').setAttribute('aria-pressed', String(off));
    if (off) im.stop();
    else im.start();
});

$('scroll').addEventListener('scroll', () => {
    if ($('scroll').scrollTop < 40) older();
    if (atBottom() && me) {
        $('down').hidden = true;
        look(messages());
    }
}, { passive: true });
$('older').addEventListener('click', older);
$('down').addEventListener('click', () => {
    $('scroll').scrollTop = $('scroll').scrollHeight;
    $('text').focus();
});

// arrows move in the list

$('list').addEventListener('keydown', (e) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    const links = [...$('list').querySelectorAll('a')];
    const to = links[links.indexOf(document.activeElement) + step];
    if (!step || !to) return;
    e.preventDefault();
    to.focus();
});

addEventListener('hashchange', route);
addEventListener('resize', () => { if (atBottom()) bottom = true; draw(); });
document.addEventListener('visibilitychange', draw);
setInterval(draw, 30000);               // buttons that expire, today and yesterday

route();
