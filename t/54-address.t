# The addresses of a server: all of a name are tried, in turn and at once; with
# a resolver the name is resolved again, so that a server that moves is
# followed without a reload.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib", "$FindBin::Bin/fault";

use Test::More;
use Time::HiRes qw(sleep time);

use Names;
use Test::IM;

plan skip_all => 'no gcc' if !$ENV{CI} && system 'gcc --version >/dev/null 2>&1';

my $scale = $Test::IM::SCALE;
my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);

# Redis at one of the addresses of this machine, all at one port
my $port;
sub redis_at {
    my ($addr, @more) = @_;
    my $t = Test::IM->new(redis_tcp => 1, redis_args => [ '--bind', $addr, '--protected-mode', 'no', @more ]);
    $port //= $t->{redis_port};
    $t->{redis_port} = $port;
    $t->start_redis;
    return $t;
}

# nginx whose server is a name
sub site {
    my ($name, %opt) = @_;
    my $more = delete $opt{more} // '';
    my $store = "server $name:$port; connect_timeout " . ms(500) . "; timeout " . ms(2000) . "; $more";
    return Test::IM->new(redis => 0, store => $store, %opt);
}

my $names;      # addresses that the system knows
sub start {
    my ($t) = @_;
    my $lib = "$t->{dir}/names.so";
    system('gcc', '-shared', '-fPIC', '-O1', '-o', $lib, "$FindBin::Bin/fault/names.c", '-ldl') == 0 or die 'gcc';
    local $ENV{LD_PRELOAD} = $lib;
    local $ENV{IM_NAMES} = $names;
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:verify_asan_link_order=0" if $ENV{ASAN_OPTIONS};
    return $t->start;
}

sub unread { $_[0]->post('/im/unread', { from_id => 'bob' }) }
sub served { my $t = shift; return $t->poll(6, sub { unread($t)->status == 200 }) }
sub has { my $r = shift; return $r->redis('DBSIZE') }


# --- several addresses in the configuration, one of them alive

my $second = redis_at('127.0.0.2');
my $six = -e '/proc/net/if_inet6' && grep({ /^0{31}1 / } split /\n/, slurp('/proc/net/if_inet6'))
          ? redis_at('::1') : undef;

for my $case ([ 'the last of three', '127.0.0.1 127.0.0.3 127.0.0.2', $second ],
              [ 'the first of three', '127.0.0.2 127.0.0.3 127.0.0.1', $second ],
              [ 'three connections', '127.0.0.1 127.0.0.3 127.0.0.2', $second, 'connections 3;' ],
              $six ? [ '::1 only', '127.0.0.1 ::1', $six ] : ())
{
    my ($what, $list, $redis, $more) = @$case;
    $redis->redis('FLUSHALL');
    $names = "redis.test $list";
    my $t = start(site('redis.test', more => $more));

    # calls wait while the addresses are tried, none is refused
    my $r = $t->post('/im/send/msg', { %send });
    is($r->status, 200, "$what: the first call") or diag($r->body);
    cmp_ok(has($redis), '>', 0, "$what: there");
    is_deeply([ $t->error_log =~ /\[error\][^\n]*/g ], [], "$what: no error");
    $t->done;
}


# --- none is alive, and then one is; it goes and another comes

{
    $names = 'redis.test 127.0.0.3 127.0.0.4';
    my $t = start(site('redis.test'));
    ok($t->poll(3, sub { unread($t)->status == 503 }), 'none alive: 503');
    sleep 1;
    my @l = $t->error_log =~ /\[error\][^\n]*could not connect[^\n]*/g;
    cmp_ok(scalar @l, '<=', 2, 'in few lines');
    my $at = redis_at('127.0.0.4');
    ok(served($t), 'one alive: used');
    $at->stop_redis('KILL');
    my $other = redis_at('127.0.0.3');
    ok(served($t), 'the other one: used');
    is($t->post('/im/send/msg', { %send })->status, 200, 'a send');
    $_->cleanup for $at, $other;
    $t->done;
}


# --- one of them is a replica: the other one is used, whatever the order

{
    my $replica = redis_at('127.0.0.3', '--replicaof', '127.0.0.2', $port);
    for my $list ('127.0.0.3 127.0.0.2', '127.0.0.2 127.0.0.3') {
        $names = "redis.test $list";
        my $t = start(site('redis.test'));
        is($t->post('/im/send/msg', { %send })->status, 200, "$list: the primary is used");

        if ($list =~ /^127.0.0.2/) {        # a failover
            $replica->redis(qw(REPLICAOF NO ONE));
            $second->redis('REPLICAOF', '127.0.0.3', $port);
            $second->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
            ok($t->poll(6, sub { $t->post('/im/send/msg', { %send })->status == 200 }), 'after a failover: the new one');
            $second->redis(qw(REPLICAOF NO ONE));
        }
        $t->done;
    }
    $replica->cleanup;
}


# --- a name that moves

{
    my $third = redis_at('127.0.0.3');
    my $dns = Names->new;
    my $resolver = "resolver 127.0.0.1:" . $dns->port . "; resolver_timeout " . 2 * $scale . 's;';
    $_->redis('FLUSHALL') for $second, $third;
    $dns->set('redis.test', 1, '127.0.0.2');

    # known to the resolver alone, which is set behind the store
    $names = 'other.test 127.0.0.1';
    my $t = start(site('redis.test', conf_http => $resolver, workers => 2));
    is($t->post('/im/send/msg', { %send })->status, 200, 'a name of the resolver: the first call') for 1 .. 4;
    cmp_ok(has($second), '>', 0, 'there');

    # while both are primaries: calls go on, and none fails
    $dns->set('redis.test', 1, '127.0.0.3');
    my %status;
    ok($t->poll(8, sub { $status{ $t->post('/im/send/msg', { %send }, close => 1)->status }++;
                         has($third) && $t->error_log =~ /has moved from/ }), 'moves: followed');
    ok($t->poll(8, sub { 2 == (() = $t->error_log =~ /\[notice\][^\n]*"redis.test:$port" has moved from 127.0.0.2:$port to 127.0.0.3:$port/g) }),
       'each worker says so once');
    ok($t->poll(5, sub { $second->redis(qw(CLIENT LIST TYPE normal)) !~ /\n./ }), 'the old one has no client but this');
    my $n = $t->redis_count($third);
    $status{ $t->post('/im/send/msg', { %send }, close => 1)->status }++ for 1 .. 20;
    is_deeply([ keys %status ], [ 200 ], 'no call failed') or diag explain \%status;
    is($t->redis_count($third), $n + 20, 'all are there');

    # it dies where it is, and comes back elsewhere
    $third->stop_redis('KILL');
    ok($t->poll(5, sub { unread($t)->status == 503 }), 'it dies: 503');
    $dns->set('redis.test', 1, '127.0.0.2');
    ok(served($t), 'elsewhere: used');

    # the resolver fails: what is known is used
    $dns->set('redis.test');
    ok($t->poll(8, sub { $t->error_log =~ /\[warn\][^\n]*"redis.test" could not be resolved \(3: Host not found\)/ }), 'no such name: a warning');
    is($t->post('/im/send/msg', { %send })->status, 200, 'and the known one is used');
    $dns->silent;
    $second->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
    ok($t->poll(5, sub { $t->post('/im/send/msg', { %send })->status == 200 }), 'no answer: likewise');
    $t->done;
    $third->cleanup;
}


# --- the system knows another address than the resolver; the TTL is respected

{
    my $dns = Names->new;
    $dns->set('localhost', 3600, '127.0.0.2');
    $names = 'localhost 127.0.0.3';
    my $t = start(site('localhost', conf_http => 'resolver 127.0.0.1:' . $dns->port . ' ipv6=off;'));
    ok(served($t), 'the resolver is right');
    my $asked = $dns->asked;
    sleep 2.5;
    is($dns->asked, $asked, 'it is not asked again before the TTL is over');
    $t->done;
}


# --- literal addresses and sockets are not resolved; no resolver: no such name

{
    my $dns = Names->new;
    my $t = Test::IM->new(redis => 0, store => "server 127.0.0.2:$port;", conf_http => 'resolver 127.0.0.1:' . $dns->port . ';',
                          conf_server => "location /six/ { im_pass [::1]:$port; } location /unix/ { im_pass unix:$second->{sock}; }");
    $t->start;
    ok(served($t), 'a literal address');
    is($t->post('/unix/unread', { from_id => 'a' })->status, 200, 'a socket');
    is($dns->asked, 0, 'the resolver is not asked');

    like($t->conf_fails(store => 'server no.such.name.invalid;', conf_http => ''),
         qr/host not found in the address "no.such.name.invalid:6379" .* in \S+check.conf:\d+/s, 'no resolver: refused');
    is($t->conf_fails(store => 'server no.such.name.invalid;'), undef, 'with one: accepted');
    $t->done;
}

done_testing;


# messages of ann and bob
sub Test::IM::redis_count {
    my ($t, $redis) = @_;
    my ($key) = grep { /\{c:.*:m$/ } @{ $redis->redis('KEYS', '*') };
    return $key ? $redis->redis('ZCARD', $key) : 0;
}
