# im_health: 200 while all stores can be written to, else 503.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Time::HiRes qw(time sleep);
use Test::More;
use Test::IM;

my $other = Test::IM->new;
$other->start_redis;

my $t = Test::IM->new(one => 'it stops and starts one',
    store => 'server unix:{{sock}}; timeout ' . Test::IM::ms(1000) . ';',
    conf_http => 'im_redis other { server unix:' . $other->sock . '; timeout '
        . Test::IM::ms(1000) . '; }',
    conf_server => <<'CONF',
        location = /health { im_health; }
        location = /local {
            im_health;
            limit_except GET { deny all; }
        }
CONF
)->start;

sub health { return $t->get('/health', @_) }

# the answer becomes this one, and the next ones are
sub becomes {
    my ($status, $name) = @_;
    my $r;
    ok($t->poll(10, sub { $r = health(); $r->status == $status }), $name)
        or diag($r->status, $r->body);
    return $r;
}

sub zadds {
    my ($n) = $t->redis('INFO', 'commandstats') =~ /cmdstat_zadd:calls=(\d+)/;
    return $n // 0;
}


my $r = becomes(200, 'both stores are there');
is($r->body, '{"store":"ok"}', 'body');
is($r->header('Content-Type'), 'application/json', 'type');
is_deeply($t->redis('KEYS', '*'), [], 'nothing was written');

for ('If-None-Match: *', 'If-Match: "x"', 'Range: bytes=0-1') {
    $r = health(headers => [$_]);
    is($r->status . $r->body, '200{"store":"ok"}', $_);
}

my $c = $t->connect;
$c->send("HEAD /health HTTP/1.1\r\nHost: x\r\n\r\n");
is($c->read_response(head => 1)->status, 200, 'HEAD');
is($t->post('/health', '{}', conn => $c)->status, 405,
   'and the connection goes on');

for my $method (qw(POST PUT DELETE)) {
    $r = $t->post('/health', '{}', method => $method);
    is($r->code, 'method_not_allowed', $method);
    is($r->header('Allow'), 'GET, HEAD', 'Allow');
}
is($t->h2('/health', undef, method => 'GET')->body, '{"store":"ok"}',
   'HTTP/2');
is($t->get('/local')->status, 200, 'with limit_except');
is($t->post('/local', '{}')->status, 403, 'and for others');


# --- few probes

my $before = zadds();
my $start = time;
my @c = map { $t->connect } 1 .. 50;
for my $c (@c) {
    $c->send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n" x 4);
}
for my $c (@c) {
    $c->read_response->status == 200 or fail('one of many') for 1 .. 4;
}
cmp_ok(zadds() - $before, '<=', 2 + (time - $start), '200 requests, few probes');


# --- every reason not to be written to

sub refuses {
    my ($name, $on, $off) = @_;
    $on->();
    my $r = becomes(503, "$name: 503");
    is($r->code, 'store_unavailable', 'code');
    is($r->header('Retry-After'), 1, 'Retry-After');
    like($r->error, qr/\bstore\b/, 'says which');
    $off->();
    becomes(200, "$name over: 200");
}

refuses('out of memory', sub { $t->redis('CONFIG', 'SET', 'maxmemory', 1) },
        sub { $t->redis('CONFIG', 'SET', 'maxmemory', 0) });
refuses('too few replicas',
        sub { $t->redis('CONFIG', 'SET', 'min-replicas-to-write', 3) },
        sub { $t->redis('CONFIG', 'SET', 'min-replicas-to-write', 0) });
refuses('a replica', sub { $t->redis('REPLICAOF', '127.0.0.1', 1) },
        sub { $t->redis('REPLICAOF', 'NO', 'ONE') });
refuses('stopped', sub { $t->stop_redis }, sub { $t->start_redis });

subtest 'hung' => sub {
    sleep 1.1;
    $t->signal_redis('STOP');
    my $start = time;
    my @c = map { $t->connect } 1 .. 20;
    $_->send("GET /health HTTP/1.1\r\nHost: x\r\n\r\n") for @c;
    $c[0]->close;
    $c[1]->reset;
    is($t->get('/site')->status, 200, 'the site is served meanwhile');
    for my $c (@c[2 .. 19]) {
        $c->read_response->status == 503 or fail('503 to all that wait');
    }
    cmp_ok(time - $start, '<', 5 * $Test::IM::SCALE, 'within the timeout');
    $t->signal_redis('CONT');
    becomes(200, 'goes on: 200');
};

$other->stop_redis;
$r = becomes(503, 'another store is stopped');
like($r->error, qr/\bother\b/, 'which one');
is($t->post('/im/unread', { from_id => 'ann' })->status, 200,
   'calls to the first are served');
$other->start_redis;
becomes(200, 'all are back');

is_deeply($t->redis('KEYS', '*'), [], 'nothing was written');


# --- a quit while a probe is in flight

sleep 1.1;
$t->signal_redis('STOP');
$c = $t->connect;
$c->send("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
sleep 0.1;
kill QUIT => $t->master_pid;
is($c->read_response->status, 503, 'answered before the worker leaves');
$t->signal_redis('CONT');

$t->done;
$other->cleanup;
done_testing;
