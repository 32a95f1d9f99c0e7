// The page in two windows of Chromium, one of Ann and one of Dr. Bob:
//
//     node page.mjs PLAYWRIGHT CHROMIUM URL STREAM [SCREENSHOT]
//
// STREAM: 1 if there is an im_stream.  Errors of the console fail.

import { createRequire } from 'node:module';
import { end, is, ok, order, pause, SCALE, until } from './tap.mjs';

const [, , playwright, executablePath, base, stream, screenshot] = process.argv;
const { chromium } = createRequire(import.meta.url)(playwright);
const STREAM = stream === '1';

const browser = await chromium.launch({ executablePath,
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });

let away = false;                       // the server or the network, on purpose
let gone = '';                          // a group that one was removed from

async function open(user) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 },
        locale: 'en-GB' });
    const page = await context.newPage();
    page.setDefaultTimeout(60000 * SCALE);
    page.errors = [];
    page.on('pageerror', (err) => page.errors.push(String(err)));
    page.on('console', (message) => {
        const { url } = message.location(), text = message.text();
        if (message.type() !== 'error' && message.type() !== 'warning') return;
        if (!STREAM && /404/.test(text) && /stream\?|user\/online/.test(url)) return;
        if (gone && url.includes(gone) && /403/.test(text)) return;
        if (away && /Failed to load resource|ERR_/.test(text)) return;
        page.errors.push(`${text} (${url})`);
    });
    await page.goto(`${base}/#u=${user}`);
    return page;
}

// what a window shows

const list = (page) => page.$$eval('#list li', (all) => all.map((li) => ({
    name: li.querySelector('.name').textContent, last: li.querySelector('.last').textContent,
    unread: Number(li.querySelector('.count').textContent) })));
const log = (page) => page.$$eval('#log .msg p', (all) => all.map((p) => p.textContent));
const tick = (page, text) => page.$$eval('#log .msg', (all, text_) => all
    .filter((li) => li.querySelector('p').textContent === text_)
    .map((li) => li.querySelector('.tick').getAttribute('aria-label')).join(), text);
const row = async (page, name) => (await list(page)).find((r) => r.name === name);

async function write(page, text) {
    await page.fill('#text', text);
    await page.press('#text', 'Enter');
}

const call = async (path, body) => (await fetch(`${base}/im/${path}`, { method: 'POST',
    body: JSON.stringify(body) })).json();
const choose = (page, name) => page.click(`#list a:has(.name:text-is("${name}"))`);
const both = (fn) => Promise.all([fn(ann), fn(bob)]);


// --- who, by keyboard only

const ann = await open('');
is(await ann.$$eval('#people li', (all) => all.length), 5, 'five users to choose from');
await ann.focus('#people a');
await ann.keyboard.press('Enter');
await until(async () => await ann.textContent('#me') === 'Ann', 'a user is chosen by a key');
const bob = await open('CKD_D_2');
await until(async () => await bob.textContent('#me') === 'Dr. Bob', 'names are there');
await both((page) => until(async () => /^Online/.test(await page.textContent('#state')),
    'connected'));

if (STREAM) await until(async () => await bob.textContent('#state') === 'Online', 'by the stream');


// --- two of them

await ann.click('#new');
await ann.check('#choose input[value=CKD_D_2]');
await ann.click('#create .primary');
await until(async () => await ann.textContent('#title') === 'Dr. Bob', 'a new conversation');
ok((await (await ann.$('#text')).boundingBox()).height > 36, 'a line to write in');
const markup = '<b>hello</b> &amp; "你好" 👋';
await write(ann, markup);
await until(async () => (await row(bob, 'Ann'))?.unread === 1, 'unread');
await until(async () => (await row(bob, 'Ann')).last === markup, 'the last text, no markup');
await until(async () => /^\(1\)/.test(await bob.title()), 'and in the title');
await until(async () => await tick(ann, markup) === 'Sent', 'sent, not read');
await choose(bob, 'Ann');
await until(async () => (await log(bob)).at(-1) === markup, 'read as it was written');
is(await bob.$$eval('#log b', (all) => all.length), 0, 'no markup');
await until(async () => (await row(bob, 'Ann')).unread === 0, 'nothing unread');
await until(async () => await tick(ann, markup) === 'Read', 'a receipt');

if (STREAM) {
    await until(async () => await ann.textContent('#sub') === 'Online', 'online', 60);
    const typed = (fn) => async () => {
        await bob.type('#text', 'x');
        return /is typing/.test(await fn());
    };
    await until(typed(() => ann.textContent('#typing')), 'typing');
    await until(typed(async () => (await row(ann, 'Dr. Bob')).last), 'in the list, too');
}
await write(bob, 'two\nlines');
await until(async () => (await log(ann)).at(-1) === 'two\nlines', 'an answer');
await until(async () => await ann.textContent('#typing') === '', 'nobody is typing');
await bob.type('#text', 'a draft');
await bob.reload();
await until(async () => await bob.inputValue('#text') === 'a draft', 'a draft stays');
await until(async () => (await log(bob)).length === 2, 'and the messages, when the page is loaded');
await bob.fill('#text', '');


// --- a group

await ann.click('#new');
for (const id of ['CKD_D_2', 'CKD_P_3']) await ann.check(`#choose input[value=${id}]`);
await ann.fill('#create [name=name]', 'Ward 7');
await ann.click('#create .primary');
await until(async () => await ann.textContent('#title') === 'Ward 7', 'a group');
await write(ann, 'good morning');
await until(async () => (await row(bob, 'Ward 7'))?.unread === 1, 'the other has it');
await until(async () => (await row(bob, 'Ward 7')).last === 'Ann: good morning', 'and who wrote');
await choose(bob, 'Ward 7');
await until(async () => (await log(bob)).join() === 'good morning', 'and reads it');
await until(() => ann.$('#log .seen[aria-label="Read by Dr. Bob"]'), 'read by whom');
await until(async () => await tick(ann, 'good morning') === 'Sent', 'not by all');

await ann.click('#members');
await until(() => ann.$('#group[open]'), 'members');
await ann.fill('#group [name=add]', 'CKD_P_5');
await ann.press('#group [name=add]', 'Enter');
await until(async () => /Eve/.test(await ann.textContent('#sub')), 'a member more');
await until(async () => /Eve/.test(await bob.textContent('#sub')), 'for the other, too', 90);
await ann.click('#members');
await until(() => ann.$('#group[open] [aria-label="Remove Eve"]'), 'who may be removed');
await ann.click('[aria-label="Remove Eve"]');
await until(async () => !/Eve/.test(await ann.textContent('#sub')), 'and is');
await ann.fill('#group [name=name]', 'Ward 8');
await ann.click('#group [value=set]');
await until(() => row(bob, 'Ward 8'), 'another name', 90);


// --- recall

await write(ann, 'a mistake');
await until(async () => (await log(bob)).at(-1) === 'a mistake', 'a message');
await ann.hover('#log .msg:last-child');
await ann.click('#log .msg:last-child .acts button:text-is("Recall")');
await until(async () => (await log(ann)).at(-1) === 'Message recalled', 'is recalled');
if (STREAM)
    await until(async () => (await log(bob)).at(-1) === 'Message recalled', 'for the other, too');
await until(async () => (await row(bob, 'Ward 8')).last === 'Message recalled', 'and in the list',
    90);


// --- the server is reloaded while both write

const wanted = [];
away = true;
for (let n = 0; n < 12; n++) {
    const [page, who] = n % 2 ? [ann, 'Ann'] : [bob, 'Bob'];
    wanted.push(`${who} ${n}`);
    await write(page, wanted.at(-1));
    if (n === 3 || n === 8) await order('reload');
}
const arrived = async (page) => (await log(page)).filter((s) => wanted.includes(s));
for (const page of [ann, bob]) {
    await until(async () => (await arrived(page)).length >= wanted.length, 'all arrive', 60);
    const got = await arrived(page);
    is([...got].sort(), [...wanted].sort(), 'each once');
    is(got.filter((s) => /Ann/.test(s)), wanted.filter((s) => /Ann/.test(s)), 'in order');
}
is(await arrived(ann), await arrived(bob), 'both see the same');


// --- offline and back

await bob.click('#offline');
await until(async () => await bob.textContent('#state') === 'Offline', 'offline, by the button');
await write(bob, 'from the cellar');
await until(async () => await bob.textContent('#state') === 'Offline, 1 waiting', 'it waits');
is(await tick(bob, 'from the cellar'), 'Waiting', 'and says so');
for (const n of [1, 2, 3]) await write(ann, `missed ${n}`);
await until(async () => await tick(ann, 'missed 3') === 'Sent', 'others go on');
ok(!(await log(bob)).includes('missed 1'), 'nothing arrives');
await bob.reload();                     // the outbox survives the page
const news = ['missed 1', 'missed 2', 'missed 3', 'from the cellar'];
const pick = async (page) => (await log(page)).filter((s) => news.includes(s));
for (const page of [ann, bob])
    await until(async () => (await pick(page)).join() === news.join(), 'back, without loss', 60);

await bob.context().setOffline(true);
await until(async () => /^Offline/.test(await bob.textContent('#state')), 'without a network', 60);
await write(bob, 'in the lift');
await write(ann, 'where are you');
await pause(500);
await bob.context().setOffline(false);
for (const page of [ann, bob]) {
    await until(async () => (await log(page)).slice(-2).sort().join() === 'in the lift,where are you',
        'and back', 90);
}
await both((page) => until(async () => /^Online/.test(await page.textContent('#state')),
    'online again', 90));
away = false;


// --- im.js alone, in a page: each message once, in order, whatever breaks

away = true;
const busy = await open('');
busy.exposeFunction('order', order);
const [timeline, seen, gaps] = await busy.evaluate(async () => {
    const { IM } = await import('/im.js');
    const users = ['x', 'y'].map((user) => new IM({ user, base: '/demo/im/' }));
    users.push(new IM({ user: 'y', base: '/demo/im/', stream: '', poll: 200 }));
    const seen_ = [[], [], []], gaps_ = [];
    const pause_ = (ms) => new Promise((done) => { setTimeout(done, ms); });
    const { conv_id } = await users[0].call('creat/group',
        { owner_id: 'x', name: 'busy', member: ['y'] });
    users.forEach((im, n) => {
        im.on('message', (m) => { if (m.conv_id === conv_id) seen_[n].push(m.msg_id); });
        for (const type of ['gap', 'reset', 'error']) im.on(type, (e) => gaps_.push([type, e]));
        im.start();
    });
    for (const im of users) while (!im.convs.size) await pause_(10);
    const total = 400, orders = { 60: 'cut', 120: 'reload', 180: 'hang', 240: 'reload', 300: 'cut' };
    for (let n = 0; n < total; n++) {
        users[n % 2].send({ conv_id, msg: `message ${n}` });
        if (n === 200) users[0].stop();
        if (n === 280) users[0].start();
        if (orders[n]) await window.order(orders[n]);
        else await pause_(4);
    }
    for (const im of users) while (im.outbox.size) await pause_(20);
    for (let n = 0; n < 600 && seen_.some((all) => all.length < total); n++) await pause_(100);
    await pause_(500);
    const timeline_ = [];
    for (let page_no = 1; timeline_.length < total; page_no++) {
        const page = await users[0].call(`conv/${conv_id}`, { page_no, page_size: 200 });
        if (!page.length) break;
        timeline_.push(...page);
    }
    for (const im of users) im.stop();
    return [timeline_.reverse().map((m) => [m.msg_id, m.from_id, m.msg]), seen_, gaps_];
});
is(timeline.length, 400, 'four hundred messages');
is(new Set(timeline.map(([, , msg]) => msg)).size, 400, 'each is stored once');
for (const user of ['x', 'y']) {
    const sent = timeline.filter(([, from]) => from === user).map(([, , msg]) => Number(msg.slice(8)));
    is(sent, [...sent].sort((a, b) => a - b), `in the order in which ${user} has sent them`);
}
is(gaps, [], 'no gap, no reset');
for (const all of seen) {
    is(all.length, 400, 'each arrives once');
    is(all, timeline.map(([id]) => id), 'in the order of the conversation');
}
away = false;


// --- a message while a new window connects

const late = await open('');
const pair = (await call('conv/list', { from_id: 'CKD_P_1' })).find((r) => !r.conv_type).conv_id;
await late.route('**/stream?*', async (request) => {
    await pause(500);
    await call('send/msg', { from_id: 'CKD_D_2', to_id: 'CKD_P_1', msg: 'between', msg_type: 0 });
    await request.continue();
}, { times: 1 });
await late.goto(`${base}/#u=CKD_P_1&c=${pair}`);
await until(async () => (await log(late)).at(-1) === 'between', 'a message before the stream is open');


// --- what is refused

away = true;                            // the console tells of the refusal
await write(bob, 'x'.repeat(40000));
await until(() => bob.$('#log .msg.failed'), 'a text that is too long is refused');
ok(/msg/.test(await bob.getAttribute('#log .msg.failed .tick', 'title')), 'and why');
await bob.click('#log .msg.failed button:text-is("Discard")');
await until(async () => !await bob.$('#log .msg.failed'), 'and discarded');
away = false;


// --- who is removed

away = true;
const group = (await call('conv/list', { from_id: 'CKD_D_2' })).find((r) => r.conv_type).conv_id;
gone = group;
await call(`group/${group}/remove`, { from_id: 'CKD_P_1', member: ['CKD_D_2'] });
await until(async () => !await row(bob, 'Ward 8') && await bob.isHidden('#composer'),
    'who is removed has the group no more', 90);
await choose(bob, 'Ann');
away = false;


// --- for everybody

const unnamed = (page) => page.$$eval('button, a, input, textarea, iframe', (all) => all
    .filter((el) => el.checkVisibility())
    .filter((el) => !(el.getAttribute('aria-label') || el.textContent.trim() || el.title
        || [...el.labels ?? []].some((label) => label.textContent.trim())))
    .map((el) => el.outerHTML.slice(0, 80)));
is(await unnamed(ann), [], 'every control has a name');

// WCAG AA: 4.5 : 1

const pairs = (page) => page.evaluate(() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgb = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = (color) => rgb(color).map((v) => v / 255)
        .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const root = getComputedStyle(document.documentElement);
    const ratio = (pair) => {
        const [a, b] = pair.split('/').map((name) => light(root.getPropertyValue(`--${name}`)))
            .sort((x, y) => y - x);
        return (a + 0.05) / (b + 0.05);
    };
    return ['text/bg', 'text/panel', 'text/theirs', 'text/chosen', 'muted/bg', 'muted/panel',
        'muted/chosen', 'muted/line', 'muted/theirs', 'accent/bg', 'accent/panel', 'accent/theirs',
        'on-mine/mine', 'good/bg', 'good/panel', 'bad/panel']
        .map((pair) => [pair, ratio(pair)]).filter(([, value]) => value < 4.5);
});
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const before = await background(ann);
is(await pairs(ann), [], 'colours can be read');
await ann.emulateMedia({ colorScheme: 'dark' });
ok(await background(ann) !== before, 'dark');
is(await pairs(ann), [], 'dark colours can be read');
await ann.emulateMedia({ colorScheme: 'light' });

// a phone: one pane, nothing wider than the screen

await ann.setViewportSize({ width: 360, height: 640 });
const wide = () => ann.evaluate(() => document.documentElement.scrollWidth - innerWidth);
ok(await ann.isVisible('#text') && !await ann.isVisible('#list'), 'a phone: the conversation');
is(await wide(), 0, 'not wider than the screen');
await ann.click('#back');
await until(() => ann.isVisible('#list'), 'and the list');
ok(!await ann.isVisible('#text'), 'one of them');
is(await wide(), 0, 'nor is the list');
await ann.goBack();
await until(() => ann.isVisible('#text'), 'the button of the phone goes back');
await ann.setViewportSize({ width: 1000, height: 700 });


// --- two windows

const two = await open('');
await two.setViewportSize({ width: 1180, height: 640 });
await two.goto(`${base}/two.html`);
for (const frame of two.frames().slice(1)) {
    await until(async () => (await frame.$$('#log .msg')).length >= 2
        && /^Online/.test(await frame.textContent('#state')), 'two windows side by side', 60);
}

// --- the picture: a window, and a phone at night

async function picture() {
    const [carol, dan, eve] = ['CKD_P_3', 'CKD_D_4', 'CKD_P_5'];
    const say = async (from_id, to, msg) => call('send/msg', { from_id, ...to, msg, msg_type: 0 });
    await call(`group/${(await call('conv/list', { from_id: carol }))[0].conv_id}/leave`,
        { from_id: carol });
    await call('creat/group', { conv_id: 'night', owner_id: dan, name: 'Night shift',
        member: [carol, eve] });
    await say(eve, { conv_id: 'night' }, 'I am on my way, ten minutes');
    await say(eve, { to_id: carol }, 'Can you take my Friday?');
    await say(eve, { to_id: carol }, 'I would take your Sunday');
    const window = await open(carol), phone = await open(dan);
    await window.setViewportSize({ width: 820, height: 500 });
    await phone.setViewportSize({ width: 300, height: 500 });
    await phone.emulateMedia({ colorScheme: 'dark' });
    await window.goto(`${base}/#u=${carol}&t=${dan}`);
    await phone.goto(`${base}/#u=${dan}&t=${carol}`);
    for (const [page, text] of [[window, 'Good morning! Are my results there?'],
        [phone, 'Good morning. They are, and they are fine.'],
        [window, 'That is good to hear, thank you!'], [phone, 'See you on Thursday at ten.'],
        [window, 'I will be there.']]) {
        await write(page, text);
        for (const shown of [window, phone])
            await until(async () => (await log(shown)).at(-1) === text, `shown: ${text}`);
    }
    await until(async () => await tick(window, 'I will be there.') === 'Read', 'read');
    await until(async () => await window.textContent('#sub') === 'Online'
        && await phone.textContent('#sub') === 'Online', 'both are online', 60);
    await phone.type('#text', 'And bring the');
    await until(async () => /typing/.test(await window.textContent('#typing')), 'and typing');
    const shots = [];
    for (const shot of [window, phone]) {
        await shot.evaluate(() => document.activeElement.blur());
        shots.push((await shot.screenshot()).toString('base64'));
    }
    const frame = await browser.newPage({ viewport: { width: 1180, height: 540 } });
    await frame.setContent(`<style>body { display: flex; gap: 20px; margin: 0; padding: 20px }
        img { border: 1px solid #ccd; border-radius: 14px }</style>`
        + shots.map((png) => `<img src="data:image/png;base64,${png}">`).join(''));
    await frame.screenshot({ path: screenshot });
    for (const shot of [window, phone]) is(shot.errors, [], 'no error in the console');
}

if (screenshot) await picture();

for (const [name, page] of Object.entries({ ann, bob, two, busy, late }))
    is(page.errors, [], `${name}: no error in the console`);

await browser.close();
end();
