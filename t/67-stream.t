# The push channel: who may open a stream, what it is told of, and what ends
# it.  That nothing is missed is in 67-stream-resume.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::H2;
use Test::IM::Stream;

my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);
my $F = JSON::PP::false();

my $small = Test::IM::free_port();    # with little room in the socket
my $t = Test::IM->new(workers => 2, conf_http => <<"EOH", conf_server => <<'EOF')->start;
    server {
        listen 127.0.0.1:$small sndbuf=8k;
        location /stream { im_stream store; }
    }
    map \$arg_until \$until { default \$arg_until; }
EOH
    location /stream { im_stream store; }
    location /until { im_stream store; im_stream_until $until; }
    location /short { im_stream store; im_stream_max_time 1s; }
    location /ping { im_stream store; im_stream_ping 300ms; }
    location /two { im_stream store; im_stream_max 2; }
    location /user { im_stream store; im_user $http_x_user; im_origin https://app.example; }
    location /off { im_stream store; im_trusted off; im_user $http_x_user; }
EOF

sub stream { my ($uri, %o) = @_; return Test::IM::Stream->new($t, $uri, %o) }
sub ready  { my $s = stream(@_); ok($s->wait_for('ready'), "$_[0]: ready"); return $s }
sub call   { my ($path, $body) = @_; my $r = $t->post("/im/$path", $body); is($r->status, 200, $path) or diag $r->body; return $r }


# --- opening

{
    my $s = ready('/stream?user=bob');
    is($s->status, 200, 'opened');
    is($s->header('Content-Type'), 'text/event-stream', 'its type');
    is($s->header('Cache-Control'), 'no-store', 'not stored');
    is($s->header('X-Accel-Buffering'), 'no', 'not buffered on the way');
    is_deeply([ map { $_->{event} } $s->events ], ['ready'], 'ready is first');
    is(($s->events)[0]{raw}, '{"total":0,"resumed":false}', 'its data');
    like($s->last_id, qr/^[0-9a-f]{8}-\d{13}$/, 'its id');
    cmp_ok($s->retry, '>', 0, 'a time to reconnect');
    $s->close;

    for (['GET', '/stream', 403], ['GET', '/stream?user=', 403], ['GET', '/stream?user=a%20b', 400],
         ['POST', '/stream?user=bob', 405], ['GET', '/user?user=bob', 403], ['GET', '/off?user=bob', 403]) {
        my ($method, $uri, $status) = @$_;
        my $r = stream($uri, method => $method, headers => { 'Content-Length' => 0 });
        is($r->status, $status, "$method $uri");
        like($r->header('Allow'), qr/^GET/, 'what is allowed') if $status == 405;
    }
    my $head = stream('/stream?user=bob', method => 'HEAD');
    is($head->status, 200, 'HEAD');
    ok($head->wait_end, 'HEAD: ends');
    is($head->body, '', 'HEAD: no body');

    $s = stream('/stream?user=auth0%7C5f%2Bx');
    ok($s->wait_for('ready'), 'an id that is escaped');
    $s->close;

    for ([ {}, 200 ], [ { Origin => 'https://app.example' }, 200 ], [ { Origin => 'https://other.example' }, 403 ]) {
        my ($h, $status) = @$_;
        my $s = stream('/user', headers => { 'X-User' => 'ann', %$h });
        is($s->status, $status, 'im_user, origin ' . ($h->{Origin} // 'none'));
        $s->close;
    }
    $s = stream('/stream?user=ann', headers => { Origin => 'https://other.example' });
    is($s->status, 403, 'a trusted caller from elsewhere');
}


# --- HTTP/1.0, and a connection that is closed at the end

{
    my $s = ready('/stream?user=old', version => '1.0');
    is($s->header('Transfer-Encoding'), undef, '1.0: no chunks');
    call('send/msg', { %send, to_id => 'old' });
    ok($s->wait_for('message'), '1.0: a message');
    $s->close;
}


# --- events

{
    my ($ann, $bob, $bob2, $eve) = map { ready("/stream?user=$_") } qw(ann bob bob eve);
    my $n = 3;
    call('send/msg', { %send, msg => "m$_" }) for 1 .. $n;
    for ($ann, $bob, $bob2) {
        ok($_->wait_for('message', $n), 'messages');
        is_deeply([ $_->texts ], [ map { "m$_" } 1 .. $n ], 'in order');
        is_deeply([ map { $_->{data}{seq} } $_->named('message') ], [ 1 .. $n ], 'with seq');
    }
    my $page = $t->post('/im/from/to', { from_id => 'eve', to_id => 'ann' });
    my $pair = $t->post('/im/from/to', { from_id => 'ann', to_id => 'bob' })->json;
    my $m = { %{ ($bob->named('message'))[-1]{data} } };
    is(delete $m->{seq}, $n, 'seq');
    is_deeply($m, $pair->[0], 'a message is as in a page');
    is_deeply([ $eve->texts ], [], 'others are not told');

    # read, by the page above too
    my $conv = $pair->[0]{conv_id};
    call("conv/$conv/read", { from_id => 'bob', msg_id => $pair->[1]{msg_id} });
    for ($ann, $bob) {
        ok($_->wait_for('read'), 'read');
        is(($_->named('read'))[0]{raw}, qq({"conv_id":"$conv","id":"bob","msg_id":"$pair->[1]{msg_id}"}), 'its data');
    }
    call("conv/$conv/read", { from_id => 'bob' });
    ok($ann->wait_for('read', 2), 'all read');
    is(($ann->named('read'))[1]{data}{msg_id}, $pair->[0]{msg_id}, 'up to the last');
    call("conv/$conv/read", { from_id => 'bob', msg_id => $pair->[1]{msg_id} });

    call('msg/recall', { conv_id => $conv, msg_id => $pair->[0]{msg_id}, from_id => 'ann' });
    for ($ann, $bob) {
        ok($_->wait_for('recall'), 'recall');
        is(($_->named('recall'))[0]{raw}, qq({"conv_id":"$conv","msg_id":"$pair->[0]{msg_id}"}), 'its data');
    }
    is(scalar($ann->named('read')), 2, 'a position that does not move is not told');

    call("conv/$conv/hide", { from_id => 'bob' });
    ok($bob->wait_for('conv'), 'hidden');
    is(($bob->named('conv'))[0]{raw}, qq({"conv_id":"$conv","change":"hidden"}), 'its data');
    ok(!$ann->named('conv'), 'for the user only');
    $_->close for $ann, $bob, $bob2, $eve;
}


# --- groups

{
    my ($own, $mem, $new, $out) = map { ready("/stream?user=$_") } qw(own mem new out);
    my $g = call('creat/group', { owner_id => 'own', name => 'g', member => ['mem'] })->conv_id;
    my $change = sub { my ($s, $n) = @_; $s->wait_for('conv', $n); join ' ', map { $_->{data}{change} } $s->named('conv') };
    is($change->($_, 1), 'joined', 'a group that was created') for $own, $mem;
    call('add/group/member', { conv_id => $g, member => ['new'] });
    is($change->($new, 1), 'joined', 'a member who was added');
    is($change->($mem, 2), 'joined set', 'the others see that members changed');
    call('send/msg', { from_id => 'mem', conv_id => $g, msg => 'to all', msg_type => 1 });
    for ($own, $mem, $new) {
        ok($_->wait_for('message'), 'a message of a group');
        is(($_->named('message'))[0]{data}{conv_id}, $g, 'its conversation');
    }
    call("group/$g/set", { from_id => 'own', name => 'h' });
    is($change->($new, 2), 'joined set', 'set');
    call("group/$g/transfer", { from_id => 'own', to_id => 'mem' });
    is($change->($new, 3), 'joined set transferred', 'transferred');
    call("group/$g/remove", { from_id => 'mem', member => ['new'] });
    is($change->($new, 4), 'joined set transferred left', 'removed');
    call('send/msg', { from_id => 'mem', conv_id => $g, msg => "after $_", msg_type => 1 }) for 1 .. 3;
    call("group/$g/leave", { from_id => 'own' });
    ok($own->wait_for('message', 4), 'who stays sees what follows');
    like($change->($own, 6), qr/left$/, 'left');
    call("group/$g/dismiss", { from_id => 'mem' });
    $mem->wait(5, sub { ($_[0]->named('conv'))[-1]{data}{change} eq 'dismissed' });
    is(($mem->named('conv'))[-1]{data}{change}, 'dismissed', 'dismissed');
    $_->drain(0.2) for $new, $own;
    is_deeply([ $new->texts ], ['to all'], 'nothing after the removal');
    is(($new->events)[-1]{data}{change}, 'left', 'the removal is the last');
    is(($own->events)[-1]{data}{change}, 'left', 'and of who leaves');
    is_deeply([ map { $_->{event} } $out->events ], ['ready'], 'others are not told');
    $_->close for $own, $mem, $new, $out;
}


# --- names are those of profiles

{
    my $s = ready('/stream?user=named');
    call('user/set', { users => [ { id => 'pro', name => "N\x{e9}", img => 'i' } ] });
    call('send/msg', { from_id => 'pro', to_id => 'named', msg => "line\n\"\x{4f60}", msg_type => 0 });
    ok($s->wait_for('message'), 'a message');
    my ($m) = $s->named('message');
    is($m->{data}{user}{name}, "N\x{e9}", 'the name');
    is($m->{data}{msg}, "line\n\"\x{4f60}", 'a text of several lines is one line of data');
    $s->close;
}


# --- typing, and who is online

{
    my ($ty, $py, $ot) = map { ready("/stream?user=$_") } qw(ty py ot);
    call('send/msg', { from_id => 'ty', to_id => 'py', msg => 'x', msg_type => 0 });
    ok($py->wait_for('message'), 'a message');
    my $conv = ($py->named('message'))[0]{data}{conv_id};
    my $id = $py->last_id;
    call("conv/$conv/typing", { from_id => 'ty' });
    ok($py->wait_for('typing'), 'typing');
    is(($py->named('typing'))[0]{raw}, qq({"conv_id":"$conv","id":"ty"}), 'its data');
    is($py->last_id, $id, 'it has no id');
    call('send/msg', { from_id => 'py', to_id => 'ty', msg => 'y', msg_type => 0 });
    ok($ty->wait_for('message', 2), 'what follows');
    ok(!$ty->named('typing'), 'who is typing is not told');
    ok(!$ot->named('typing'), 'nor are others');
    is($t->post("/im/conv/$conv/typing", { from_id => 'ot' })->code, 'not_member', 'of others');
    is($t->post('/im/conv/nowhere/typing', { from_id => 'ot' })->code, 'conv_not_found', 'in no conversation');

    my $who = sub { +{ map { $_->{id} => $_->{online} ? 1 : 0 } @{ call('user/online', { ids => [@_] })->json } } };
    is_deeply($who->(qw(ty py nobody)), { ty => 1, py => 1, nobody => 0 }, 'online');
    cmp_ok($t->redis('TTL', 'im:{u:ty}:o'), '<=', 25, 'known within 30 s of the end');
    is($t->post('/im/user/online', { ids => [ map { "u$_" } 1 .. 201 ] })->code, 'bad_request', 'more than 200');
    is_deeply(call('user/online', { ids => [] })->json, [], 'of nobody');
    $_->close for $ty, $py, $ot;
}


# --- ends, pings

{
    my $s = ready('/ping?user=pinged');
    ok($s->wait(5, sub { $_[0]->comments >= 3 }), 'pings');
    $s->close;

    $s = ready('/short?user=short');
    ok($s->wait_for('bye'), 'im_stream_max_time');
    is(($s->named('bye'))[0]{data}{reason}, 'expired', 'its reason');
    ok($s->wait_end, 'then the end');
    ok($s->{complete}, 'whole');

    for (time + 2, time - 5, 'x') {
        my $until = /x/ ? $_ : int $_;
        my $s = stream("/until?user=until&until=$until");
        ok($s->wait_for('bye'), "im_stream_until $until");
        is(($s->named('bye'))[0]{data}{reason}, 'expired', 'its reason');
        cmp_ok(time, '>=', $until, 'not before') if $until =~ /\d/;
        ok($s->wait_end, 'then the end');
    }
    ok(ready('/until?user=until'), 'without a time');

    my @s = map { ready('/two?user=many') } 1 .. 3;
    my $gone = 0;
    for my $s (@s) {
        $s->drain(0.3);
        $gone++ if grep { $_->{data}{reason} eq 'replaced' } $s->named('bye');
    }
    cmp_ok($gone, '<=', 1, 'no more than one too many');
    my @more = map { ready('/two?user=many') } 1 .. 6;
    $_->drain(0.1) for @s, @more;
    my @bye = grep { $_->named('bye') } @s, @more;
    cmp_ok(@bye, '>=', 5, 'more than im_stream_max in a worker: the oldest end');
    is_deeply([ map { ($_->named('bye'))[0]{data}{reason} } @bye ], [ ('replaced') x @bye ], 'replaced');
    ok(!$more[-1]->named('bye'), 'the newest stays');
    cmp_ok($bye[0]->retry, '>=', 10000, 'and who was replaced stays away');
    $_->close for @s, @more;
}


# --- a slow reader is cut off; it costs the others nothing, and comes back

{
    my $slow = stream('/stream?user=slow', rcvbuf => 4096, port => $small);
    $slow->status;
    $slow->wait_for('ready');
    my $quick = ready('/stream?user=slow');
    my $text = 'x' x 20000;
    my $n = 0;
    for (1 .. 100) {
        call('send/msg', { from_id => 'ann', to_id => 'slow', msg => sprintf('%05d', ++$n) . $text, msg_type => 0 });
        $quick->read_some(0);
    }
    ok($quick->wait_for('message', $n, 20), 'the other stream has all');
    ok($slow->wait_end(20), 'the slow one ends');
    my @got = $slow->named('message');
    cmp_ok(@got, '<', $n, 'without all of them');
    my $id = $slow->last_id;
    my %seen = map { $_->{data}{seq} => 1 } @got;
    my $back = stream('/stream?user=slow', last => $id);
    ok($back->wait_for('ready', 1, 20), 'it is back');
    $seen{ $_->{data}{seq} } = 1 for $back->named('message');
    my ($gap) = $back->named('gap');
    my @missing = grep { !$seen{$_} } 1 .. $n;
    ok(!@missing || ($gap && $missing[0] > $gap->{data}{after} && $missing[-1] < $gap->{data}{before}),
       'with what it has missed, or a gap') or diag "missing @missing";
    $_->close for $quick, $back;
}

# --- HTTP/2: streams of one connection; one that is not read is cut off

{
    my $h2 = Test::IM::H2->new($t->connect($t->h2_port), window => 16384);
    my ($ann, $bob) = map { $h2->request("/stream?user=$_", method => 'GET', end => 1) } qw(h2ann h2bob);
    my $body = sub { $h2->{streams}{ $_[0] }{body} // '' };
    my $until = sub { my ($s, $re, $n) = @_; my $end = time + 10 * $Test::IM::SCALE;
        $h2->read(0.5) while $body->($s) !~ $re && time < $end && !$h2->{streams}{$s}{reset}; $body->($s) =~ $re };
    ok($until->($_, qr/event: ready/), 'HTTP/2: ready') for $ann, $bob;
    call('send/msg', { from_id => 'h2ann', to_id => 'h2bob', msg => 'over h2', msg_type => 0 });
    ok($until->($_, qr/"msg":"over h2"/), 'HTTP/2: a message') for $ann, $bob;
    call('send/msg', { from_id => 'h2ann', to_id => 'h2bob', msg => 'y' x 20000, msg_type => 0 }) for 1 .. 8;
    my $end = time + 10 * $Test::IM::SCALE;
    $h2->read(0.5) while !($h2->{streams}{$bob}{reset} || $h2->{streams}{$bob}{done}) && time < $end;
    ok($h2->{streams}{$bob}{reset} || $h2->{streams}{$bob}{done}, 'HTTP/2: a window that is not opened: cut off');
    my $again = $h2->request('/stream?user=h2cid', method => 'GET', end => 1);
    ok($until->($again, qr/event: ready/), 'HTTP/2: the connection is well');
    $h2->{conn}->close;
}

$t->done;


# --- rights: without that to publish, sends are stored, and a line says so;
# without that to subscribe, streams end

for my $case ([ 'publish', [qw(resetchannels -publish)], 'message' ], [ 'subscribe', [qw(-subscribe)], 'bye' ]) {
    my ($what, $rule, $event) = @$case;
    my $t = Test::IM->new(workers => 1, store => 'server unix:{{sock}}; username im; password x;',
        conf_server => 'location /stream { im_stream store; }',
        redis_args => [ '--user', 'im', 'on', '>x', '~*', '&*', '+@all', @$rule ])->start;
    my $s = Test::IM::Stream->new($t, '/stream?user=bob');
    my $r = $t->post('/im/send/msg', { %send });
    is($r->status, 200, "no $what: a send");
    is(scalar(@{ $t->post('/im/from/to', { from_id => 'bob', to_id => 'ann' })->json }), 1, "no $what: is stored");
    if ($what eq 'publish') {
        my @said = $t->error_log =~ /\[warn\][^\n]*refuses to publish events[^\n]*/g;
        is(scalar(@said), 1, 'no publish: one line');
    } else {
        ok($s->wait_for('bye', 1, 15), 'no subscribe: the stream ends');
        is(($s->named('bye'))[0]{data}{reason}, 'store', 'with its reason');
        like($t->error_log, qr/the subscription was refused: "NOPERM/, 'a line says why');
    }
    $s->close;
    $t->done;
}

done_testing();
