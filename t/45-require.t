# `require` in an im_redis block: a server set weaker than that is not used, is
# said to be so in one line of the log, and is used as soon as it is set right.

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
my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);


# a site per requirement: its location and its store have the same name

sub site {
    my ($require, %opt) = @_;
    my (@stores, @locations);
    for my $name (sort keys %$require) {
        push @stores, "im_redis $name { server unix:{{sock}}; $require->{$name} "
                      . ($opt{more} // '') . ' }';
        push @locations, "location /$name/ { im_pass $name; }";
    }
    return Test::IM->new(conf_http => join("\n", @stores),
                         conf_server => join("\n", @locations), %opt)->start;
}

sub unread { $_[0]->post("/$_[1]/unread", { from_id => 'bob' }) }

sub used {
    my ($t, $name, $what) = @_;
    ok($t->poll(3, sub { unread($t, $name)->status == 200 }), "$what: used");
    my $r = $t->post("/$name/send/msg", { %send });
    is($r->status, 200, "$what: a send") or diag($r->body);
}

sub refused {
    my ($t, $name, $what) = @_;
    ok($t->poll(8, sub { unread($t, $name)->status == 503 }), "$what: not used");
    for my $call ([ unread => { from_id => 'bob' } ], [ 'send/msg' => { %send } ]) {
        my $t0 = time;
        my $r = $t->post("/$name/$call->[0]", $call->[1]);
        my $s = time - $t0;
        is($r->code, 'store_unavailable', "$what: $call->[0]") or diag($r->body);
        is($r->status, 503, "$what: status");
        like($r->header('Retry-After') // '', qr/^[1-9]\d*$/, "$what: Retry-After");
        cmp_ok($s, '<', 0.2 * $scale, "$what: at once");
    }
}

# lines of the log about a store that is not used, or may evict
sub weak {
    my ($t, $name) = @_;
    my @l = $t->error_log =~ /\[error\][^\n]*im store "$name": [^\n]*? weaker than required: ([^\n]*)/g;
    return @l;
}

sub evicts {
    my ($t, $name) = @_;
    my @l = $t->error_log =~ /\[warn\][^\n]*"$name"[^\n]*may evict/g;
    return @l;
}


# --- each of them, and all: weak at start, set right, weak again, right again

my %require = (
    aof     => 'require appendonly;',
    always  => 'require appendfsync=always;',
    quorum  => 'require min-replicas=2;',
    all     => "require appendonly appendfsync=always;\n require min-replicas=1;\n connections 3;",
    nothing => '',
);

{
    my $t = site(\%require, workers => 2,
                 redis_args => [qw(--maxmemory 100mb --maxmemory-policy allkeys-lru)]);

    used($t, 'nothing', 'nothing required');
    refused($t, $_, "$_, weak at start") for qw(aof always quorum all);
    is($t->get('/site')->body, "site\n", 'the site beside it');

    sleep 1.2;      # several attempts
    my %text = (
        aof => 'appendonly is not yes',
        always => 'appendonly is not yes, appendfsync is not always',
        quorum => 'min-replicas-to-write is less than required',
        all => 'appendonly is not yes, appendfsync is not always, '
               . 'min-replicas-to-write is less than required',
    );
    for my $name (sort keys %text) {
        is_deeply([ weak($t, $name) ], [ ($text{$name}) x 2 ], "$name: one line for each worker");
    }
    is(() = $t->error_log =~ /\[error\][^\n]*lost the connection/g, 0, 'and no other line');
    like($t->error_log, qr/\[error\][^\n]*the store is weaker than required/,
         'the line of a call that was refused says why');

    # what may evict is said once for a worker, whatever else is wrong
    is(scalar(evicts($t, $_)), 2, "$_: one warning for each worker")
        for sort keys %require;

    # set right, without a reload
    $t->redis(qw(CONFIG SET appendonly yes));
    used($t, 'aof', 'CONFIG SET appendonly yes');
    refused($t, $_, "$_, still weak") for qw(always quorum all);

    $t->redis(qw(CONFIG SET appendfsync always));
    used($t, 'always', 'CONFIG SET appendfsync always');
    refused($t, 'all', 'all, but for replicas');

    $t->redis(qw(CONFIG SET min-replicas-to-write 1));
    ok($t->poll(3, sub { unread($t, 'all')->status == 200 }), 'min-replicas-to-write 1: used');
    refused($t, 'quorum', '1 is less than 2');
    my $r = $t->post('/all/send/msg', { %send });
    is($r->code, 'store_unavailable', 'without a replica Redis refuses writes itself');

    $t->redis(qw(CONFIG SET min-replicas-to-write 2));
    ok($t->poll(3, sub { unread($t, 'quorum')->status == 200 }), 'min-replicas-to-write 2: used');

    my $said = () = $t->error_log =~ /\[notice\][^\n]*"all"[^\n]*has all that is required/g;
    cmp_ok($said, '<=', 2, 'that it is used again is said once');
    cmp_ok($said, '>=', 1, 'by each worker, when it looks');

    # what has been changed since the connection was made is found, too
    my $lines = () = weak($t, 'always');
    $t->redis(qw(CONFIG SET no-appendfsync-on-rewrite yes));
    $t->redis(qw(CONFIG SET min-replicas-max-lag 0));
    ok($t->poll(8, sub { unread($t, 'always')->status == 503 && unread($t, 'quorum')->status == 503
                         && unread($t, 'all')->status == 503 }), 'weak again: found out');
    refused($t, $_, "$_, weak again") for qw(always quorum all);
    ok($t->poll(8, sub { weak($t, 'always') == $lines + 2 }), 'one line more for each worker')
        or diag explain [ weak($t, 'always') ];
    is((weak($t, 'always'))[-1], 'no-appendfsync-on-rewrite is not no', 'says what it is');
    is((weak($t, 'quorum'))[-1], 'min-replicas-max-lag is 0', 'a lag of 0 turns it off');
    used($t, $_, "$_, not concerned") for 'nothing';

    $t->redis(qw(CONFIG SET no-appendfsync-on-rewrite no));
    $t->redis(qw(CONFIG SET min-replicas-max-lag 10));
    ok($t->poll(3, sub { unread($t, $_)->status == 200 }), "$_: right again") for qw(always quorum all);

    is(scalar(evicts($t, $_)), 2, "$_: still one warning") for qw(nothing always);
    $t->done;
}


# --- with a replica

{
    my $t = site({ one => 'require min-replicas=1;' }, redis_tcp => 1,
                 redis_args => [qw(--min-replicas-to-write 1 --repl-diskless-sync-delay 0)]);
    my $replica = Test::IM->new(redis_args => [ '--replicaof', "127.0.0.1 $t->{redis_port}" ]);

    ok($t->poll(3, sub { unread($t, 'one')->status == 200 }), 'no replica: reads');
    is($t->post('/one/send/msg', { %send })->code, 'store_unavailable', 'no replica: a send');
    is(unread($t, 'one')->body, '{"total":0}', 'is not there');
    $replica->start_redis;
    ok($t->poll(10, sub { $t->post('/one/send/msg', { %send })->status == 200 }), 'a replica: a send');
    is(unread($t, 'one')->body, '{"total":1}', 'is there once');
    is_deeply([ weak($t, 'one') ], [], 'nothing is weak');
    $replica->cleanup;
    $t->done;
}


# --- CONFIG is not there: INFO tells some of it, the rest is not shown to hold

{
    my $t = Test::IM->new(
        conf_http => join("\n", map { "im_redis $_->[0] { server unix:{{sock}}; $_->[1] }" }
            [ aof => 'require appendonly;' ], [ always => 'require appendfsync=always;' ],
            [ one => 'require min-replicas=1;' ], [ two => 'require min-replicas=2;' ], [ nothing => '' ]),
        conf_server => join("\n", map { "location /$_/ { im_pass $_; }" } qw(aof always one two nothing)),
        redis_args => [ '--rename-command', 'CONFIG', '',
            qw(--appendonly yes --appendfsync always --min-replicas-to-write 2),
            qw(--maxmemory 50mb --maxmemory-policy volatile-lru) ],
    )->start;
    ok(!eval { $t->redis(qw(CONFIG GET appendonly)); 1 }, 'CONFIG is not there');

    for my $name (qw(aof one nothing)) {
        ok($t->poll(3, sub { unread($t, $name)->status == 200 }), "$name: used, INFO tells it");
        is_deeply([ weak($t, $name) ], [], "$name: nothing to say");
    }
    refused($t, $_, "$_, not shown") for qw(always two);
    is_deeply([ weak($t, 'always') ], [ 'appendfsync is not shown by CONFIG GET, '
              . 'no-appendfsync-on-rewrite is not shown by CONFIG GET' ], 'always: says so');
    is_deeply([ weak($t, 'two') ], [ 'min-replicas-to-write is not shown by CONFIG GET' ], 'two: says so');
    is(scalar(evicts($t, $_)), 1, "$_: what may evict is told by INFO") for qw(nothing aof two);
    $t->done;
}


# --- a user who may ask nothing

{
    my $t = site({ nothing => 'username im; password x;',
                   aof => 'username im; password x; require appendonly;',
                   told => 'username config; password x; require appendfsync=always min-replicas=1;' },
                 redis_args => [ qw(--appendonly yes --appendfsync always --min-replicas-to-write 1),
                     qw(--maxmemory 50mb --maxmemory-policy allkeys-lfu),
                     qw(--user im on >x ~im:* +@all -config -info),
                     qw(--user config on >x ~im:* +@all -config -info +config|get) ]);
    ok($t->poll(3, sub { unread($t, $_)->status == 200 }), "$_: used") for qw(nothing told);
    refused($t, 'aof', 'neither CONFIG nor INFO');
    is_deeply([ weak($t, 'aof') ], [ 'appendonly is not shown by CONFIG GET' ], 'says so');
    is(scalar(evicts($t, 'nothing')), 0, 'and nothing of what it cannot know');

    $t->redis(qw(ACL SETUSER im +info));
    ok($t->poll(3, sub { unread($t, 'aof')->status == 200 }), 'INFO allowed: used');
    is(scalar(evicts($t, 'aof')), 1, 'and warned of');
    $t->done;
}


# --- no warning where nothing is thrown away

for my $args ([qw(--maxmemory 0 --maxmemory-policy allkeys-lru)],
              [qw(--maxmemory 50mb --maxmemory-policy noeviction)])
{
    my $t = site({ quiet => 'require appendonly;' }, redis_args => [ qw(--appendonly yes), @$args ]);
    used($t, 'quiet', "@$args");
    is(scalar(evicts($t, 'quiet')), 0, "@$args: no warning");
    is_deeply([ $t->error_log =~ /\[(?:warn|error)\][^\n]*im store[^\n]*/g ], [], 'nor another line');
    $t->done;
}


# --- a server without the setting comes back with it, and the other way round

{
    my $t = site({ aof => 'require appendonly;' }, redis => 0);
    refused($t, 'aof', 'away');
    is_deeply([ weak($t, 'aof') ], [], 'away is not weak');

    $t->start_redis;
    ok($t->poll(3, sub { weak($t, 'aof') == 1 }), 'there, without a file');
    refused($t, 'aof', 'there, without a file');
    $t->stop_redis('KILL');

    $t->{redis_args} = [qw(--appendonly yes)];
    $t->start_redis;
    used($t, 'aof', 'there, with a file');
    $t->stop_redis('KILL');

    $t->{redis_args} = [];
    $t->start_redis;
    ok($t->poll(3, sub { weak($t, 'aof') == 2 }), 'without one again: another line');
    refused($t, 'aof', 'without one again');
    $t->done;
}



# --- a server that answers with something else

{
    my $t = Test::IM->new(redis_args => [qw(--appendonly yes --appendfsync always --min-replicas-to-write 1)],
        store => "server unix:{{dir}}/p.sock; connections 2;\n"
                 . 'require appendfsync=always min-replicas=1; connect_timeout ' . 500 * $scale . 'ms;');
    my $p = Proxy->new(listen => "unix:$t->{dir}/p.sock", to => "unix:$t->{sock}");
    $t->start;

    my $served = sub {
        my $status = shift;
        return $t->poll(4, sub { $t->post('/im/unread', { from_id => 'a' })->status == $status });
    };
    ok($served->(200), 'through a proxy: used');

    my $pair = "\$10\r\nappendonly\r\n";
    for my $answer ("+OK\r\n", ":1\r\n", "\$-1\r\n", "*-1\r\n", "*0\r\n", "*1\r\n$pair",
                    "*2\r\n$pair\$-1\r\n", "*2\r\n$pair*1\r\n+yes\r\n", "*2\r\n$pair:1\r\n",
                    "\$12\r\nappendonly:1\r\n", "*3\r\n:1\r\n$pair\$3\r\nyes\r\n",
                    "-NOPERM no\r\n", "-LOADING wait\r\n")
    {
        (my $shown = $answer) =~ s/\r\n/ /g;
        $p->answer($answer, 'always', '^config');
        $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
        ok($served->(503), "CONFIG answered with $shown: not used") or last;
        $p->pass;
        ok($served->(200), 'and then with its settings: used');
    }
    for my $answer ("+OK\r\n", "\$0\r\n\r\n", "\$1\r\n\n\r\n", "\$22\r\nmaxmemory:9\r\nmaxmemory\r\n",
                    "\$9\r\nmaxmemory\r\n", "*0\r\n", "-NOPERM no\r\n")
    {
        (my $shown = $answer) =~ s/\r\n/ /g;
        $p->answer($answer, 'always', '^info');
        $t->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
        ok($served->(200), "INFO answered with $shown: used all the same");
        $p->pass;
    }
    $t->done;
}


# --- made weaker under load: what was sent is answered as ever, and only a send
# between its two writes is in doubt

{
    my $t = Test::IM->new(workers => 2, conf_im => 'im_reply full;',
        redis_args => [qw(--appendonly yes)],
        store => 'server unix:{{sock}}; require appendonly; connections 2;')->start;
    my $h = History->new(t => $t, writers => 4, readers => 1, pace => 0.002)->setup->start;

    ok($t->poll(5, sub { $h->acked > 200 }), 'under load');
    $t->redis(qw(CONFIG SET appendonly no));
    ok($t->poll(9, sub { weak($t, 'store') == 2 }), 'both workers have found out');
    my $had = $h->acked;
    sleep 0.5;
    is($h->acked, $had, 'nothing is acknowledged any more');
    $t->redis(qw(CONFIG SET appendonly yes));
    ok($t->poll(5, sub { $h->acked > $had + 200 }), 'set right: served');

    my $r = $h->stop->check;
    is(History::summary($r), '', 'nothing is lost') or diag explain $r->{notes};
    cmp_ok($r->{unknown}, '<=', 4, "$r->{unknown} in doubt, at most one a writer");
    cmp_ok($r->{refused}, '>', 0, "$r->{acked} acknowledged, $r->{refused} refused");
    $t->done;
}

done_testing;
