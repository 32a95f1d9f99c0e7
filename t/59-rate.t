# How often users may write and conversations be written to: im_rate.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use List::Util qw(max sum0);
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;

my $root = $Test::IM::ROOT;
my ($pages) = slurp("$root/docs/directives.md")
              =~ /^### im_rate\n(.*?)(?=^### )/ms or die 'not documented';

# A rate so low that nothing comes back while the test runs: counts are exact.

my $t = Test::IM->new(workers => 2,
    log_format => '$im_call $im_code $im_from_id $im_conv_id $im_store_commands',
    conf_server => <<'CONF',
        location /user/ { im_pass store; im_rate user=1r/m burst=4; }
        location /conv/ { im_pass store; im_rate conv=1r/m burst=4; }
        location /both/ {
            im_pass store;
            im_rate user=1r/m burst=4;
            im_rate conv=2r/m burst=5;
        }
        location /same/ { im_pass store; im_rate user=1r/m burst=2; }
        location /none/ { im_pass store; im_rate user=3r/m; im_rate conv=off; }
        location /apart/ { im_pass store; im_key_prefix x:; im_rate user=1r/m burst=4; }
        location /fast/ { im_pass store; im_rate user=5r/s burst=4; }
        location /long/ { im_pass store; im_rate user=1r/m burst=1000000; }
        location /own/ { im_pass store; im_user $http_x_user; im_rate user=1r/m burst=1; im_rate conv=1r/m burst=3; }
        location /outer/ {
            im_rate user=1r/m burst=2;
            im_rate conv=1r/m burst=1;
            location /outer/in/ { im_pass store; }
            location /outer/user/ { im_pass store; im_rate user=1r/m; }
            location /outer/off/ { im_pass store; im_rate user=off; im_rate conv=off; }
            location /outer/if/ { im_pass store; if ($http_x_if) { set $x 1; } }
        }
        location = /im_status { im_status json; }
CONF
)->start;

my $n = 0;
sub to { return { from_id => $_[0], to_id => 'to' . $n++, msg => 'x', msg_type => 0 } }
sub into { return { from_id => $_[1] // 'm' . $n++, conv_id => $_[0], msg => 'x', msg_type => 0 } }

# statuses of so many calls, made by a function
sub statuses { my ($times, $call) = @_; return [ map { $call->()->status } 1 .. $times ] }
sub codes { my %n; $n{$_}++ for @{ $_[0] }; return \%n }

sub refused {
    my ($r, $name, $retry, $like) = @_;
    is($r->status, 429, "$name: 429") or diag($r->body);
    is($r->code, 'too_many_requests', "$name: the code");
    like($r->error, $like, "$name: whose");
    my $after = $r->header('Retry-After') // 0;
    cmp_ok($after, '<=', $retry, "$name: Retry-After");
    cmp_ok($after, '>=', max(1, $retry - 5), "$name: not less");
}


# --- a user: one and the burst

is_deeply(statuses(5, sub { $t->post('/user/send/msg', to('ann')) }), [ (200) x 5 ], 'a user: one and the burst');
{
    my $before = $t->snapshot;
    my $r = $t->post('/user/send/msg', { %{ to('ann') }, client_msg_id => 'k' });
    refused($r, 'a user', 60, qr/user "ann"/);
    is_deeply($t->snapshot, $before, 'nothing was done');
    ok($t->poll(5, sub { $t->access_log =~ /^send too_many_requests ann [0-9a-f]{24} 0$/m }), 'the log tells');
    is($t->get('/im_status')->json->{total}{requests}{send}{too_many_requests}, 1, 'the status tells');
}
refused($t->post('/user/send/msg', to('ann')), 'and again', 60, qr/user "ann"/) for 1 .. 2;
is($t->post('/user/send/msg', to('bob'))->status, 200, 'another user is not concerned');
is($t->post('/im/send/msg', to('ann'))->status, 200, 'nor is a location without a limit');
is($t->post('/apart/send/msg', to('ann'))->status, 200, 'nor one with another prefix');
is($t->post('/same/send/msg', to('ann'))->status, 429, 'one with the same rate counts the same');
is($t->post('/none/send/msg', to('ann'))->status, 200, 'one with another rate counts for itself');
refused($t->post('/none/send/msg', to('ann')), '3r/m without a burst', 20, qr/user "ann"/);
is($t->post('/none/send/msg', to('Ann'))->status, 200, 'ids are compared as they are');
is($t->h2('/user/send/msg', to('ann'))->status, 429, 'over HTTP/2');

# what is refused before does not count

for ([ 400, {} ], [ 400, { %{ to('cid') }, msg_type => 9 } ], [ 400, '{' ], [ 413, { %{ to('cid') }, msg => 'x' x 32769 } ]) {
    my ($status, $body) = @$_;
    is_deeply(statuses(6, sub { $t->post('/user/send/msg', $body) }), [ ($status) x 6 ], "$status is not counted");
}
is_deeply(codes(statuses(6, sub { $t->post('/user/send/msg', to('cid')) })), { 200 => 5, 429 => 1 }, 'all are left');
is($t->post('/user/send/msg', { %{ to('cid') }, msg_type => 9 })->status, 400, 'a bad call is 400 before it is 429');

# reading is free

my $read = { from_id => 'ann' };
for ([ '/user/conv/list', $read ], [ '/user/unread', $read ], [ '/user/from/to', { from_id => 'ann', to_id => 'to0' } ],
     [ '/user/user/get', { ids => ['ann'] } ])
{
    my ($path, $body) = @$_;
    is_deeply(codes(statuses(8, sub { $t->post($path, $body) })), { 200 => 8 }, "$path is free");
}


# --- every call that writes counts

my $g = $t->group('own', [ map { "m$_" } 1 .. 20 ], conv_id => 'g');
my $msg = $t->say_in('own', $g, 'recall me')->msg_id;
my %write = (
    send => [ 'send/msg', sub { to($_[0]) } ],
    group_create => [ 'creat/group', sub { { owner_id => $_[0], name => 'g' } } ],
    group_alias => [ 'group/g/alias', sub { { id => $_[0], alias => 'x' } } ],
    group_set => [ 'group/g/set', sub { { from_id => $_[0], name => 'x' } } ],
    group_leave => [ 'group/g/leave', sub { { from_id => $_[0] } } ],
    group_remove => [ 'group/g/remove', sub { { from_id => $_[0], member => [] } } ],
    group_transfer => [ 'group/g/transfer', sub { { from_id => $_[0], to_id => 'm1' } } ],
    group_dismiss => [ 'group/g/dismiss', sub { { from_id => $_[0] } } ],
    recall => [ 'msg/recall', sub { { from_id => $_[0], conv_id => 'g', msg_id => $msg } } ],
    conv_read => [ 'conv/g/read', sub { { from_id => $_[0] } } ],
    conv_hide => [ 'conv/g/hide', sub { { from_id => $_[0] } } ],
    conv_typing => [ 'conv/g/typing', sub { { from_id => $_[0] } } ],
);
my %as = (
    group_add => [ 'add/group/merber', sub { { conv_id => 'g', member => [] } } ],
    user_set => [ 'user/set', sub { { users => [ { id => $_[0], name => 'x' } ] } } ],
);
{
    my %writes;
    for my $file (glob "$root/src/api/*.c") {
        my $text = slurp($file);
        $writes{$1} = 1 while $text =~ /ngx_string\("(\w+)"\),\n[^\n]*,\n[^\n]*,\n\s*NGX_HTTP_IM_OP_WRITE/g;
    }
    is_deeply([ sort keys %write, keys %as ], [ sort keys %writes ], 'every call that writes is tried');
}
for my $call (sort keys %write) {
    my ($path, $body) = @{ $write{$call} };
    is_deeply([ map { $_ == 429 ? 429 : 0 } @{ statuses(6, sub { $t->post("/user/$path", $body->("w$call")) }) } ],
              [ (0) x 5, 429 ], "$call counts for its user, done or not");
}
for my $call (sort keys %as) {
    my ($path, $body) = @{ $as{$call} };
    my $post = sub { $t->post("/own/$path", $body->("w$call"), headers => ["X-User: w$call"])->status };
    is_deeply([ map { $post->() == 429 ? 429 : 0 } 1 .. 3 ], [ 0, 0, 429 ], "$call counts for im_user");
    is_deeply(codes(statuses(8, sub { $t->post("/user/$path", $body->('x')) })), { 200 => 8 },
              "$call of a trusted caller names nobody who acts");
}


# --- a conversation

{
    my $c = $t->group('c0', [ map { "c$_" } 1 .. 9 ], conv_id => 'c');
    my $u = 0;
    my $say = sub { $t->post('/conv/send/msg', into('c', 'c' . $u++ % 10)) };
    is_deeply(codes(statuses(5, $say)), { 200 => 5 }, 'a conversation: one and the burst, whoever writes');
    my $before = $t->snapshot;
    my $r = $say->();
    refused($r, 'a conversation', 60, qr/conversation "c"/);
    is_deeply($t->snapshot, $before, 'nothing was done');
    for (map { $write{$_} } qw(group_set group_alias group_leave group_dismiss)) {
        (my $path = $_->[0]) =~ s{/g/}{/c/};
        is($t->post("/conv/$path", $_->[1]->('c0'))->status, 429, "$path is a change, too");
    }
    is($t->post('/conv/add/group/merber', { conv_id => 'c', member => ['new'] })->status, 429, 'so is add');
    is($t->post('/conv/conv/c/read', { from_id => 'c1' })->status, 200, 'read positions are the users\' own');
    is($t->post('/conv/conv/c/hide', { from_id => 'c1' })->status, 200, 'so is what they hide');
    is($t->post('/conv/conv/c', { from_id => 'c1' })->status, 200, 'reading is free');
    is($t->post('/conv/send/msg', to('c0'))->status, 200, 'another conversation');

    $t->group('d0', ['d1'], conv_id => 'd');
    is_deeply(codes(statuses(30, sub { $t->post('/conv/send/msg', into('d', 'eve')) })), { 403 => 30 },
              'who is no member');
    is_deeply(codes(statuses(6, sub { $t->post('/conv/send/msg', into('d', 'd1')) })), { 200 => 5, 429 => 1 },
              'uses nothing up');
    is_deeply(codes(statuses(9, sub { $t->post('/conv/send/msg', into('nope', 'd1')) })), { 404 => 9 }, 'nor what is not there');
    my ($p, $q) = fresh();
    my @pair = (0) x 6;
    is_deeply([ map { $t->post('/conv/send/msg', body($_ % 2 ? ($p, $q) : ($q, $p), 'x'))->status } 1 .. 6 ],
              [ (200) x 5, 429 ], 'a 1:1 is one, either way round');
}
{
    # a client that aborts a call which is refused gives back as well
    $t->group('e0', ['e1'], conv_id => 'e');
    $t->signal_redis('STOP');
    my @conn = map { my $c = $t->connect; $c->send(bytes('/conv/send/msg', into('e', 'eve'))); $c } 1 .. 4;
    my $in = sub { $t->get('/im_status')->json->{total}{in_flight} };
    ok($t->poll(5, sub { $in->() == 4 }), 'four are in flight');
    undef @conn;
    sleep 0.2;
    $t->signal_redis('CONT');
    ok($t->poll(5, sub { $in->() == 0 }), 'and done');
    my $codes = codes(statuses(6, sub { $t->post('/conv/send/msg', into('e', 'e1')) }));
    is_deeply($codes, { 200 => 5, 429 => 1 }, 'calls whose clients are gone');
}


# --- both: nothing is counted unless both allow it

{
    $t->group('b0', [ 'b1', 'b2' ], conv_id => 'b');
    is_deeply(codes(statuses(6, sub { $t->post('/both/send/msg', into('b', 'b0')) })), { 200 => 5, 429 => 1 }, 'the user is first');
    is_deeply([ map { $t->post('/both/send/msg', into('b', 'b1'))->status } 1 .. 4 ], [ 200, (429) x 3 ], 'then the conversation');
    refused($t->post('/both/send/msg', into('b', 'b1')), 'the conversation', 30, qr/conversation "b"/);
    is_deeply(codes(statuses(5, sub { $t->post('/both/send/msg', to('b1')) })), { 200 => 4, 429 => 1 },
              'what it refused was not counted for the user');
    refused($t->post('/both/send/msg', into('b', 'b0')), 'both', 60, qr/user "b0"/);
}


# --- inheritance

for (map { [ "i$n", @$_ ] } ['in', 3], ['if', 3], ['user', 1], ['off', 6]) {
    my ($user, $where, $allowed) = @$_;
    is_deeply(codes(statuses(6, sub { $t->post("/outer/$where/send/msg", to("$user$where")) })),
              { 200 => $allowed, $allowed < 6 ? (429 => 6 - $allowed) : () }, "/outer/$where: $allowed");
}
is_deeply([ map { $t->post("/outer/user/send/msg", body("k$_", 'k', 'x'))->status } 1 .. 3 ], [ (200) x 3 ], 'conversations apart');
for (['in', 2], ['user', 2], ['off', 3]) {
    my ($where, $allowed) = @$_;
    my $id = "in-$where";
    $t->group("x1$where", [ "x2$where", "x3$where" ], conv_id => $id);
    is_deeply(codes([ map { $t->post("/outer/$where/send/msg", into($id, "x$_$where"))->status } 1 .. 3 ]),
              { 200 => $allowed, $allowed < 3 ? (429 => 1) : () }, "/outer/$where: $allowed into one conversation");
}


# --- by time: Retry-After is enough, and less is not

{
    my $start = time;
    is_deeply([ map { $t->post('/fast/send/msg', to('quick'))->status } 1 .. 5 ], [ (200) x 5 ], '5r/s burst=4: five at once');
    my $done = 5;
    while (time - $start < 2) {
        $done++ if $t->post('/fast/send/msg', to('quick'))->status == 200;
        sleep 0.01;
    }
    my $took = time - $start;
    cmp_ok($done, '<=', 5 + $took * 5 + 1, 'and no more than five a second');
    cmp_ok($done, '>=', 5 + 2 * 5 / ($Test::IM::SCALE * 2), "nor much less: $done");
    ok($t->poll(5, sub { $t->post('/fast/send/msg', to('quick'))->status == 429 }), 'the limit is reached');
    my $r = $t->post('/fast/send/msg', to('quick'));
    is($r->header('Retry-After'), 1, 'Retry-After is a second') if $r->status == 429;
    sleep 1.05;
    is($t->post('/fast/send/msg', to('quick'))->status, 200, 'which is enough');
}


# --- workers share it, a reload keeps it

{
    my @conn = map { $t->connect } 1 .. 24;
    my %by;
    $_->send(bytes('/user/send/msg', to('many'))) for @conn;
    my @status = map { $_->read_response->status } @conn;
    is_deeply(codes(\@status), { 200 => 5, 429 => 19 }, 'of 24 at once five are allowed, in all workers together');
    $t->reload;
    is($t->post('/user/send/msg', to('many'))->status, 429, 'after a reload as well');
    is($t->post('/user/send/msg', to('other'))->status, 200, 'another is not concerned');
}
$t->done;


# --- a full zone: the oldest go

{
    my $small = Test::IM->new(conf_http => 'im_rate zone=small:32k; im_rate user=1r/m; im_rate conv=1r/m burst=1000;')->start;
    my $send = sub { $small->post('/im/send/msg', { %{ body($_[0], 'z', 'x') }, %{ $_[1] || {} } })->status };
    my @users = map { sprintf('%064d', $_) } 1 .. 90;
    is_deeply(codes([ map { $send->($_) } @users ]), { 200 => 90 }, '90 users');
    is_deeply(codes([ map { $send->($_) } @users ]), { 429 => 90 }, 'are all known in 32k');
    is($send->("v$_"), 200, "of many more, $_") for 1 .. 3;
    my %more = %{ codes([ map { $send->("w$_") } 1 .. 500 ]) };
    is_deeply(\%more, { 200 => 500 }, 'a full zone refuses nobody');
    is($send->('w500'), 429, 'the latest are known');
    is($send->($users[0]), 200, 'the oldest is not');
    is($small->error_log =~ /no memory|could not allocate/i, '', 'the log is silent');

    # a user's flood of conversations evicts no user
    $small->group('own', ['m'], conv_id => 'one');
    is($small->post('/im/send/msg', into('one', 'm'))->status, 200, 'a user of many');
    $small->done;
}


# --- beside limit_req: the example of the documentation

{
    my ($example) = $pages =~ /^    (limit_req_zone.*?)(?=^\S)/ms or die 'no example';
    $example =~ s/^    //mg;
    my ($zones, $location) = $example =~ /^(.*?)^(location .*)/ms or die 'no location';
    $location =~ s/im_pass main/im_pass store/ or die;
    my ($rate, $burst) = $location =~ /limit_req zone=\w+ burst=(\d+)/ ? (undef, $1) : die;
    my ($user) = $location =~ /im_rate user=\S+ burst=(\d+)/ or die;
    $zones =~ s/rate=\d+r/rate=1r/ or die;
    $location =~ s/user=\d+r/user=1r/ or die;

    my $site = Test::IM->new(location => '', conf_http => $zones, conf_server => $location)->start;
    my @codes = map { $site->post('/im/send/msg', to('ann')) } 1 .. $user + 3;
    my @busy = grep { $_->status == 429 } @codes;
    cmp_ok(@busy, '>=', 1, 'the user is limited');
    is($busy[0]->code, 'too_many_requests', 'by im_rate');
    like($busy[0]->error, qr/user "ann"/, 'with its text');
    my @all = map { $site->post('/im/send/msg', to('u' . $n++)) } 1 .. $burst + 5;
    my @address = grep { $_->status == 429 } @all;
    cmp_ok(@address, '>=', 1, 'the address is limited, whoever writes');
    is($_->code, 'too_many_requests', 'with the same code') for $address[0];
    like($address[0]->header('Retry-After') // '', qr/^\d+$/, 'and Retry-After');
    $site->done;
}


# --- what is no configuration

{
    my $c = Test::IM->new(redis => 0);
    my $is = sub {
        my ($conf, $like, %more) = @_;
        my $out = $c->conf_fails(conf_im => $conf, %more);
        like($out // 'it is accepted', $like, "$conf: refused");
    };
    my $number = qr/1 to 1000000/;
    $is->("im_rate user=$_;", $number) for qw(10 r/s 0r/s -1r/s 1.5r/s 1000001r/s 10r/h 10rs x99999999999999999999r/s 99999999999999999999r/s), '';
    $is->("im_rate user=10r/s $_;", qr/burst=NUMBER/) for qw(nodelay burst= burst=-1 burst=x burst=1000001 delay=5);
    $is->("im_rate $_=1r/s;", qr/user=RATE/) for qw(group rate);
    $is->('im_rate;', qr/number of arguments/);
    $is->('im_rate user=1r/s burst=1 nodelay;', qr/number of arguments/);
    $is->('im_rate user=1r/s; im_rate user=2r/s;', qr/duplicate/);
    $is->('im_rate user=off burst=3;', qr/no rate/);
    $is->('im_rate zone=x:1m;', qr/http level/);
    for ([ 'zone=x', qr/NAME:SIZE/ ], [ 'zone=:1m', qr/a name/ ], [ 'zone=x:31k', qr/32k/ ], [ 'zone=x:y', qr/32k/ ],
         [ 'zone=x:1m; im_rate zone=y:1m', qr/duplicate/ ], [ 'zone=x:1m burst=1', qr/nothing beside/ ],
         [ 'zone=x:1m; im_cache zone=x:1m', qr/something else/ ])
    {
        $is->('', $_->[1], conf_http => "im_rate $_->[0];");
    }
    is($c->conf_fails(conf_im => "im_rate user=$_;"), undef, "user=$_") for qw(1r/m 1000000r/s off), '10r/s burst=0', '10r/s burst=1000000';
    is($c->conf_fails(conf_http => "im_rate $_;"), undef, $_) for 'zone=x:32k', 'conv=1r/s burst=5', 'zone=x:1m; im_rate user=1r/s; im_rate conv=1r/s';
    $c->cleanup;
}

done_testing;
