// What the scripts of this directory tell the test that runs them: a line for
// each check, and orders, which it answers with a line.

import readline from 'node:readline';

export const SCALE = Number(process.env.IM_SCALE || 1);

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (line) => process.stdout.write(line.replace(/\n/g, ' ') + '\n');
let failed = 0;

export function ok(is, name, why) {
    say(`${is ? 'ok' : 'not ok'} ${name}`);
    if (!is) failed++;
    if (!is && why !== undefined) say(`# ${why}`);
    return is;
}

export function is(got, wanted, name) {
    const [a, b] = [got, wanted].map((x) => JSON.stringify(x));
    return ok(a === b, name, `got ${a}, wanted ${b}`);
}

// true as soon as fn is

export async function until(fn, name, seconds = 30, more = () => '') {
    const end = Date.now() + seconds * 1000 * SCALE;
    let value, error = '';
    do {
        try {
            value = await fn();
        } catch (err) {
            error = String(err);
        }
        if (value) break;
        await pause(20);
    } while (Date.now() < end);
    if (value) ok(true, name);
    else ok(false, name, `not within ${seconds * SCALE} s ${error} ${await more()}`);
    return value;
}

const realTimeout = setTimeout;

export const pause = (ms) => new Promise((done) => { realTimeout(done, ms); });

// "reload" and so on; resolves when it is done

export async function order(what) {
    say(`do ${what}`);
    return (await lines.next()).value;
}

export function end() {
    say('end');
    process.exit(failed ? 1 : 0);
}

process.on('unhandledRejection', (err) => {
    ok(false, 'no promise is left alone', err?.stack ?? err);
    end();
});
