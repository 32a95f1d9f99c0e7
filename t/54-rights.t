# A store is used only if its Redis user has every right that calls need, and
# if the server is a primary outside of a cluster: otherwise no call leaves half
# of its writes, one line of the log says what is missing, and the store is
# used as soon as it is right.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Proxy;
use Test::IM;

my $root = $Test::IM::ROOT;
my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);

# the smallest rule, as documented
my ($rule) = slurp("$root/docs/redis-schema.md")
             =~ /ACL SETUSER im on >secret (.*?)\n\n/s or die 'no rule';
my @rule = split ' ', $rule;
my ($keys) = grep { /^~/ } @rule;
my @rights = grep { /^\+/ } @rule;

sub unread { $_[0]->post("/$_[1]/unread", { from_id => 'bob' }) }
sub served { my ($t, $name) = @_; return $t->poll(5, sub { unread($t, $name)->status == 200 }) }

# a store for each name: a line of its block
sub stores {
    my (%more) = @_;
    return (
        conf_http => join("\n", map { "im_redis $_ { server unix:{{sock}}; $more{$_} }" } sort keys %more),
        conf_server => join("\n", map { "location /$_/ { im_pass $_; }" } sort keys %more),
    );
}

# lines of the log about a store that is not used
sub unused {
    my ($t, $name) = @_;
    my @l = $t->error_log =~ /\[error\][^\n]*im store "$name": [^\n]*? is not used, ([^\n]*)/g;
    return @l;
}


# --- what is tried is what is used: every command of scripts and calls

my $lua = slurp("$root/src/script/trial.lua");
my ($table) = $lua =~ /rows = \[\[\n(.*?)\]\]/s;
my %tried = map { (lc =~ /^(\w+)/)[0] => 1 } split /\n/, $table;

{
    my %used;
    for my $file (glob("$root/src/script/*.lua"), glob("$root/src/api/*.c")) {
        next if $file =~ /trial\.lua$/;
        my $text = slurp($file);
        $text =~ s/--.*//g if $file =~ /lua$/;
        $used{lc $1} = 1 while $text =~ /(?:call\(|ngx_str_set\(&argv\[0\], )['"]([A-Z]+)['"]/g;
    }
    # a right to publish is not required, see 67-stream
    delete $used{publish};
    cmp_ok(keys %used, '>=', 20, 'the commands in the source are found');
    is_deeply([ sort keys %tried ], [ sort keys %used ], 'each of them is tried, and no other');

    my %more = map { $_ => 1 } qw(+select +echo +script|load +evalsha +eval);
    is_deeply([ sort @rights ], [ sort keys %more, map { "+$_" } keys %tried ],
              'the rule of the documentation has these');
}


# --- the rule of the documentation is enough; without one of its rights, or
# without the keys, the store is not used, and the log names what is missing

{
    my %user = (full => [ @rule ], everything => [ '~*', '+@all' ],
                keys => [ '~other:*', @rights, '-@dangerous' ],
                prefix => [ @rule ],
                convs => [ '~im:{c:*', '-@all', @rights ]);
    for my $right (@rights) {
        next if $right =~ /echo|select/;
        (my $name = $right) =~ s/\W//g;
        $user{"no$name"} = [ $keys, '-@all', grep { $_ ne $right } @rights ];
    }
    my %store = map { $_ => "username $_; password x;" } keys %user;
    my %conf = stores(%store);
    $conf{conf_server} =~ s/(im_pass prefix;)/$1 im_key_prefix shop:;/;
    my $t = Test::IM->new(one => 'it changes the rights of one', %conf, workers => 1,
        redis_args => [ map { ('--user', $_, 'on', '>x', @{ $user{$_} }) } sort keys %user ])->start;

    for my $name (qw(full everything)) {
        ok(served($t, $name), "$name: used");
        is($t->post("/$name/send/msg", { %send })->status, 200, "$name: a send");
        is_deeply([ unused($t, $name) ], [], "$name: nothing to say");
    }
    my $before = $t->snapshot;
    for my $name (sort grep { !/full|everything/ } keys %user) {
        ok($t->poll(5, sub { unread($t, $name)->status == 503 }), "$name: not used");
        my $r = $t->post("/$name/send/msg", { %send, client_msg_id => 'k' });
        is($r->code, 'store_unavailable', "$name: a send");
        next if $name eq 'noscriptload';
        ok($t->poll(3, sub { unused($t, $name) }), "$name: logged");
        my ($word) = $name =~ /^no(\w+)/;
        my ($line) = unused($t, $name);
        like($line, qr/lacks permissions: [^"]*?\b(?i:$word)\b.*?: "\S.*"/, "$name: says so") if $word;
        like($line, qr/lacks permissions: .*shop:\{/, 'prefix: names a key') if $name eq 'prefix';
        like($line, qr/lacks permissions: .*im:\{u:/, 'convs: names a key') if $name eq 'convs';
    }
    is_deeply($t->snapshot, $before, 'nothing was written, and the trial leaves nothing');

    sleep 1;    # several attempts
    for my $name (qw(noset nozadd nohset keys)) {
        is(scalar(unused($t, $name)), 1, "$name: one line");
    }
    like($t->error_log, qr/\[error\][^\n]*the Redis user lacks permissions/,
         'the line of a call says why');

    $t->redis(qw(ACL SETUSER noset +set));
    ok(served($t, 'noset'), '+set: used, without a reload');
    is($t->post('/noset/send/msg', { %send })->status, 200, '+set: a send');
    $t->done;
}


# --- a right that is taken away while the store is in use: what was begun is
# taken back, and the server is tried again before it is used

for my $case ([ '-set', 'im', { %send } ], [ '-hset', 'im', { from_id => 'ann', conv_id => 'g', msg => 'hi', msg_type => 0 } ],
              [ '-zadd', 'im', { %send } ])
{
    my ($less, $user, $body) = @$case;
    my $t = Test::IM->new(one => 'it changes the rights of one', stores(im => 'username im; password x;'), location => '',
        store => '', redis_args => [ '--user', 'im', 'on', '>x', '~*', '+@all' ])->start;
    ok(served($t, 'im'), "$less: used");
    is($t->post('/im/creat/group', { owner_id => 'ann', conv_id => 'g', name => 'g', member => ['bob'] })->status, 200, 'a group');
    is($t->post('/im/send/msg', $body)->status, 200, "$less: first");
    my $before = $t->snapshot;

    $t->redis('ACL', 'SETUSER', 'im', $less);
    for (1 .. 4) {
        my $r = $t->post('/im/send/msg', { %$body, client_msg_id => 'k' });
        is($r->code, 'store_unavailable', "$less: a send is refused") or diag($r->body);
    }
    is_deeply($t->snapshot, $before, "$less: nothing is left of it");
    ok($t->poll(5, sub { unused($t, 'im') }), "$less: found out");

    (my $more = $less) =~ s/^-/+/;
    $t->redis('ACL', 'SETUSER', 'im', $more);
    ok(served($t, 'im'), "$more: used");
    my @id = map { my $r = $t->post('/im/send/msg', { %$body, client_msg_id => 'k' }); is($r->status, 200, "$more: a send"); $r->msg_id } 1 .. 2;
    is($id[0], $id[1], "$more: once");
    my ($m) = grep { /:m$/ && (/c:g/ xor $less ne '-hset') } @{ $t->redis('KEYS', '*') };
    is(scalar @{ $t->redis('ZRANGEBYSCORE', $m, 2, 2) }, 1, "$more: one row of the sequence");
    $t->done;
}


{
    my $t = Test::IM->new(one => 'it changes the rights of one', stores(im => 'username im; password x;'), location => '',
        store => '', redis_args => [ '--user', 'im', 'on', '>x', '~*', '+@all' ])->start;
    ok(served($t, 'im'), 'a group: used');
    my $group = { owner_id => 'ann', conv_id => 'g', name => 'g', member => ['bob'] };
    $t->redis(qw(ACL SETUSER im -hset));
    isnt($t->post('/im/creat/group', $group)->status, 200, '-hset: a group is refused') for 1 .. 2;
    $t->redis(qw(ACL SETUSER im +hset));
    ok(served($t, 'im'), '+hset: used');
    is($t->post('/im/creat/group', $group)->status, 200, '+hset: the id is not taken');
    $t->done;
}


# --- a row that the head does not know, of a write that was cut off otherwise

{
    my $t = Test::IM->new->start;
    my $id = $t->post('/im/send/msg', { %send })->conv_id;
    my $rows = sub { return @{ $t->redis('ZRANGEBYSCORE', "im:{c:$id}:m", $_[0], $_[0]) } };
    $t->redis('ZADD', "im:{c:$id}:m", 2, "2-00000000000000$_ 1795525403088 0 ann lost") for 10 .. 13;
    is($rows->(2), 4, 'four rows of sequence 2');
    is($t->post('/im/send/msg', { %send, client_msg_id => 'k' })->status, 200, 'a send with a client_msg_id');
    is($rows->(2), 1, 'one row is left');
    like(($rows->(2))[0], qr/ hi$/, 'its own');
    $t->redis('ZADD', "im:{c:$id}:m", 3, '3-0000000000000000 1795525403088 0 ann lost');
    sleep 1.1;
    is($t->post('/im/send/msg', { %send })->status, 200, 'a send without, a second later');
    is($rows->(3), 1, 'one row is left');
    $t->redis('ZADD', "im:{c:$id}:i", 4, 'ann lost');
    is($t->post('/im/send/msg', { %send, client_msg_id => 'lost' })->status, 200, 'an index entry that the head does not know');
    is($t->post('/im/conv/' . $id, { page_size => 10 })->status, 200, 'a page');
    $t->done;
}


# --- a replica, a part of a cluster

{
    my $t = Test::IM->new(one => 'it changes the rights of one', stores(im => '', quiet => 'username im; password x;'), location => '', store => '',
        redis_args => [ '--user', 'im', 'on', '>x', '~*', '+@all', '-info' ])->start;
    my $other = Test::IM->new(one => 'it changes the rights of one', redis_tcp => 1);
    $other->start_redis;
    ok(served($t, $_), "$_: a primary is used") for qw(im quiet);

    $t->redis('REPLICAOF', '127.0.0.1', $other->{redis_port});
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    for my $name (qw(im quiet)) {
        ok($t->poll(5, sub { unread($t, $name)->status == 503 }), "$name: a replica is not used");
        is($t->post("/$name/send/msg", { %send })->code, 'store_unavailable', "$name: a send");
        ok($t->poll(5, sub { unused($t, $name) }), "$name: logged");
        is((unused($t, $name))[-1], 'it is a replica', "$name: says so");
    }
    sleep 1;
    is(scalar(unused($t, 'im')), 1, 'in one line');
    $t->redis(qw(REPLICAOF NO ONE));
    ok(served($t, $_), "$_: a primary again: used") for qw(im quiet);
    $t->done;
    $other->cleanup;
}

{
    my $t = Test::IM->new(one => 'it changes the rights of one', stores(im => ''), location => '', store => '',
        redis_tcp => 1, redis_args => [ qw(--cluster-enabled yes) ])->start;
    $t->redis(qw(CLUSTER ADDSLOTS), 0 .. 16383);
    ok($t->poll(5, sub { $t->redis(qw(CLUSTER INFO)) =~ /cluster_state:ok/ }), 'a cluster of one shard');
    is(unread($t, 'im')->code, 'store_unavailable', 'is not used');
    is($t->post('/im/send/msg', { %send })->code, 'store_unavailable', 'nor written to');
    ok($t->poll(5, sub { unused($t, 'im') }), 'logged');
    like((unused($t, 'im'))[0], qr/^it is in cluster mode .*set "cluster on"/, 'says so');
    is($t->redis('DBSIZE'), 0, 'it is empty');
    $t->done;
}


# --- no ECHO: one clear warning for each worker, and the store is used

for my $case ([ 'renamed', [ '--rename-command', 'ECHO', '' ], 'ECHO' ],
              [ 'denied', [ '--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-echo' ], 'echo' ])
{
    my ($name, $args, $word) = @$case;
    my $t = Test::IM->new(one => 'it changes the rights of one', workers => 2, redis_args => $args)->start;
    is($t->post('/im/send/msg', { %send })->status, 200, "ECHO $name: a send") for 1 .. 5;
    $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    ok($t->poll(5, sub { $t->post('/im/send/msg', { %send })->status == 200 }), "ECHO $name: and after a reconnect");
    ok($t->poll(5, sub { 2 == (() = $t->error_log =~ /(?:does not permit|refuses) ECHO/g) }), 'one warning for each worker');
    like($t->error_log, qr/\[warn\][^\n]*(?:does not permit|refuses) ECHO: [^\n]*\b$word\b/, 'with the words of Redis');
    unlike($t->error_log, qr/too many or too few\n|invalid reply/, 'and no other line');
    $t->done;
}

# as Redis 6.2 says it
{
    my $t = Test::IM->new(one => 'it changes the rights of one', store => 'server unix:{{dir}}/p.sock;');
    my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
    $p->answer("-ERR unknown command `ECHO`, with args beginning with: `x`, \r\n", 'always', '^echo');
    $t->start;
    is($t->post('/im/send/msg', { %send })->status, 200, 'ECHO unknown to 6.2: a send');
    is(scalar(() = $t->error_log =~ /(?:does not permit|refuses) ECHO/g), 1, 'one warning');
    $t->done;
}

done_testing;
