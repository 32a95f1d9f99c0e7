# Redis away, dead, hung, slow, mad: what the callers get, that nothing is lost
# or done twice, that all is well again by itself, and that the site beside the
# API does not notice.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use History;
use Proxy;
use Test::IM;

my $scale = $Test::IM::SCALE;
my $text = 't0000';

# one worker, so that whatever waits in it is in everybody's way
my $t = Test::IM->new(one => 'it stops and starts one',
    redis => 0, redis_tcp => 1,
    redis_args => [qw(--enable-debug-command yes)],
    conf_im => 'im_reply full;',
    store => <<"CONF",
        server unix:{{dir}}/p.sock;
        timeout ${\ ms(600)};
        connect_timeout ${\ ms(300)};
CONF
    conf_http => <<"CONF",
    im_cache off;       # so that what a call asks for does not depend on others
    im_redis direct { server unix:{{sock}}; timeout ${\ ms(600)}; connect_timeout ${\ ms(300)}; }
    im_redis tcp { server 127.0.0.1:{{redis_port}}; timeout ${\ ms(600)}; connections 4; }
    im_redis few { server unix:{{dir}}/p.sock; timeout ${\ ms(1500)}; max_pending 5; }
CONF
    conf_server => <<'CONF',
        location /direct/ { im_pass direct; im_reply full; }
        location /tcp/ { im_pass tcp; im_reply full; }
        location /few/ { im_pass few; }
CONF
);
my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");


# --- small things

sub stored {        # texts of a 1:1, newest last, past any proxy
    my ($a, $b) = @_;
    my $r;
    $t->poll(2, sub {
        $r = $t->post('/direct/from/to', { from_id => $a, to_id => $b, page_size => 200 });
        $r->status == 200;
    });
    return $r->status == 200 ? [ reverse @{ $t->texts($r->json) } ] : $r->code;
}

sub listed { grep { grep { $_ eq $_[1] } @{ $_->{conv_users} } }
             @{ $t->call('/direct/conv/list', { from_id => $_[0] })->json } }

sub timed (&) {     # seconds, result
    my $cb = shift;
    my $t0 = time;
    my $r = $cb->();
    return (time - $t0, $r);
}

# answered so, so fast
sub refused {
    my ($what, $r, $s, $code, $limit) = @_;
    is($r->code, $code, "$what: $code") or diag($r->status . ' ' . $r->body);
    is($r->status, $STATUS{$code}, "$what: status");
    cmp_ok($s, '<', $limit * $scale, sprintf '%s: after %.0f ms', $what, $s * 1000)
        if defined $limit;
    like($r->header('Retry-After') // '', qr/^[1-9]\d*$/, "$what: Retry-After")
        if $code eq 'store_unavailable';
}

sub site_ok {
    my $what = shift;
    my ($s, $r) = timed { $t->get('/site') };
    ok($r && $r->status == 200 && $s < 0.1 * $scale, "$what: the site is served");
}

sub works {         # again, within $limit seconds
    my ($what, $limit, $base) = @_;
    $base //= '/im';
    my ($a, $b) = fresh();
    my $t0 = time;
    my $msg = $text++;
    my $ok = $t->poll($limit, sub {
        my $r = $t->post("$base/send/msg", body($a, $b, $msg, client_msg_id => 'w'));
        return $r && $r->status == 200;
    });
    ok($ok, sprintf '%s: served again after %.0f ms', $what, 1000 * (time - $t0));
    is_deeply(stored($a, $b), [$msg], "$what: and stored once") if $ok;
}

sub ascending { sort { $a <=> $b } @_ }

# as many callers at once, each on a connection of its own
sub at_once {
    my ($n, $cb) = @_;
    my @open = map { [ $t->connect, $cb->($_) ] } 1 .. $n;
    for (@open) {
        my ($conn, $path, $data) = @$_;
        $conn->send(bytes($path, $data));
    }
    return map { $_->[0] } @open;
}


# --- down at start

{
    $p->shut;
    $t->start;
    for my $n (1 .. 3) {
        my ($s, $r) = timed { $t->post('/im/unread', { from_id => 'a' }) };
        refused("down at start, read $n", $r, $s, 'store_unavailable', 0.1);
        ($s, $r) = timed { $t->post('/im/send/msg', body('a', 'b', 'x')) };
        refused("down at start, write $n", $r, $s, 'store_unavailable', 0.1);
        ($s, $r) = timed { $t->post('/tcp/unread', { from_id => 'a' }) };
        refused("down at start, TCP $n", $r, $s, 'store_unavailable', 0.1);
    }
    is($t->post('/im/unread', '{"from_id":1}')->status, 400, 'a bad request is told so, down or not');
    is($t->post('/im/nosuch', {})->status, 404, 'and an unknown call');
    site_ok('down at start');

    $t->start_redis;
    $p->open;
    works('up for the first time', 2);
    works('up for the first time, TCP', 2, '/tcp');
    my $n;
    $t->poll(2, sub { 4 == ($n = () = $t->redis('CLIENT', 'LIST') =~ / addr=127\.0\.0\.1/g) });
    is($n, 4, 'connections 4');
}


# --- killed and started again

for my $round (1 .. 2) {
    $t->stop_redis('KILL');
    for my $base (qw(/direct /tcp)) {
        my ($s, $r) = timed { $t->post("$base/send/msg", body('a', 'b', 'x')) };
        refused("killed, $base", $r, $s, 'store_unavailable', 0.35);
        ($s, $r) = timed { $t->post("$base/unread", { from_id => 'a' }) };
        refused("still dead, $base", $r, $s, 'store_unavailable', 0.1);
    }
    site_ok('killed');
    $t->start_redis;
    works('started again', 2, $_) for qw(/direct /tcp /im);
}


# --- stopped for a while, with callers waiting

# The site's latency is measured in the same single worker.  A busy machine can
# spoil that, so it has three attempts; the rest must hold each time.

sub hung {
    my ($x, $y, $round) = @_;

    $t->signal_redis('STOP');
    my $t0 = time;
    my @conn = at_once(50, sub {
        my $n = shift;
        return $n % 2 ? ('/direct/unread', { from_id => $y })
             : ('/direct/send/msg', body($x, $y, "stop$round-$n", client_msg_id => "s$round-$n"));
    });

    my (@ms, %got, $latest);
    my $site = $t->connect;
    my %left = map { $_ + 1 => $conn[$_] } 0 .. $#conn;
    while (%left && time - $t0 < 5 * $scale || @ms < 300) {
        my $s = time;
        $site->send("GET /site HTTP/1.1\r\nHost: x\r\n\r\n");
        $site->read_response;
        push @ms, 1000 * (time - $s);
        for my $n (keys %left) {
            next if !$left{$n}->readable(0);
            my $r = $left{$n}->read_response;
            $got{$n % 2 ? 'read' : 'write'}{$r->status . ' ' . $r->code}++;
            $latest = time - $t0;
            delete $left{$n};
        }
        sleep 0.002;
    }
    @ms = ascending(@ms);

    is(scalar keys %left, 0, '50 callers are answered');
    cmp_ok($latest, '<', 0.6 * $scale + 0.3, sprintf 'within the timeout: %.0f ms', 1000 * $latest);
    is_deeply([ grep { !/^504 outcome_unknown$|^503 store_unavailable$/ } keys %{ $got{write} } ],
              [], 'writes: 504 or 503') or diag explain \%got;
    is_deeply([ grep { !/^504 store_timeout$|^503 store_unavailable$/ } keys %{ $got{read} } ],
              [], 'reads: 504 or 503') or diag explain \%got;

    my ($s, $r) = timed { $t->post('/direct/unread', { from_id => $y }) };
    cmp_ok($r->status, '>=', 503, 'still stopped');
    cmp_ok($s, '<', 0.6 * $scale + 0.3, 'within the timeout');

    $t->signal_redis('CONT');
    works('SIGCONT', 1, '/direct');
    diag sprintf 'the site: %d requests, p99 %.2f ms, max %.2f ms', scalar @ms, $ms[@ms * 0.99], $ms[-1]
        if $ENV{IM_DEBUG};
    return $ms[@ms * 0.99];
}

{
    my ($x, $y) = fresh();
    $t->say($x, $y, 'before');
    is($t->post('/direct/unread', { from_id => $y })->json->{total}, 1, 'before SIGSTOP');

    my ($round, $p99) = (0);
    do { $p99 = hung($x, $y, ++$round) } until $p99 < 10 * $scale || $round == 3;
    cmp_ok($p99, '<', 10 * $scale, sprintf 'p99 of the site: %.2f ms', $p99);

    # the same messages again: each is there once
    my $bad = 0;
    for my $id (map { my $n = $_; map { "$_-" . 2 * $n } 1 .. $round } 1 .. 25) {
        my $r = $t->post('/direct/send/msg', body($x, $y, "stop$id", client_msg_id => "s$id"));
        $bad++ if $r->status != 200;
    }
    is($bad, 0, 'sent again');
    my %times;
    $times{$_}++ for @{ stored($x, $y) };
    is_deeply([ grep { $times{$_} != 1 } keys %times ], [], 'nothing is there twice');
    is(scalar keys %times, 1 + 25 * $round, 'and all of it is there');

    # stopped, then killed
    $t->signal_redis('STOP');
    my $r = $t->post('/direct/send/msg', body($x, $y, 'x'));
    is($r->status, 504, 'stopped') or diag($r->body);
    $t->stop_redis('KILL');
    $t->start_redis;
    works('stopped, killed, started', 2, $_) for qw(/direct /im);
}


# --- a reply that breaks off: reads are asked again, writes are not

my ($ann, $bob) = fresh();
$t->say($ann, $bob, "text $_") for 1 .. 30;
my $conv = $t->list($bob)->[0]{conv_id};
my $page = $t->page($conv, page_size => 20);

my $page_body = $t->post("/im/conv/$conv", { page_size => 20 })->body;

for my $n (0 .. 6, 15, 100, 1000) {
    my $had = $p->stat;
    $p->cut('reply', $n);
    is_deeply($t->page($conv, page_size => 20), $page, "reply cut after $n bytes: a page");
    my $has = $p->stat;
    is($has->{accepted}, $had->{accepted} + 1, 'over one new connection');
    $p->pass;
}
for my $n (1, 50) {
    $p->chunk(7);
    $p->rst('reply', $n);
    is_deeply($t->page($conv, page_size => 20), $page, "in pieces, and cut after $n");
    $p->pass;
}
{
    $p->cut('reply', 3, 'always', '^z');
    my ($s, $r) = timed { $t->post("/im/conv/$conv", {}) };
    refused('a read cut twice', $r, $s, 'store_error', 0.5);
    $p->pass;
    works('reads cut', 1);
}

for my $n (0 .. 3, 10) {
    my ($a, $b) = fresh();
    $p->cut('reply', $n, 1, $Proxy::SCRIPT);
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'once')) };
    refused("a send's reply cut after $n", $r, $s, 'outcome_unknown', 0.3);
    is_deeply(stored($a, $b), ['once'], 'it was done');
    $p->pass;

    ($a, $b) = fresh();
    $p->cut('reply', $n, 1, $Proxy::SCRIPT);
    $r = $t->post('/im/send/msg', body($a, $b, 'id', client_msg_id => 'k'));
    is($r->status, 200, 'with client_msg_id it is asked again') or diag($r->body);
    is_deeply(stored($a, $b), ['id'], 'and stored once');
    my $again = $t->post('/im/send/msg', body($a, $b, 'id', client_msg_id => 'k'));
    is($again->msg_id, $r->msg_id, 'the same answer again');
    $p->pass;

    ($a, $b) = fresh();
    $p->cut('reply', $n, 'always', '^evalsha');
    $r = $t->post('/im/send/msg', body($a, $b, 'id', client_msg_id => 'k'));
    is($r->code, 'outcome_unknown', 'cut again and again');
    $p->pass;
    ok($t->poll(2, sub { $t->post('/im/send/msg', body($a, $b, 'id', client_msg_id => 'k'))->status == 200 }),
       'sent again by the caller');
    is_deeply(stored($a, $b), ['id'], 'one message');
}


# a command that breaks off was not done, but who can tell

for my $n (0, 1, 20, 60) {
    my ($a, $b) = fresh();
    $p->cut('command', $n, 1, $Proxy::SCRIPT);
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'torn')) };
    refused("a send cut after $n bytes", $r, $s, 'outcome_unknown', 0.3);
    is_deeply(stored($a, $b), [], 'nothing of it is there');
    $p->pass;
}
works('commands cut', 1);


# executed, then the connection and the server are gone: that is not "nothing
# was done", whatever the second attempt met

for my $how (qw(shut refuse deaf)) {
    my ($a, $b) = fresh();
    $p->order($how);
    $p->cut('reply', 0, 1, $Proxy::SCRIPT);
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'gone', client_msg_id => 'k')) };
    refused("done, then no server ($how)", $r, $s, 'outcome_unknown', 0.75);
    is_deeply(stored($a, $b), ['gone'], 'it was done');
    $p->pass;
    works("no server ($how)", 2);
}
for my $error ('-LOADING Redis is loading the dataset in memory', '-READONLY you know',
               '-OOM command not allowed', '-NOSCRIPT No matching script.',
               '-NOAUTH Authentication required.') {
    my ($a, $b) = fresh();
    $p->cut('reply', 0, 1, $Proxy::SCRIPT);
    $p->answer("$error\r\n", 'always', '^eval');
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'done', client_msg_id => 'k')) };
    refused("done, then $error", $r, $s, 'outcome_unknown', 0.7);
    is_deeply(stored($a, $b), ['done'], 'it was done');
    $p->pass;
    works("done, then $error", 2);
}


# the second write of a send, to the inboxes

for my $kind ('cut reply', 'cut command') {
    my ($a, $b) = fresh();
    my ($name, $what) = split ' ', $kind;
    $p->order($name, $what, 5, 1, '^zadd');
    my $r = $t->post('/im/send/msg', body($a, $b, 'listed'));
    is($r->status, 200, "$kind of the inbox: asked again") or diag($r->body);
    is_deeply(stored($a, $b), ['listed'], 'stored once');
    is(scalar listed($_->[0], $_->[1]), 1, 'in a list') for [ $a, $b ], [ $b, $a ];
    $p->pass;

    ($a, $b) = fresh();
    $p->order($name, $what, 0, 'always', '^zadd');
    $r = $t->post('/im/send/msg', body($a, $b, 'half', client_msg_id => 'k'));
    is($r->code, 'outcome_unknown', "$kind of the inbox, always") or diag($r->body);
    $p->pass;
    ok($t->poll(2, sub { $r = $t->post('/im/send/msg', body($a, $b, 'half', client_msg_id => 'k'));
                         $r->status == 200 }), 'sent again');
    is_deeply(stored($a, $b), ['half'], 'stored once');
    is(scalar listed($_->[0], $_->[1]), 1, 'in a list') for [ $a, $b ], [ $b, $a ];
}
for my $error ('-LOADING wait', '-OOM full', '-READONLY no') {
    my ($a, $b) = fresh();
    $p->answer("$error\r\n", 'always', '^zadd');
    my $r = $t->post('/im/send/msg', body($a, $b, 'half', client_msg_id => 'k'));
    is($r->code, 'outcome_unknown', "$error to the inbox: the message is stored") or diag($r->body);
    $p->pass;
    ok($t->poll(2, sub { $t->post('/im/send/msg', body($a, $b, 'half', client_msg_id => 'k'))->status == 200 }),
       'sent again');
    is(scalar listed($b, $a), 1, 'and listed');
    is_deeply(stored($a, $b), ['half'], 'stored once');
}


# --- slow, but well

{
    $p->chunk(1);
    is_deeply($t->page($conv, page_size => 20), $page, 'a byte at a time: a page');
    my ($a, $b) = fresh();
    $t->say($a, $b, 'slowly');
    is($t->unread($b), 1, 'a byte at a time: a send, unread');
    $p->chunk_up(1);
    is_deeply($t->page($conv, page_size => 20), $page, 'both ways');
    $t->say($a, $b, 'more slowly');
    is_deeply(stored($a, $b), [ 'slowly', 'more slowly' ], 'stored');
    $p->pass;

    # answers come late and in step: everybody gets his own
    my %conv;
    for my $n (1 .. 20) { my ($a, $b) = fresh(); $conv{$n} = $t->say($a, $b, "of $n")->conv_id }
    $p->delay(150);
    my $t0 = time;
    my @conn = at_once(20, sub { return ("/im/conv/$conv{$_[0]}", {}) });
    is_deeply([ map { $t->texts($_->read_response->json)->[0] } @conn ],
              [ map { "of $_" } 1 .. 20 ], 'delayed: everybody has his own answer');
    cmp_ok(time - $t0, '>=', 0.15, 'delayed');

    # later than the timeout: refused, and what comes then is nobody's
    $p->pass;
    $p->late(800 * $scale);
    @conn = at_once(10, sub { return ("/im/conv/$conv{$_[0]}", {}) });
    my %got;
    $got{$_->read_response->code}++ for @conn;
    is_deeply([ grep { !/^store_(?:timeout|unavailable)$/ } keys %got ], [], 'too late: refused')
        or diag explain \%got;
    my $ok = 0;
    for my $n (11 .. 20, 11 .. 20) {
        my $r = $t->post("/im/conv/$conv{$n}", {});
        $ok++ if $r->status == 200 ? $t->texts($r->json)->[0] eq "of $n" : $r->status >= 503;
        sleep 0.03;
    }
    is($ok, 20, 'late replies go to nobody');
    $p->pass;
    works('too late', 2);
}


# --- mad: bytes that are no reply, replies that nobody asked for

my @garbage = (
    "HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", "\r\n", "hello\r\n", ":abc\r\n", ":\r\n",
    "\$-2\r\n", "\$abc\r\n", "\$5\r\nab\r\ncd\r\n", "\$3\r\nabcXY", "*-2\r\n", "*x\r\n", "+" . 'x' x 70000,
    "\$999999999999\r\n", "\$9223372036854775807\r\n", "\$99999999999999999999\r\n",
    "*2147483647\r\n", "*4294967296\r\n", "*1000000\r\n", "*1\r\n" x 12 . ":1\r\n",
    "%1\r\n+a\r\n+b\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", ">2\r\n+a\r\n+b\r\n",
);
for my $bytes (@garbage) {
    my $name = substr($bytes, 0, 24) =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger;
    my ($a, $b) = fresh();

    $p->answer($bytes, 1, $Proxy::SCRIPT);
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    like($r->code, qr/^(?:outcome_unknown|store_error)$/, "garbage $name: a send") or diag($r->body);
    cmp_ok($s, '<', 0.65 * $scale + 0.2, 'in time');
    $p->pass;

    # asked once more, and not of this connection
    $p->answer($bytes, 1);
    ($s, $r) = timed { $t->post("/im/conv/$conv", { page_size => 20 }) };
    if ($r->status == 200) {
        is_deeply($r->json, $page, 'a page, asked again');
    } else {
        like($r->code, qr/^store_(?:timeout|error|unavailable)$/, 'a page: refused');
    }
    cmp_ok($s, '<', 1.3 * $scale, 'in time');
    $p->pass;
    ok($t->poll(1, sub { $r = $t->post("/im/conv/$conv", { page_size => 20 }); $r->status == 200 }),
       'served again');
    is_deeply($r->json, $page, 'and well');
}
works('after all the garbage', 1);

# lengths that can only be wrong are known as such at once, not at the timeout
for my $bytes ("\$999999999999\r\n", "*2147483647\r\n", "\$9223372036854775807\r\n") {
    my ($a, $b) = fresh();
    $p->answer($bytes, 1, $Proxy::SCRIPT);
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    my $name = $bytes =~ s/\r\n//r;
    is($r->code, 'outcome_unknown', "$name: outcome_unknown");
    cmp_ok($s, '<', 0.3 * $scale, sprintf '%s: at once, %.0f ms', $name, 1000 * $s);
    $p->pass;
}

for my $bytes ("+OK\r\n", "-ERR what\r\n", ":1\r\n", "junk", "*3\r\n:1\r\n", "\$3\r\nabc\r\n" x 5) {
    my $name = $bytes =~ s/([^\x20-\x7e])/sprintf '\\x%02x', ord $1/ger;
    works('before it', 1);      # so that nothing is under way
    my $had = $p->stat->{accepted};

    $p->inject($bytes);         # out of the blue
    ok($t->poll(1, sub { $p->stat->{accepted} > $had }), "stray $name: that connection is given up");
    is_deeply($t->page($conv, page_size => 20), $page, 'the next call is well');

    $p->extra($bytes);          # behind a reply, where it may pass for the next one
    my $r = $t->post("/im/conv/$conv", { page_size => 20 });
    ok($r->status == 200 ? $r->body eq $page_body : $r->code =~ /^store_/,
       'one behind a reply: the right answer or none') or diag($r->body);
    $p->pass;
    my ($a, $b) = fresh();
    $r = $t->post('/im/send/msg', body($a, $b, 'right', client_msg_id => 'k'));
    ok($r->status == 200 || $r->status >= 502, 'the next send is served or refused') or diag($r->body);
    ok($t->poll(1, sub { $t->post('/im/send/msg', body($a, $b, 'right', client_msg_id => 'k'))->status == 200 }),
       'and served soon');
    is_deeply(stored($a, $b), ['right'], 'and stored once');
}

# A type that RESP2 does not have, as a reply among others that are read with
# it: it is not taken for the one before it.

sub batch {                 # five at once, in one turn of the worker
    my ($cb) = @_;
    my ($worker) = $t->worker_pids;
    kill STOP => $worker;
    my @conn = at_once(5, $cb);
    kill CONT => $worker;
    return map { $_->read_response } @conn;
}

for my $bytes (
    "#t\r\n", "#f\r\n", ",1.5\r\n", ",inf\r\n", "(123\r\n", "_\r\n", "=7\r\ntxt:abc\r\n",
    "!5\r\nERR x\r\n", "%1\r\n+a\r\n+b\r\n", "%0\r\n", "~1\r\n+a\r\n", ">1\r\n+a\r\n",
    "|1\r\n+a\r\n+b\r\n:1\r\n", "*2\r\n#t\r\n,1.5\r\n",
) {
    my $name = $bytes =~ s/\r\n/ /gr;
    my @pair = map { [ fresh() ] } 0 .. 5;
    my (@conv, %got);

    works('before it', 1);
    $t->call('/im/user/set', { users => [ map { { id => $pair[$_][0], name => "name $_" } } 1 .. 5 ] });
    for my $n (1 .. 5) { $conv[$n] = $t->say(@{ $pair[$n] }, "of $n")->conv_id }

    # the names of all five are asked for at once, too
    $p->late(30, 1, $conv[1]);
    $p->answer($bytes, 1, "^hmget .*$pair[2][0]");
    my @said = batch(sub { return ("/im/conv/$conv[$_[0]]", {}) });
    for my $n (1 .. 5) {
        my $r = $said[$n - 1];
        my $own = $r->status == 200 && @{ $r->json } && $r->json->[0]{msg} eq "of $n"
                  && $r->json->[0]{user}{name} eq "name $n";
        $got{$own ? 'right' : $r->code =~ /^store_(?:error|timeout|unavailable)$/ ? 'refused'
             : 'wrong ' . $r->body}++;
    }
    is_deeply([ grep { /^wrong/ } keys %got ], [], "$name as the second of five: no wrong page");
    cmp_ok($got{right} || 0, '>=', 3, "$name: the others have theirs") or diag explain \%got;
    $p->pass;

    works('again', 1);
    $p->late(30, 1, "^evalsha .*$pair[1][0]");
    $p->answer($bytes, 1, "^evalsha .*$pair[2][0]");
    @said = batch(sub { return ('/im/send/msg', body(@{ $pair[$_[0]] }, "again $_[0]")) });
    like($said[1]->code, qr/^(?:outcome_unknown|store_error)$/, "$name instead of a send's reply");
    $p->pass;
    works('and again', 1);
    for my $n (1, 3 .. 5) {
        my ($r, $had) = ($said[$n - 1], stored(@{ $pair[$n] }));
        if ($r->status == 200) {
            is($r->conv_id, $conv[$n], "send $n: of its own conversation");
            is_deeply($had, [ "of $n", "again $n" ], "send $n, told so, is stored");
        } else {
            like($r->code, qr/^(?:outcome_unknown|store_)/, "send $n: refused");
        }
    }
}

# A reply too many or too few would shift all that follow: everybody would be
# told what his neighbour asked.

sub told {                  # asks for 20 callers at once, and counts what they are told
    my (%conv, %got);
    for my $n (1 .. 20) { my ($x, $y) = fresh(); $conv{$n} = $t->say($x, $y, "of $n")->conv_id }
    return sub {
        my ($rounds) = @_;
        for (1 .. $rounds) {
            my @conn = at_once(20, sub { return ("/im/conv/$conv{$_[0]}", {}) });
            for my $n (1 .. 20) {
                my $r = $conn[$n - 1]->read_response;
                my $what = $r->status != 200 ? $r->code
                         : $r->body eq '[]' || $t->texts($r->json)->[0] ne "of $n" ? 'wrong' : 'right';
                $got{$what}++;
            }
        }
        return \%got;
    };
}

for my $bytes ("+OK\r\n", "\$2\r\nhm\r\n", ":1\r\n", "*0\r\n") {
    my $name = $bytes =~ s/\r\n/ /gr;
    my $told = told();
    $p->extra($bytes, 1, '^script');
    $p->close;
    my $got = {};
    ok($t->poll(4, sub { $got = $told->(1); ($got->{right} || 0) >= 200 }),
       "stray $name in the handshake: all are served again") or diag explain $got;
    ok(!$got->{wrong}, 'and nobody is told what is another\'s') or diag explain $got;
    $p->pass;
    works("stray $name in the handshake", 2);
}

# in the middle of traffic, where it may well look like what is due
{
    my ($x, $y) = fresh();
    my $id = $t->say($x, $y, 'wrong')->conv_id;
    my $head = $t->redis(GET => "im:{c:$id}:h");
    my ($row) = @{ $t->redis(ZREVRANGE => "im:{c:$id}:m", 0, 0) };
    my $bulk = sub { return sprintf "\$%d\r\n%s\r\n", length $_[0], $_[0] };

    for my $fault ([ 'a head too many', 'extra', $bulk->($head), 1, '^getrange' ],
                   [ 'a timeline too many', 'extra', "*1\r\n" . $bulk->($row), 1, '^zrevrange' ],
                   [ 'a page too many', 'extra', $bulk->($head) . "*1\r\n" . $bulk->($row), 1, '^zrevrange' ],
                   [ 'a head too few', 'swallow', 1, '^getrange' ],
                   [ 'a timeline too few', 'swallow', 1, '^zrevrange' ],
                   [ 'half a reply too many', 'extra', "\$65536\r\nhalf", 1, '^zrevrange' ]) {
        my ($name, $order, @arg) = @$fault;
        my $told = told();
        $told->(1);
        my $had = $p->stat->{accepted};

        $p->$order(@arg);
        my $got = $told->(3);
        ok(!$got->{wrong}, "$name: nobody is told what is another's") or diag explain $got;
        is($got->{right}, 80, 'and all are answered, on another connection') or diag explain $got
            if $name !~ /half/;
        cmp_ok($p->stat->{accepted}, '>', $had, 'that one is given up');
        $p->pass;
        works($name, 1);
    }

    # and a refused command behind it, whose error may pass for the mark's
    for my $error ('OOM command not allowed', 'NOSCRIPT No matching script', 'LOADING wait', 'NOPERM no') {
        my ($c, $d) = fresh();
        my $right = $t->say($c, $d, 'right')->conv_id;
        my $had = $p->stat->{accepted};
        my @conn = map { $t->connect } 1, 2;
        for (@conn) {
            $_->send(bytes('/im/unread', { from_id => $c }));
            $_->read_response;
        }
        $p->answer($bulk->($head) . "*1\r\n" . $bulk->($row), 1, '^getrange');
        $p->answer("-$error\r\n", 1, $Proxy::SCRIPT);

        # both calls in one turn, so in one write
        kill STOP => $t->worker_pids;
        $conn[0]->send(bytes("/im/conv/$right", {}));
        $conn[1]->send(bytes('/im/send/msg', body($c, $d, 'refused')));
        sleep 0.02;
        kill CONT => $t->worker_pids;
        my ($page, $send) = map { $_->read_response } @conn;
        is_deeply($t->texts($page->json), ['right'], "$error behind a page too many: the right page")
            or diag($page->body);
        is($send->code, 'outcome_unknown', 'and no word on what became of the send') or diag($send->body);
        cmp_ok($p->stat->{accepted}, '>', $had, 'that one is given up');
        $p->pass;
        works($error, 1);
    }
}

# more writes than may be without a mark: the rest waits, and goes on with Redis
{
    my ($c, $d) = fresh();
    my $id = $t->say($c, $d, 'there')->conv_id;
    $t->signal_redis('STOP');
    my @conn = map { my $conn = $t->connect; $conn->send(bytes("/direct/conv/$id", {})); sleep 0.002; $conn } 1 .. 100;
    $t->signal_redis('CONT');
    my %got;
    $got{ $_->status == 200 ? join ' ', @{ $t->texts($_->json) } : $_->code }++ for map { $_->read_response } @conn;
    is_deeply(\%got, { there => 100 }, 'a hundred writes before the first reply') or diag explain \%got;
    works('a hundred writes', 1);
}

# a type that does not belong there
for my $bytes (":1\r\n", "*0\r\n", "*-1\r\n", "\$-1\r\n", "+OK\r\n", "\$2\r\nhm\r\n", "*2\r\n:1\r\n:2\r\n", "\$0\r\n\r\n") {
    my $name = $bytes =~ s/\r\n/ /gr;
    my ($a, $b) = fresh();
    $p->replace($bytes, 1, $Proxy::SCRIPT);
    my $r = $t->post('/im/send/msg', body($a, $b, 'x'));
    is($r->code, 'store_error', "a send answered with $name: store_error") or diag($r->body);
    $p->pass;
    for my $call ([ "conv/$conv", {} ], [ 'conv/list', { from_id => $bob } ],
                  [ 'unread', { from_id => $bob } ], [ "conv/$conv/read", { from_id => $bob } ]) {
        my ($path, $data) = @$call;
        $p->answer($bytes, 'always', '^(?!echo)');
        my $r = $t->post("/im/$path", $data);
        like($r->status, qr/^(?:200|404|502)$/, "$path answered with $name: no crash") or diag($r->body);
        isnt($r->code, 'internal', 'and no internal error');
        $p->pass;
        $p->close;
        # or the next bytes would be answers to the handshake
        ok($t->poll(2, sub { $t->post("/im/conv/$conv", {})->status == 200 }), 'served again');
    }
}
works('after all that', 1);


# --- refusals of Redis

my @not_done = (
    'LOADING Redis is loading the dataset in memory', 'BUSY Redis is busy running a script.',
    "READONLY You can't write against a read only replica.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    'NOAUTH Authentication required.', 'WRONGPASS invalid username-password pair',
    'MISCONF Redis is configured to save RDB snapshots', 'NOREPLICAS Not enough good replicas to write.',
    'MASTERDOWN Link with MASTER is down', 'CLUSTERDOWN Hash slot not served',
    "TRYAGAIN Multiple keys request during rehashing of slot", 'NOPERM this user has no permissions',
);
for my $error (@not_done) {
    my ($word) = $error =~ /(\w+)/;
    my ($a, $b) = fresh();
    my $had = $t->snapshot;

    $p->answer("-$error\r\n", 'always', '^(?!script|auth|select)');
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    refused("$word, send", $r, $s, 'store_unavailable', 0.8);
    ($s, $r) = timed { $t->post("/im/conv/$conv", {}) };
    refused("$word, page", $r, $s, 'store_unavailable', 0.8);
    is_deeply($t->snapshot, $had, "$word: no key has changed");
    $p->pass;
    works("$word over", 1);

    # told in the handshake
    $p->answer("-$error\r\n", 'always');
    $p->close;
    ok($t->poll(2, sub { ($s, $r) = timed { $t->post("/im/conv/$conv", {}) }; $r->status == 503 }),
       "$word in the handshake");
    refused("$word, handshake", $r, $s, 'store_unavailable', 0.8);
    site_ok("$word in the handshake");
    $p->pass;
    works("$word, handshake, over", 2);
}
for my $error ('ERR unknown command', 'WRONGTYPE Operation against a key holding the wrong kind of value',
               'ERR Error running script: @user_script:12: boom', 'NOSUCHWORD x', 'loading x', '') {
    my ($a, $b) = fresh();
    $p->answer("-$error\r\n", 1, $Proxy::SCRIPT);
    my $r = $t->post('/im/send/msg', body($a, $b, 'x'));
    is($r->code, 'store_error', "-$error: store_error") or diag($r->body);
    unlike($r->body, qr/boom|WRONGTYPE|unknown command/, 'whose text is for the log');
    $p->pass;
    works("-$error over", 1);
}

# for real: a full memory, a read-only replica, a script that runs for ever
{
    my ($a, $b) = fresh();
    $t->redis(qw(CONFIG SET maxmemory 1));
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    refused('maxmemory', $r, $s, 'store_unavailable', 0.8);
    is_deeply($t->page($conv, page_size => 20), $page, 'maxmemory: pages are served');
    $t->redis(qw(CONFIG SET maxmemory 0));
    works('maxmemory', 1);

    $t->redis(qw(REPLICAOF 127.0.0.1 1));
    ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    refused('a replica', $r, $s, 'store_unavailable', 0.8);
    $t->redis(qw(REPLICAOF NO ONE));
    works('a replica no more', 1, $_) for qw(/im /direct /tcp);

    $t->redis(qw(CONFIG SET busy-reply-threshold 100));
    my $side = Test::IM::Conn->new(IO::Socket::UNIX->new(Peer => $t->sock), 10);
    $side->send("*3\r\n\$4\r\nEVAL\r\n\$17\r\nwhile true do end\r\n\$1\r\n0\r\n");
    sleep 0.2;
    ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    refused('a script for ever', $r, $s, 'store_unavailable', 0.8);
    $t->redis(qw(SCRIPT KILL));
    works('the script is gone', 1, $_) for qw(/im /direct);
    is_deeply(stored($a, $b), [], 'nothing of what was refused is there');
}


# --- scripts lost, connections killed, no client admitted

{
    for (1 .. 3) {
        $t->redis(qw(SCRIPT FLUSH));
        my ($a, $b) = fresh();
        is($t->post('/im/send/msg', body($a, $b, 'flushed'))->status, 200, 'SCRIPT FLUSH: a send');
        is_deeply(stored($a, $b), ['flushed'], 'stored once');
    }
    $t->redis(qw(SCRIPT FLUSH));
    $t->group('ann', [ 'bob' ]);
    $t->redis(qw(SCRIPT FLUSH));
    $t->mark($bob, $conv);
    pass('SCRIPT FLUSH: a group, a mark');
    $p->answer("-NOSCRIPT No matching script. Please use EVAL.\r\n", 'always', '^evalsha');
    my ($a, $b) = fresh();
    is($t->post('/im/send/msg', body($a, $b, 'eval'))->status, 200, 'NOSCRIPT for ever: a send');
    is_deeply(stored($a, $b), ['eval'], 'stored once');
    $p->answer("-NOSCRIPT No matching script. Please use EVAL.\r\n", 'always', '^eval ');
    my ($s, $r) = timed { $t->post('/im/send/msg', body($a, $b, 'x')) };
    refused('NOSCRIPT to EVAL too', $r, $s, 'store_unavailable', 0.8);
    $p->pass;
    works('NOSCRIPT', 1);

    $t->redis(qw(CONFIG SET maxclients 1));
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    ok($t->poll(2, sub { ($s, $r) = timed { $t->post('/direct/unread', { from_id => 'a' }) };
                         $r->status == 503 }), 'maxclients 1');
    refused('maxclients', $r, $s, 'store_unavailable', 0.2);
    site_ok('maxclients');
    $t->redis(qw(CONFIG SET maxclients 1000));
    works('maxclients 1000', 2, $_) for qw(/direct /im /tcp);
}
{
    my $h = History->new(t => $t, writers => 3, readers => 1, base => '/direct', fresh => 10)
        ->setup->start;
    for (1 .. 15) {
        sleep 0.1;
        $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
        $t->redis(qw(SCRIPT FLUSH)) if $_ % 3 == 0;
    }
    sleep 0.2;
    my $r = $h->stop->check;
    is(History::summary($r), '', 'CLIENT KILL and SCRIPT FLUSH under load') or diag explain $r->{notes};
    cmp_ok($r->{acked}, '>', 100, "$r->{acked} acknowledged, $r->{refused} refused, $r->{unknown} unknown");
}


# --- no route, half a connection, silence

{
    for my $how (qw(deaf hold refuse)) {
        $p->order($how);
        $p->close if $how ne 'hold';
        my ($s, $r) = timed { $t->post('/im/send/msg', body('a', 'b', 'x')) };
        cmp_ok($r->status, '>=', 503, "$how: refused") or diag($r->body);
        cmp_ok($s, '<', 0.65 * $scale + 0.2, 'in time');
        sleep 0.4 * $scale;
        ($s, $r) = timed { $t->post('/im/unread', { from_id => 'a' }) };
        cmp_ok($r->status, '>=', 503, "$how: a read") or diag($r->body);
        cmp_ok($s, '<', 0.65 * $scale + 0.2, 'in time');
        site_ok($how);
        $p->pass;
        works("$how over", 2);
    }

    $p->vanish;         # no FIN, no answer
    my ($s, $r) = timed { $t->post('/im/send/msg', body('a', 'b', 'x')) };
    cmp_ok($r->status, '==', 504, 'vanished: a send');
    cmp_ok($s, '<', 0.65 * $scale + 0.2, 'in time');
    works('a new connection', 1);
    $p->pass;

    $p->fin;            # half-closed
    works('half-closed', 1);
    $p->reset;
    works('reset', 1);
    $p->freeze(1, $Proxy::SCRIPT);
    ($s, $r) = timed { $t->post('/im/send/msg', body('a', 'b', 'x')) };
    is($r->code, 'outcome_unknown', 'frozen');
    works('frozen, a new connection', 1);
    $p->pass;

    # a read without an answer
    $p->swallow(1);
    ($s, $r) = timed { $t->post("/im/conv/$conv", {}) };
    refused('a reply that never comes', $r, $s, 'store_timeout', 0.9);
    $p->pass;
    works('after it', 2);
}


# --- max_pending

{
    $t->call('/few/unread', { from_id => 'a' });
    $p->hold;
    my @conn = at_once(12, sub { return ('/few/unread', { from_id => "few$_[0]" }) });
    my $t0 = time;
    my %now;
    $t->poll(1, sub { %now = (); $now{$_} = 1 for grep { $conn[$_]->readable(0) } 0 .. $#conn; keys %now >= 7 });
    is(scalar keys %now, 7, 'max_pending 5 of 12: the others are refused at once');
    is_deeply([ map { $conn[$_]->read_response->code } sort keys %now ],
              [ ('store_unavailable') x keys %now ], 'with store_unavailable');
    $p->pass;
    is_deeply([ map { $conn[$_]->read_response->status } grep { !$now{$_} } 0 .. $#conn ],
              [ (200) x (12 - keys %now) ], 'and these are served');
}


# --- much: more than a read buffer, more than a megabyte

{
    my ($a, $b) = fresh();
    my $c;
    my $big = join '', map { chr(32 + $_ % 90) } 1 .. 16000;
    $c = $t->say($a, $b, "$_ $big")->conv_id for 1 .. 100;
    my $r = $t->page($c, page_size => 2);
    is_deeply($t->texts($r), [ "100 $big", "99 $big" ], 'more than 16 KiB');
    my ($s, $all) = timed { $t->post("/im/conv/$c", { page_size => 100 }) };
    cmp_ok(length $all->body, '>', 1.6e6, 'more than 1 MB');
    is_deeply([ map { /^(\d+)/ } @{ $t->texts($all->json) } ], [ reverse 1 .. 100 ], 'all of it');
    my @conn = at_once(8, sub { return ("/direct/conv/$c", { page_size => 100 }) });
    my %size;
    $size{ length $_->read_response->body }++ for @conn;
    is_deeply(\%size, { length($all->body) => 8 }, 'eight of them at once');
    is($t->list($b)->[0]{last_msg}, "100 $big", 'and in a list');
    $p->chunk(3000);
    is(length $t->post("/im/conv/$c", { page_size => 40 })->body > 600_000, 1, 'in pieces');
    $p->cut('reply', 500_000, 1, '^z');
    is($t->post("/im/conv/$c", { page_size => 100 })->body, $all->body, 'cut in the middle');
    $p->pass;
}


# --- keys of another type, or with other content than ours

{
    my ($a, $b) = fresh();
    my $c = $t->say($a, $b, 'hi', client_msg_id => 'k')->conv_id;
    my $g = $t->group($a, [ $b, 'cyd' ]);
    $t->say_in($a, $g, 'all');
    $t->profile($a, name => 'Ann');
    my @calls = (
        [ 'send/msg', body($a, $b, 'x', client_msg_id => 'k1') ],
        [ 'send/msg', { from_id => $a, conv_id => $g, msg => 'x', msg_type => 0, client_msg_id => 'k1' } ],
        [ 'send/msg', body($a, $b, 'x') ], [ 'send/msg', { from_id => $a, conv_id => $g, msg => 'x', msg_type => 0 } ],
        [ "conv/$c", { from_id => $b } ], [ "conv/$c", {} ], [ "conv/$g", { from_id => $b } ],
        [ 'from/to', { from_id => $b, to_id => $a } ], [ 'conv/list', { from_id => $a } ],
        [ 'unread', { from_id => $b } ], [ "conv/$c/read", { from_id => $b } ],
        [ "conv/$g/read", { from_id => $b } ], [ "group/$g/list", {} ],
        [ 'add/group/merber', { conv_id => $g, member => ['dee'] } ],
        [ 'user/get', { ids => [$a] } ], [ 'user/set', { users => [ { id => $a, name => 'A' } ] } ],
        [ 'creat/group', { owner_id => $a, name => 'n', member => [$b] } ],
    );
    my @keys = grep { /\Q$c\E|\Q$g\E|\{u:(?:$a|$b)\}/ } @{ $t->redis('KEYS', 'im:*') };
    cmp_ok(scalar @keys, '>=', 10, scalar(@keys) . ' keys of these conversations and users');
    for my $key (sort @keys) {
        $t->redis('RENAME', $key, 'keep');
        my $type = $t->redis('TYPE', 'keep');
        my ($short) = $key =~ /\{(.*)/;
        $short =~ s/\Q$c\E/PAIR/;
        $short =~ s/\Q$g\E/GROUP/;
        my %hit;
        for my $bad ($type eq 'string' ? ([qw(RPUSH x)], [qw(SET bad)], [ 'SET', '' ], [ 'SET', '0' x 40 ])
                                       : ([qw(SET x)], [qw(RPUSH x)]),
                     $type eq 'zset' ? ([qw(ZADD 1 bad)], [ 'ZADD', 5, '' ]) : (),
                     $type eq 'hash' ? ([qw(HSET users x)], [ 'HSET', $b, 'x' ]) : ()) {
            my ($cmd, @v) = @$bad;
            for my $call (@calls) {
                $t->redis('DEL', $key);
                $t->redis($cmd, $key, @v);
                my $r = $t->post("/direct/$call->[0]", $call->[1]);
                $hit{ $r ? $r->code || $r->status : 'none' }++;
                if (!$r || $r->status !~ /^(?:200|403|404|409|502)$/) {
                    fail("$short is $cmd @v: $call->[0] " . ($r ? $r->status . ' ' . $r->body : 'no answer'));
                }
            }
        }
        ok($hit{store_error}, "$short with a wrong type or content: store_error") or diag explain \%hit;
        $t->redis('DEL', $key);
        $t->redis('RENAME', 'keep', $key);
    }
    for my $call (@calls) {
        my ($path, $data) = @$call;
        # what was sent while a key was wrong is not to be remembered rightly
        $data->{client_msg_id} = 'k2' if $data->{client_msg_id};
        is($t->post("/direct/$path", $data)->status, 200, "$path is well again");
    }
    works('wrong types', 1);
}


# --- what the log says: one line when the store goes, none for every attempt

{
    my $before = length $t->error_log;
    $t->stop_redis('KILL');
    $t->post('/direct/unread', { from_id => 'a' });
    sleep 2;
    my $log = substr $t->error_log, $before;
    my $lines = () = $log =~ /\[(?:error|warn|crit|alert)\][^\n]*"direct"/g;
    cmp_ok($lines, '<=', 2, "$lines lines about a dead store in 2 s");
    cmp_ok($lines, '>=', 1, 'but one there is');
    unlike($log, qr/\[(?:crit|alert|emerg)\]/, 'none of them an alarm');
    $t->start_redis;
    works('the last time', 2, $_) for qw(/direct /im /tcp);
}

$t->done;


# --- passwords: wrong at start, set right; changed, and set right

{
    my $t = Test::IM->new(one => 'it stops and starts one',
        redis_args => [ '--requirepass', 'other', '--user', 'im', 'on', '>wrong', '~*', '+@all' ],
        store => "server unix:{{sock}};\n password right;\n timeout " . ms(600) . ";",
        conf_http => <<"CONF",
    im_redis named { server unix:{{sock}}; username im; password_file {{dir}}/pw; database 3;
                     timeout ${\ ms(600)}; }
CONF
        conf_server => 'location /named/ { im_pass named; }',
    );
    $t->write_file('pw', "right\r\n");
    $t->start;
    $t->redis(qw(AUTH other));
    for my $base (qw(/im /named)) {
        my ($s, $r);
        $t->poll(1, sub { ($s, $r) = timed { $t->post("$base/unread", { from_id => 'a' }) }; $s < 0.05 });
        refused("a wrong password at start, $base", $r, $s, 'store_unavailable', 0.1);
        unlike($r->body, qr/WRONGPASS|right/, 'and tells nothing of it');
    }
    like($t->error_log, qr/WRONGPASS/, 'but the log does');
    unlike($t->error_log, qr/right/, 'without the password');

    $t->redis(qw(CONFIG SET requirepass right));
    $t->redis(qw(ACL SETUSER im resetpass >right));
    my $served = sub {
        my ($what, $base) = @_;
        ok($t->poll(2, sub { $t->post("$base/unread", { from_id => 'a' })->status == 200 }), "$what: $base is served");
    };
    $served->('set right', $_) for qw(/im /named);
    $t->post('/named/send/msg', body('a', 'b', 'in db 3'));
    $t->redis('SELECT', 3);
    cmp_ok($t->redis('DBSIZE'), '>', 0, 'database 3');
    $t->redis('SELECT', 0);
    is($t->redis('DBSIZE'), 0, 'and no other');

    $t->redis(qw(CONFIG SET requirepass changed));
    $t->redis(qw(ACL SETUSER im resetpass >changed));
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    for my $base (qw(/im /named)) {
        my ($s, $r);
        $t->poll(1, sub { ($s, $r) = timed { $t->post("$base/unread", { from_id => 'a' }) }; $r->status == 503 });
        refused("changed in mid-run, $base", $r, $s, 'store_unavailable', 0.2);
    }
    $t->redis(qw(CONFIG SET requirepass right));
    $t->redis(qw(ACL SETUSER im resetpass >right));
    $served->('set right again', $_) for qw(/im /named);
    $t->done;
}


# --- connect_timeout: a TCP port whose queue is full answers nothing

{
    my $full = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1') or die $!;
    my @fill = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $full->sockport,
                                           Blocking => 0) } 1 .. 4;
    my $t = Test::IM->new(one => 'it stops and starts one',
        redis => 0,
        store => 'server 127.0.0.1:' . $full->sockport . "; connect_timeout " . ms(300) . "; timeout 5s;",
    )->start;
    my ($s, $r) = timed { $t->post('/im/unread', { from_id => 'a' }) };
    refused('connect_timeout', $r, $s, 'store_unavailable', 0.6);
    ($s, $r) = timed { $t->post('/im/unread', { from_id => 'a' }) };
    refused('connect_timeout, then at once', $r, $s, 'store_unavailable', 0.1);
    site_ok_of($t);
    $t->done;
}

sub site_ok_of { my $r = $_[0]->get('/site'); is($r->status, 200, 'the site') }

$p->stop;
done_testing;
