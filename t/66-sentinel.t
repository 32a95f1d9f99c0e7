# Sentinel: where the master is, Sentinels that fail or lie, credentials, TLS,
# names.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(sleep time);

use Test::IM;
use Test::IM::Sentinel;

my $scale = $Test::IM::SCALE;
my %send = (from_id => 'ann', to_id => 'bob', msg => 'hi', msg_type => 0);
my $password = 'not-for-any-log';


# --- Redis, a replica of it, Sentinels of several kinds

my $redis = Test::IM->new(redis_tcp => 1, tls => 1);
$redis->start_redis;
my $replica = Test::IM->new(redis_tcp => 1, redis_args => [ '--replicaof', '127.0.0.1', $redis->redis_port,
                                                            '--repl-diskless-sync-delay', 0 ]);
$replica->start_redis;

my @common = (master => $redis->redis_port, port => \&Test::IM::free_port);
my $s = Test::IM::Sentinel->new(dir => $redis->dir, n => 2, fast => 1, @common);

my $secret = Test::IM->new;         # a directory, no more
my $guarded = Test::IM::Sentinel->new(dir => $secret->dir, @common,
    conf => "requirepass $password\n");
$secret->write_file('password', "$password\n");

my $hidden = Test::IM->new(tls => 1);
$hidden->make_certificates;
my $tls_port = Test::IM::free_port();
my $tls = Test::IM::Sentinel->new(dir => $hidden->dir, @common,
    args => [ '--tls-port', $tls_port, '--tls-auth-clients', 'no',
              map { ("--tls-$_->[0]-file", "$hidden->{dir}/$_->[1]") }
                  [ cert => 'redis.pem' ], [ key => 'redis.key' ], [ 'ca-cert' => 'ca.pem' ] ]);

my $dead = Test::IM::free_port();
my $real = ($s->ports)[0];
sub addr { my ($host, $port) = @_; return sprintf "*2\r\n\$%d\r\n%s\r\n\$%d\r\n%s\r\n", map { (length, $_) } $host, $port }
sub here { return addr('127.0.0.1', $_[0]) }
my ($fake, %fake) = fakes(
    deaf => undef, nil => "*-1\r\n", garbage => "\0\1\2 nothing\r\n", empty => "*0\r\n", word => "+OK\r\n",
    number => ":6379\r\n", one => "*1\r\n\$1\r\nx\r\n", three => "*3\r\n\$1\r\nx\r\n\$1\r\n1\r\n\$1\r\n1\r\n",
    port_0 => here(0), port_high => here(65536), port_word => here('x'), port_long => here('9' x 40),
    host_empty => addr('', 6379), host_long => addr('a' x 254, 6379), host_bad => addr('a b', 6379),
    bytes => addr("a\r\n", 6379), nested => "*2\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n:1\r\n", error => "-IDONTKNOW ask others\r\n",
    huge => "*2\r\n\$" . 600 * 1024 * 1024 . "\r\n", many => here($redis->redis_port) . here($redis->redis_port),
    name => addr('redis.example', 6379), gone => here($dead), self => here($real), replica => here($replica->redis_port),
);

my $main = $$;
END { kill KILL => $fake if $fake && $main && $$ == $main }

my @store = (
    # name, servers and more, the line of the log, or '' if it is served
    [ real      => "server 127.0.0.1:$real; sentinel mymaster;", '' ],
    [ next      => "server 127.0.0.1:$dead; " . $s->servers . ' sentinel mymaster;', '' ],
    [ liars     => join(' ', map { "server 127.0.0.1:$fake{$_};" } qw(deaf nil garbage error port_0)) . $s->servers
                   . ' sentinel mymaster;', '' ],
    [ guarded   => $guarded->servers . " sentinel mymaster; sentinel_password $password;", '' ],
    [ guarded_file => $guarded->servers . " sentinel mymaster; sentinel_password_file ${\ $secret->dir}/password;", '' ],
    [ tls       => "server 127.0.0.1:$tls_port; sentinel mymaster; sentinel_ssl on;"
                   . " ssl_trusted_certificate ${\ $hidden->dir}/ca.pem;", '' ],
    [ localhost => "server localhost:$real; sentinel mymaster;", '' ],
    [ unknown   => "server 127.0.0.1:$real; sentinel nosuch;", qr/does not know the master/ ],
    [ no_password => $guarded->servers . ' sentinel mymaster;', qr/refuses the question: "NOAUTH/ ],
    [ wrong_password => $guarded->servers . ' sentinel mymaster; sentinel_password x;', qr/refuses the question: "WRONGPASS/ ],
    [ no_tls    => "server 127.0.0.1:$tls_port; sentinel mymaster;", qr/closed by the server|setup timed out|reset by peer/ ],
    [ untrusted => "server 127.0.0.1:$tls_port; sentinel mymaster; sentinel_ssl on;", qr/certificate is not valid/ ],
    [ no_sentinel => "server 127.0.0.1:${\ $redis->redis_port}; sentinel mymaster;", qr/refuses the question: "ERR unknown command/ ],
    [ dead      => "server 127.0.0.1:$dead; sentinel mymaster;", qr/could not connect to Sentinel/ ],
    map({ [ $_->[0] => "server 127.0.0.1:$fake{$_->[0]}; sentinel mymaster;", $_->[1] ] }
        [ deaf => qr/setup timed out/ ], [ nil => qr/does not know the master/ ], [ garbage => qr/invalid reply/ ],
        map({ [ $_ => qr/no valid address/ ] } qw(empty word number one three port_0 port_high port_word port_long
            host_empty host_long host_bad bytes)),
        [ nested => qr/invalid reply|no valid address/ ], [ error => qr/refuses the question: "IDONTKNOW/ ],
        [ huge => qr/invalid reply|setup timed out/ ], [ many => qr/a reply without a command|one reply too many/ ],
        [ name => qr/tells a name.*"redis\.example:6379"/ ],
        [ gone => qr/could not connect to 127.0.0.1:$dead/ ],
        [ self => qr/could not connect to 127.0.0.1:$real: .*unknown command/ ],
        [ replica => qr/is not used, it is a replica/ ]),
);

my $t = Test::IM->new(redis => 0, workers => 1, store => "server 127.0.0.1:${\ $redis->redis_port};",
    worker_connections => 1024);
for (@store) {
    my ($name, $block) = @$_;
    $t->{conf_http} .= "im_redis s_$name { $block connect_timeout " . ms(700) . '; timeout ' . ms(1500) . "; }\n";
    $t->{conf_server} .= "location /$name/ { im_pass s_$name; }\n";
}
$t->start;

for (grep { $_->[2] eq '' } @store) {
    my $name = $_->[0];
    my $r;
    ok($t->poll(10, sub { ($r = $t->post("/$name/send/msg", \%send))->status == 200 }), "$name: served")
        or diag($r->body . join "\n", grep { /s_$name"/ } split /\n/, $t->error_log);
}

my ($worst, $others) = (0, 0);
for (grep { $_->[2] ne '' } @store) {
    my ($name, undef, $like) = @$_;
    my $start = time;
    my $r = $t->post("/$name/send/msg", \%send);
    is($r->code, 'store_unavailable', "$name: refused") or diag($r->body);
    my $took = time - $start;
    $worst = $took if $took > $worst;
    $start = time;
    $others++ if $t->post('/real/unread', { from_id => 'bob' })->status != 200 || time - $start > 0.5 * $scale + 0.5;
    my @lines;
    ok($t->poll(5, sub {
        @lines = grep { /store "s_$name"/ && /\[error\]/ } split /\n/, $t->error_log;
        join("\n", @lines) =~ $like;
    }), "$name: why") or diag(join "\n", grep { /"s_$name"/ } split /\n/, $t->error_log);
}
cmp_ok($worst, '<', 1.7 * $scale + 1, 'within the deadline');
is($others, 0, 'others are served as ever');
unlike($t->error_log, qr/$password/, 'no password in the log');

{
    my %n;
    $n{$_}++ for $t->error_log =~ /\[error\] [^\n]*store "s_(\w+)"/g;
    my @many = grep { $n{$_} > 60 } keys %n;
    is_deeply(\@many, [], 'log lines are limited');
}


# --- a Sentinel that ends: the next one; none left: the address stays

sub served { my ($n, $s) = @_; return $t->poll($s // 8, sub { $t->post("/$n/send/msg", \%send)->status == 200 }) }

$s->stop(0);
my $bad = 0;
my $end = time + 1;
while (time < $end) { $bad++ if $t->post('/next/send/msg', \%send)->status != 200 }
is($bad, 0, 'a Sentinel is killed: no call fails');
$s->stop(1);
$end = time + 1;
while (time < $end) { $bad++ if $t->post('/next/send/msg', \%send)->status != 200 }
is($bad, 0, 'so is the other one');
$redis->redis(qw(CLIENT KILL TYPE normal SKIPME yes));
ok(served('next'), 'connections are opened again, to the same master');
$s->start($_) for 0, 1;
$s->debug;


# --- the replica is promoted, by order

$t->poll(15, sub { $s->replicas == 1 }) or diag('no replica');
ok($s->failover($replica->redis_port), 'a failover');
ok($t->poll(8, sub { $t->error_log =~ /"s_real": Sentinel [\d.:]+ tells that the master is 127\.0\.0\.1:${\ $replica->redis_port}, it was/ }),
   'is followed');
ok(served('real'), 'and used');

# Sentinels that were just started may order the two about for a moment

my $n = 0;
ok($t->poll(15, sub {
    my $new = $t->post('/real/send/msg', { %send, to_id => 'new' . $n++ });
    return $new->status == 200
           && @{ $replica->redis('KEYS', 'im:*' . $new->conv_id . '*') };
}), 'a message is at the new master');

ok($t->reload, 'reload');
ok(served('real'), 'served by the new worker');
$t->done;
kill KILL => $fake;
waitpid $fake, 0;
undef $fake;


# --- configurations

{
    my $c = Test::IM->new(redis => 0);
    my %refused = (
        'sentinel m;'                                   => qr/no "server"/,
        'server 127.0.0.1:1; sentinel m; sentinel n;'   => qr/"sentinel" is duplicate/,
        'server 127.0.0.1:1; server 127.0.0.1:2;'       => qr/two stores/,
        'server 127.0.0.1:1; sentinel_password x;'      => qr/without "sentinel"/,
        'server 127.0.0.1:1; sentinel m; cluster on;'   => qr/both "sentinel" and "cluster on"/,
        'server 127.0.0.1:1; sentinel m; sentinel_username x;' => qr/sentinel_password/,
        'server 127.0.0.1:1; sentinel m; sentinel_password x; sentinel_password_file y;' => qr/both "sentinel_password"/,
        'server 127.0.0.1:1; sentinel m; sentinel_password_file {{dir}}/none;' => qr/none/,
    );
    like($c->conf_fails(store => $_) // 'accepted', $refused{$_}, "refused: $_") for sort keys %refused;
    is($c->conf_fails(store => $_), undef, "accepted: $_") or diag($c->{check_output})
        for 'sentinel m; server 127.0.0.1:1; server 127.0.0.2:1; server unix:/x;',
            'server 127.0.0.1:1; sentinel m; password x; sentinel_username u; sentinel_password y; ssl on; sentinel_ssl off;';
    $c->cleanup;
}

$_->end for $s, $guarded, $tls;
$_->cleanup for $redis, $replica, $secret, $hidden;


done_testing;


# servers that answer everything with the same bytes; pid, and ports by name

sub fakes {
    my @name;
    my (%port, %answer, @listen);
    while (my ($name, $bytes) = splice @_, 0, 2) {
        my $l = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1') or die $!;
        push @listen, $l;
        $port{$name} = $l->sockport;
        $answer{$l} = $bytes;
    }
    my $pid = fork // die $!;
    return ($pid, %port) if $pid;

    $SIG{PIPE} = 'IGNORE';
    my $sel = IO::Select->new(@listen);
    my %of;
    while (1) {
        for my $s ($sel->can_read) {
            if (exists $answer{$s}) {
                my $c = $s->accept or next;
                $of{$c} = $answer{$s};
                $sel->add($c);
                next;
            }
            my $b;
            if (!sysread $s, $b, 65536) {
                $sel->remove($s);
                delete $of{$s};
                close $s;
                next;
            }
            next if !defined $of{$s};

            # AUTH, the question, the fence

            $s->syswrite($b =~ /GET-MASTER/ ? $of{$s} : '');
            $s->syswrite("-ERR unknown command 'ECHO'\r\n") if $b =~ /ECHO/i && $of{$s} !~ /^\*2\r\n\$6/;
        }
    }
}
